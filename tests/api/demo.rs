//! `jotsmith demo`: the lines that it prints work when they are pasted, and nothing of it is left.

use std::process::Command;

use rustix::process::Signal;

use crate::harness::program::{self, Outcome, Running};
use crate::harness::{Site, free_port};

#[test]
fn the_printed_lines_work_in_a_shell_and_nothing_is_left_when_it_ends() {
    let site = Site::new();
    let before = site.content();
    let port = free_port().to_string();
    let mut demo = Running::start(site.folder(), &["demo", "--port", &port]);
    let printed = demo.wait_for_output("token verify --jwks");
    assert!(printed[0].contains(&format!("http://127.0.0.1:{port}")), "{}", printed[0]);

    // What is indented is for the shell; the credentials stand there too, for other clients.
    let is_for_the_shell = |line: &&String| line.starts_with("  ") && !line.starts_with("  client_");
    let script: Vec<&str> = printed.iter().filter(is_for_the_shell).map(String::as_str).collect();
    assert!(script.iter().filter(|line| line.contains("curl")).count() == 3, "{script:#?}");
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", &script.join("\n")]).current_dir(site.folder());
    let Outcome { code, stdout, stderr } = program::outcome(&mut shell, "");
    assert_eq!((code, stderr.trim()), (Some(0), "The token is good."), "{stdout}");
    for expected in ["\"token_endpoint\"", "\"keys\"", "\"typ\": \"at+jwt\"", "\"scope\": \"read\""] {
        assert!(stdout.contains(expected), "{expected} is not in {stdout}");
    }

    demo.signal(Signal::INT);
    let (status, said) = demo.end();
    assert!(status.success() && said.is_empty(), "{status}: {said:?}");
    assert_eq!(site.content(), before, "the folder is gone");
}

#[test]
fn where_the_port_is_taken_another_one_is_found() {
    let site = Site::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("its address").port().to_string();
    let mut demo = Running::start(site.folder(), &["demo", "--port", &port]);
    let printed = demo.wait_for_output("Jotsmith serves on");
    assert!(!printed[0].contains(&port), "{}", printed[0]);
}
