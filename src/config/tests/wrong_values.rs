//! What an error says: file and line, key, what is wrong, how to mend it.

use super::{Folder, client, errors_of, user};

#[test]
fn an_unknown_key_is_refused_at_any_depth_with_the_nearest_known_one() {
    for (text, expected) in [
        ("isuer = \"https://h\"", "a.toml:1: isuer: unknown key; did you mean `issuer`?"),
        ("\n[sever]\n", "a.toml:2: sever: unknown key; did you mean `server`?"),
        ("[server]\nlistn = \"x\"", "a.toml:2: server.listn: unknown key; did you mean `listen`?"),
        ("[log.levle]\n", "a.toml:1: log.levle: unknown key; did you mean `level`?"),
        ("\n[server.listn.deep]\n", "a.toml:2: server.listn: unknown key; did you mean `listen`?"),
        ("log.colour = true", "a.toml:1: log.colour: unknown key; there are: format, level"),
        ("\"server.listen\" = \"x\"", "a.toml:1: server.listen: unknown key"),
        (
            "[scopes.read]\ndescripton = {}\ndescription = {}",
            "a.toml:2: scopes.read.descripton: unknown key; did you mean `description`?",
        ),
    ] {
        assert_eq!(errors_of(text).split("; there are").next(), expected.split("; there are").next(), "{text}");
    }
    let text = client("web") + "scpe = \"read\"\n";
    assert_eq!(errors_of(&text), "a.toml:5: clients[\"web\"].scpe: unknown key; did you mean `scope`?");
    let text = "[[keys.signing]]\nfile = \"f\"\nalgorithm = \"ES256\"\nretired_at = 1\n";
    assert_eq!(errors_of(text), "a.toml:4: keys.signing[\"f\"].retired_at: unknown key; did you mean `retire_at`?");
}

#[test]
fn a_value_of_another_type_is_refused_with_file_and_line() {
    for (text, expected) in [
        ("issuer = 5", "a.toml:1: issuer: this is a whole number; write a string in quotation marks"),
        ("\nserver = 5", "a.toml:2: server: this is a whole number; write a table"),
        (
            "[server]\nworkers = \"4\"",
            "a.toml:2: server.workers: this is a string; write a whole number, without quotation marks",
        ),
        ("[server]\nlisten = [8080]", "a.toml:2: server.listen: this is a list; write a string in quotation marks"),
        (
            "[server]\ntrusted_proxies = \"10.0.0.0/8\"",
            "a.toml:2: server.trusted_proxies: this is a string; write a list in [ ]",
        ),
        (
            "[server]\ntrusted_proxies = [\n '10.0.0.0/8',\n 7]",
            "a.toml:4: server.trusted_proxies[1]: this is a whole number; write a string in quotation marks",
        ),
        (
            "[keys]\ngenerate_if_missing = true",
            "a.toml:2: keys.generate_if_missing: this is a boolean; write one of: new-store, never",
        ),
    ] {
        assert_eq!(errors_of(text), expected, "{text}");
    }
    let text = client("web") + "require_pkce = \"no\"\n";
    assert_eq!(
        errors_of(&text),
        "a.toml:5: clients[\"web\"].require_pkce: this is a string; write true or false, without quotation marks"
    );
}

#[test]
fn a_missing_key_is_refused_at_its_entry() {
    assert_eq!(
        errors_of("\n[[users]]\nusername = \"alice\"\nsubject = \"1\"\n"),
        "a.toml:2: users[\"alice\"].password_hash: is missing"
    );
    assert_eq!(errors_of("[[resources]]\n"), "a.toml:1: resources[0].identifier: is missing");
}

#[test]
fn a_value_that_is_written_wrongly_says_how_it_is_written() {
    for (section, line, expected) in [
        ("server", "listen = \"localhost:8080\"", "no address and port; write one as 127.0.0.1:8080"),
        ("server", "trusted_proxies = [\"10.0.0.0/33\"]", "no network; write one as 10.0.0.0/8"),
        ("server", "workers = -1", "this is below zero; write a whole number from 0 up"),
        ("server", "admin_scope = \"two tokens\"", "write one scope token"),
        ("lifetimes", "access_token = \"5 fortnights\"", "no duration; write one as 90s, 5m, 12h or 30d"),
        ("lifetimes", "access_token = \"500ms\"", "write one second or more"),
        ("lifetimes", "authorization_code = \"601s\"", "write 10m or less"),
        ("lifetimes", "refresh_token_idle = \"366d\"", "longer than refresh_token_absolute"),
        ("store", "cache = \"32 hogsheads\"", "no size; write one as 32MiB"),
        ("store", "url = \"postgres://db\"", "write sled:// and a folder"),
        ("store", "url = \"sled://\"", "write sled:// and a folder"),
        ("store", "durability = \"fsink\"", "there is no \"fsink\"; did you mean `fsync`?"),
        ("keys", "default_algorithm = \"HS256\"", "no such signature algorithm"),
        ("login", "max_failures_per_account = 0", "the failures allowed for an account are 1 to 1000"),
        ("login", "directory = \"ldap\"", "there is no \"ldap\"; there are: users"),
        ("log", "level = \"inof\"", "there is no level \"inof\""),
        ("log", "format = \"yaml\"", "there is no \"yaml\"; there are: auto, text, json"),
    ] {
        let errors = errors_of(&format!("[{section}]\n{line}\n"));
        let key = line.split(' ').next().expect("a key");
        assert!(errors.starts_with(&format!("a.toml:2: {section}.{key}")), "{errors}");
        assert!(errors.contains(expected) && errors.lines().count() == 1, "{errors}");
    }
}

