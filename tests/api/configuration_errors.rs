//! Configurations that are not served: one sentence that says where, what and how to mend it, and nothing is changed.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use jotsmith::keys::algorithm::Algorithm;
use rustix::process::Signal;

use crate::harness::program::{self, Outcome};
use crate::harness::{Site, TestServer, machine};

/// Asserts that the program refuses a site, and that nothing in its folder has changed; gives what it said.
fn refused(site: &Site, command: &str) -> String {
    let before = site.content();
    let config = site.config_file();
    let Outcome { code, stdout, stderr } =
        program::run(site.folder(), &[command, "--config", config.to_str().expect("UTF-8")]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert_eq!(site.content(), before, "nothing is changed");
    // The log is on standard error too, in lines of JSON.
    let said: Vec<&str> = stderr.lines().filter(|line| !line.starts_with('{')).collect();
    let message = said.join("\n");
    within(site.folder(), message.strip_prefix("jotsmith: ").unwrap_or_else(|| panic!("who speaks? {stderr}")))
}

/// A message with the paths in a folder as they are from there.
fn within(folder: &Path, message: &str) -> String {
    message.replace(&format!("{}/", folder.display()), "")
}

/// Asserts that `check`, `serve` and a server in this process refuse a site with the same words.
fn refused_by_all(site: Site) -> String {
    let message = refused(&site, "check");
    assert_eq!(refused(&site, "serve"), message);
    let folder = site.folder().to_owned();
    let in_process = TestServer::try_start(site).err().expect("refused");
    assert_eq!(within(&folder, &in_process), message);
    message
}

#[test]
fn what_is_wrong_in_a_file_is_named_with_its_line_and_key_and_how_to_mend_it() {
    for (line, message) in [
        ("[server]\nlisen = \"127.0.0.1:1\"", "config.toml:2: server.lisen: unknown key; did you mean `listen`?"),
        ("isuer = \"https://a.example\"", "config.toml:1: isuer: unknown key; did you mean `issuer`?"),
        (
            "[server]\nworkers = \"two\"",
            "config.toml:2: server.workers: this is a string; write a whole number, without quotation marks",
        ),
        (
            "[lifetimes]\naccess_token = \"5 min utes\"",
            "config.toml:2: lifetimes.access_token: \"5 min utes\" is no duration; write one as 90s, 5m, 12h or 30d",
        ),
        ("[lifetimes]\naccess_token = \"0s\"", "config.toml:2: lifetimes.access_token: write one second or more"),
        (
            "issuer = \"http://login.example.com\"",
            "config.toml:1: issuer: an issuer is https; http is for loopback addresses alone",
        ),
        ("issuer = \"https://a.example\"\n\n[server", "config.toml:3: this is no TOML: "),
        (
            "[keys]\ndefault_algorithm = \"HS256\"",
            "config.toml:2: keys.default_algorithm: no such signature algorithm: there are ES256, RS256 and EdDSA",
        ),
    ] {
        let site = Site::new();
        site.write_raw_config(line);
        let said = refused_by_all(site);
        assert!(said.starts_with(message), "{said}");
        assert_eq!(said.lines().count(), 1, "one sentence: {said}");
    }
}

#[test]
fn a_client_that_cannot_be_served_is_named() {
    for (change, what) in [
        (machine() + "claims = { sub = \"root\" }", "the claim sub has a registered meaning and cannot be set"),
        (machine() + "claims = { tenant = \"a\", scope = \"x\" }", "the claim scope has a registered meaning"),
        (machine() + "default_scope = \"admin\"", "default_scope has more than scope"),
        (machine().replace("sha256:", "plain:"), "a client secret is written as a hash"),
        (machine() + "resources = [\"https://api.example.com\"]", "which is neither in [[resources]] nor"),
        (machine() + &machine(), "the client_id machine is taken by"),
        (machine() + "jwks_uri = \"https://a.example\"", "unknown key"),
    ] {
        let site = Site::new();
        site.write_raw_config(&change);
        let said = refused_by_all(site);
        assert!(said.contains("config.toml:") && said.contains("clients[\"machine\"]"), "{said}");
        assert!(said.contains(what), "{said}");
        // Whatever is wrong, the hash is not repeated.
        assert!(!said.contains("sha256:q"), "{said}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let site = Site::new();
    site.write_raw_config("[server]\ncolour = 1\nlisten = 8080\n[log]\nlevel = \"loud\"\n");
    let said = refused(&site, "check");
    let keys: Vec<_> = said.lines().filter_map(|line| line.split(": ").nth(1)).collect();
    assert_eq!(keys, ["server.colour", "server.listen", "log.level"], "{said}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let site = Site::new();
    let said = refused_by_all(site);
    assert!(said.starts_with("config.toml: cannot be read: No such file or directory"), "{said}");
}

#[test]
fn a_key_that_others_may_read_is_refused_with_the_command_that_mends_it() {
    let site = Site::new();
    let key = site.add_key(Algorithm::Es256);
    fs::set_permissions(&key.file, fs::Permissions::from_mode(0o644)).expect("permitted");
    site.write_config(&(machine() + &key.entry));
    let said = refused(&site, "check");
    let file = format!("keys/{}.pem", key.kid);
    let (place, said) = said.split_once(": other").expect("where the entry stands, then what is wrong");
    let config = fs::read_to_string(site.config_file()).expect("a configuration");
    let line = 1 + config.lines().position(|line| line.trim() == "[[keys.signing]]").expect("an entry");
    assert_eq!(place, format!("config.toml:{line}: keys.signing[\"{}.pem\"]", key.kid));
    assert_eq!(
        format!("other{said}"),
        format!("other users may use the key file {file} (mode 0644): `chmod o= {file}` takes that from them")
    );
}

#[test]
fn a_key_of_another_algorithm_is_refused() {
    let site = Site::new();
    let key = site.add_key(Algorithm::Rs256);
    site.write_config(&(machine() + &key.entry.replace("RS256", "ES256")));
    let said = refused_by_all(site);
    assert!(said.contains(&key.kid) && said.contains("RS256"), "{said}");
}

#[test]
fn a_schedule_that_would_break_verifiers_is_refused() {
    let site = Site::new();
    let (old, new) = (site.add_key(Algorithm::Es256), site.add_key(Algorithm::Es256));
    let times = "publish_at = \"2999-01-01T00:00:00Z\"\nsign_from = \"2999-01-01T00:10:00Z\"\n";
    site.write_config(&format!("{}{}{}{times}", machine(), old.entry, new.entry));
    let said = refused_by_all(site);
    assert!(said.contains(&new.kid) && said.contains("let sign_from be 2999-01-01T00:16:00Z or later"), "{said}");
}

#[test]
fn a_folder_for_keys_that_cannot_be_made_is_named() {
    let site = Site::new();
    // Nobody may make a folder there, not even root.
    site.write_config(&(machine() + "[keys]\ndirectory = \"/proc/jotsmith-keys\"\n"));
    let said = refused(&site, "serve");
    assert!(said.starts_with("cannot make the folder /proc/jotsmith-keys, which keys.directory names: "), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn a_store_whose_keys_are_lost_gets_no_new_ones() {
    let site = Site::new();
    site.write_config(&machine());
    let (server, _admin) = program::Running::serve(&site);
    server.signal(Signal::TERM);
    assert!(server.end().0.success());
    fs::remove_dir_all(site.folder().join("keys")).expect("removed");
    let said = refused_by_all(site);
    assert!(said.contains("jotsmith keys generate --algorithm ES256") && said.contains("schedule.toml"), "{said}");
}

#[test]
fn keys_are_never_made_where_that_is_not_wanted() {
    let site = Site::new();
    site.write_config(&(machine() + "[keys]\ngenerate_if_missing = \"never\"\n"));
    let said = refused_by_all(site);
    assert!(said.starts_with("no signing key is configured"), "{said}");
}

#[test]
fn a_port_in_use_is_named_by_address_and_setting() {
    for key in ["listen", "admin_listen"] {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = taken.local_addr().expect("its address");
        let site = Site::new();
        let signing = site.add_key(Algorithm::Es256);
        site.write_config(&format!("{}{}[server]\n{key} = \"{address}\"\n", machine(), signing.entry));
        let said = refused(&site, "serve");
        let expected = format!("cannot listen on {address}, which server.{key} names: Address already in use");
        assert!(said.starts_with(&expected), "{said}");
        assert_eq!(TestServer::try_start(site).err(), Some(said));
    }
}
