//! `--open`: the browser of the desktop gets the address, and nothing that is secret.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::harness::program::Running;
use crate::harness::{Site, free_port};

fn demo(site: &Site, path: &str) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jotsmith"));
    command.current_dir(site.folder()).env_clear().env("TMPDIR", site.folder()).env("PATH", path);
    command.args(["demo", "--open", "--port", &free_port().to_string()]);
    Running::spawn(command)
}

#[test]
fn the_browser_of_the_desktop_is_given_the_printed_address_alone() {
    let site = Site::new();
    let tools = tempfile::tempdir().expect("a folder");
    let said = tools.path().join("said");
    assert!(Command::new("mkfifo").arg(&said).status().expect("it runs").success());
    for name in ["xdg-open", "open"] {
        let file = tools.path().join(name);
        fs::write(&file, format!("#!/bin/sh\necho \"$# $*\" > '{}'\n", said.display())).expect("a script");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).expect("a mode");
    }
    let mut demo = demo(&site, tools.path().to_str().expect("UTF-8"));
    let printed = demo.wait_for_output("/health/ready");
    // Reading waits for the script.
    let said = fs::read_to_string(&said).expect("what it was given");
    let address = printed[0].split(' ').nth(1).expect("an address");
    assert_eq!(said, format!("1 {address}\n"));
    assert!(!address.contains(['?', '#', '@']), "{address}");
}

#[test]
fn where_no_browser_opens_it_says_so_and_goes_on() {
    let site = Site::new();
    let mut demo = demo(&site, "/nonexistent");
    let address = demo.wait_for_output("/health/ready")[0].split(' ').nth(1).expect("an address").to_owned();
    let told = demo.wait_for_log("no browser opens");
    assert!(told.ends_with(&format!("open {address} yourself")), "{told}");
}
