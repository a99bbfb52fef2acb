//! `jotsmith demo`: the lines that it prints work when they are pasted, and nothing of it is left.

use std::process::Command;

use rustix::process::Signal;

use crate::harness::browser::Browser;
use crate::harness::program::{self, Outcome, Running};
use crate::harness::{Answer, Site, free_port};

#[test]
fn the_printed_lines_work_in_a_shell_and_nothing_is_left_when_it_ends() {
    let site = Site::new();
    let before = site.content();
    let port = free_port().to_string();
    let mut demo = Running::start(site.folder(), &["demo", "--port", &port]);
    let printed = demo.wait_for_output("token verify --jwks");
    assert!(printed[0].starts_with("Open http://127.0.0.1:"), "the playground comes first: {}", printed[0]);
    assert!(printed[1].ends_with(&format!("Jotsmith serves on http://127.0.0.1:{port}")), "{}", printed[1]);

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

#[tokio::test]
async fn a_person_lets_the_app_act_for_them_and_the_lines_for_its_code_work() {
    let site = Site::new();
    let port = free_port().to_string();
    let mut demo = Running::start(site.folder(), &["demo", "--port", &port]);
    let printed = demo.wait_for_output("/health/ready").join("\n");
    let (_, password) = printed.split_once("as alice with password ").expect("a password");
    let password = password.lines().next().expect("a line");
    let origin = format!("http://127.0.0.1:{port}");
    let link = printed.lines().map(str::trim).find(|line| line.contains("/authorize?")).expect("a link");

    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let mut browser = Browser::new(&http, &origin);
    let login = browser.get(link.strip_prefix(&origin).expect("a path")).await.form();
    let consent = browser.submit(&login.fill("username", "alice").fill("password", password)).await;
    consent.page().assert_says("Read your notes");
    let back = browser.submit(&consent.form().press("allow")).await;
    assert_eq!(back.status, 303);
    let lines = Answer::of(http.get(back.header("location"))).await.body;

    let script: Vec<&str> = lines.lines().filter(|line| line.starts_with("  ")).collect();
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", &script.join("\n")]).current_dir(site.folder());
    let Outcome { code, stdout, stderr } = program::outcome(&mut shell, "");
    assert_eq!((code, stderr.trim()), (Some(0), "The token is good."), "{stdout}");
    let refresh_tokens: Vec<&str> = stdout.lines().filter(|line| line.starts_with("jsr_")).collect();
    assert!(matches!(refresh_tokens[..], [second, again, third] if second == again && third != again), "{stdout}");
    assert_eq!(stdout.matches(r#""error":"invalid_grant""#).count(), 2, "{stdout}");
}

#[tokio::test]
async fn an_answer_that_the_demo_did_not_ask_for_gets_no_lines() {
    let site = Site::new();
    let port = free_port().to_string();
    let mut demo = Running::start(site.folder(), &["demo", "--port", &port]);
    let printed = demo.wait_for_output("/health/ready").join("\n");
    let link = printed.lines().map(str::trim).find(|line| line.contains("/authorize?")).expect("a link");
    let (_, query) = link.split_once('?').expect("a query");
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let of = |name: &str| &pairs.iter().find(|(own, _)| own == name).expect("a parameter").1;
    let http = reqwest::Client::new();
    for answer in ["code=jsc_x&state=another".to_owned(), format!("code=%24(id)&state={}", of("state"))] {
        let shown = Answer::of(http.get(format!("{}?{answer}", of("redirect_uri")))).await.body;
        assert!(shown.starts_with("This ") && !shown.contains("curl"), "{shown}");
    }
}

#[test]
fn where_the_port_is_taken_another_one_is_found() {
    let site = Site::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("its address").port().to_string();
    let mut demo = Running::start(site.folder(), &["demo", "--port", &port]);
    let printed = demo.wait_for_output("Jotsmith serves on");
    assert!(!printed[1].contains(&port), "{}", printed[1]);
}