#[test]
fn a_wrong_variable_is_named() {
    let errors = Folder::new().set("JOTSMITH__SERVER__WORKERS", "many").errors(&[]);
    let expected =
        "environment variable JOTSMITH__SERVER__WORKERS: server.workers: this is a string; write a whole number";
    assert!(errors.starts_with(expected), "{errors}");
}

#[test]
fn what_is_no_toml_is_refused_with_file_and_line() {
    assert!(errors_of("a = 1\n[server\n").starts_with("a.toml:2: this is no TOML: "));
}

#[test]
fn problems_that_do_not_depend_on_each_other_are_told_at_once() {
    let text =
        "issuer = \"http://example.com\"\nisuer = 1\n[server]\nlistn = 1\nworkers = \"x\"\n[log]\nlevel = \"x\"\n";
    let text = text.to_owned()
        + &client("a b\\u0007")
        + &user("", "1")
        + &user("bob", "2")
        + "claims = { sub = \"x\" }\n"
        + "[keys]\ndirectory = 1\n[[resources]]\n";
    let lines: Vec<_> =
        errors_of(&text).lines().map(|line| line.split(": ").next().expect("a place").to_owned()).collect();
    assert_eq!(
        lines,
        [
            "a.toml:1",
            "a.toml:2",
            "a.toml:4",
            "a.toml:5",
            "a.toml:7",
            "a.toml:8",
            "a.toml:12",
            "a.toml:16",
            "a.toml:22",
            "a.toml:23"
        ]
    );
}

#[test]
fn what_the_domain_refuses_is_told_at_its_entry() {
    let text = "\n".to_owned() + &client("web") + "grant_types = [\"client_credentials\"]\n";
    let errors = errors_of(&text);
    assert!(
        errors.starts_with("a.toml:2: clients[\"web\"]: a public client may not use client_credentials"),
        "{errors}"
    );
    assert!(errors_of("issuer = \"http://example.com\"").starts_with("a.toml:1: issuer: an issuer is https;"));
    assert!(
        errors_of("default_resource = \"/api\"")
            .starts_with("a.toml:1: default_resource: a resource is an absolute URI")
    );
    let errors = errors_of("[[resources]]\nidentifier = \"/api\"\n");
    assert!(errors.starts_with("a.toml:1: resources[\"/api\"]: a resource is an absolute URI"), "{errors}");
    let errors = errors_of("[[resources]]\nidentifier = \"https://h\"\naccess_token_lifetime = \"0s\"\n");
    assert!(errors.ends_with("access_token_lifetime: write one second or more"), "{errors}");
    let errors = errors_of("[scopes.\"a b\"]\ndescription = {}\n");
    assert!(errors.starts_with("a.toml:1: scopes.a b: is no scope token"), "{errors}");
}

#[test]
fn every_time_the_first_problem_of_an_entry_is_told() {
    let text = "[[keys.signing]]\nfile = \"a.pem\"\npublish_at = \"tomorrow\"\nalgorithm = \"ES257\"\nsign_from = 1\n";
    for _ in 0..16 {
        assert!(errors_of(text).starts_with("a.toml:3: keys.signing[\"a.pem\"].publish_at: "), "{}", errors_of(text));
    }
}

#[test]
fn an_unknown_section_hides_no_problem_of_another_one() {
    for unknown in ["[nonsense]\na = 1\n", "\"lifetimes[0]\" = 1\n", "\"lifetimes.x\" = 1\n"] {
        let (root, tables) = if unknown.starts_with('[') { ("", unknown) } else { (unknown, "") };
        let errors = errors_of(&format!("{root}[lifetimes]\naccess_token = 5\n[server]\nworkers = \"x\"\n{tables}"));
        assert_eq!(errors.lines().count(), 3, "{errors}");
        assert!(errors.contains("lifetimes.access_token: this is") && errors.contains("unknown key"), "{errors}");
        assert!(errors.contains("server.workers: this is a string"), "{errors}");
    }
}
