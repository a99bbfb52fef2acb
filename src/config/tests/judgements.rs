//! What concerns more than one entry.

use super::{Folder, client, errors_of, load_text, user};

#[test]
fn the_two_addresses_are_not_one_but_both_may_be_any_free_port() {
    let addresses =
        |public: &str, admin: &str| format!("[server]\nlisten = \"{public}\"\nadmin_listen = \"{admin}\"\n");
    for (public, admin) in [("127.0.0.1:80", "127.0.0.1:80"), ("0.0.0.0:80", "127.0.0.1:80"), ("[::1]:80", "[::]:80")] {
        let errors = errors_of(&addresses(public, admin));
        assert!(errors.starts_with("a.toml:3: server.admin_listen: is the address of server.listen"), "{errors}");
    }
    for (public, admin) in
        [("127.0.0.1:0", "127.0.0.1:0"), ("127.0.0.1:80", "127.0.0.2:80"), ("0.0.0.0:80", "0.0.0.0:81")]
    {
        load_text(&addresses(public, admin));
    }
}

#[test]
fn an_https_issuer_may_be_served_on_loopback() {
    assert!(load_text("issuer = \"https://login.example.com\"").server.listen.ip().is_loopback());
}

#[test]
fn a_client_id_is_nobodys_subject() {
    let errors = errors_of(&(client("248289761001") + &user("alice", "248289761001")));
    assert!(errors.starts_with("a.toml:5: users[\"alice\"]: subject 248289761001 is the client_id at "), "{errors}");
    assert!(errors.contains("a.toml:1: a token could be taken"), "{errors}");
}

#[test]
fn a_client_names_resources_that_are_there() {
    let resource = "[[resources]]\nidentifier = \"https://api.example\"\n";
    let named = |name: &str| client("web") + &format!("resources = [\"{name}\"]\n") + resource;
    load_text(&named("https://api.example/"));
    load_text(&named("http://127.0.0.1:8080"));
    let errors = errors_of(&named("https://apo.example"));
    assert!(
        errors.starts_with("a.toml:1: clients[\"web\"]: resources names https://apo.example, which is neither"),
        "{errors}"
    );
}

#[test]
fn a_resource_names_clients_that_are_there_and_can_prove_it() {
    let resource = "[[resources]]\nidentifier = \"https://h\"\nintrospected_by = [\"api\"]\n";
    let api = "[[clients]]\nclient_id = \"api\"\nclient_secrets = [\"sha256:q-xZhD4nPcfvPfhorVci2K214qAOC7U1X0T6oJdzWq0\"]\ngrant_types = [\"client_credentials\"]\n";
    load_text(&(resource.to_owned() + api));
    assert!(errors_of(resource).ends_with("introspected_by names api, which is no client"));
    assert!(errors_of(&(resource.to_owned() + &client("api"))).ends_with("a public client: anybody could ask"));
}

#[test]
fn an_entry_with_a_problem_is_not_said_to_be_missing_too() {
    let resource = "[[resources]]\nidentifier = \"https://h\"\nintrospected_by = [\"api\"]\n";
    let errors = errors_of(&(resource.to_owned() + "[[clients]]\nclient_id = \"api\"\n"));
    assert!(errors.starts_with("a.toml:4: clients[\"api\"]: ") && errors.lines().count() == 1, "{errors}");
}

#[test]
fn the_default_resource_is_the_issuer_unless_it_is_named() {
    let default = |text| load_text(text).resources.iter().map(|r| r.identifier.to_string()).collect::<Vec<_>>();
    assert_eq!(default("issuer = \"https://login.example\""), ["https://login.example"]);
    assert_eq!(default("default_resource = \"https://api.example\""), ["https://api.example"]);
}

#[test]
fn a_resource_is_signed_for_with_the_default_algorithm_unless_it_has_its_own() {
    let text = "[keys]\ndefault_algorithm = \"EdDSA\"\n[[resources]]\nidentifier = \"https://a\"\n[[resources]]\nidentifier = \"https://b\"\nalgorithm = \"RS256\"\n";
    let settings = load_text(text);
    let mut algorithms: Vec<_> =
        settings.resources.iter().map(|r| (r.identifier.to_string(), r.algorithm.as_str())).collect();
    algorithms.sort_unstable();
    assert_eq!(
        algorithms,
        [
            ("http://127.0.0.1:8080".to_owned(), "EdDSA"),
            ("https://a".to_owned(), "EdDSA"),
            ("https://b".to_owned(), "RS256")
        ]
    );
}

#[test]
fn two_keys_of_one_algorithm_that_always_sign_are_refused_and_of_two_are_not() {
    let key = |file, algorithm| format!("[[keys.signing]]\nfile = \"{file}\"\nalgorithm = \"{algorithm}\"\n");
    let errors = errors_of(&(key("a", "ES256") + &key("b", "ES256")));
    assert!(errors.starts_with("a.toml:4: keys.signing[\"b\"]: keys `a` and `b` would start to sign"), "{errors}");
    load_text(&(key("a", "ES256") + &key("b", "RS256")));
    let errors = errors_of("[[keys.sealing]]\nfile = \"a\"\n[[keys.sealing]]\nfile = \"b\"\n");
    assert!(errors.starts_with("a.toml:3: keys.sealing[\"b\"]"), "{errors}");
}

#[test]
fn the_times_of_a_key_are_in_order_and_in_utc() {
    let key = "[[keys.signing]]\nfile = \"a\"\nalgorithm = \"ES256\"\n";
    for (publish_at, sign_from) in
        [("2026-11-01T00:00:00Z", "\"2026-11-02T00:00:00Z\""), ("\"2026-11-01T00:00:00Z\"", "2026-11-02 00:00:00Z")]
    {
        let settings = load_text(&format!("{key}publish_at = {publish_at}\nsign_from = {sign_from}\n"));
        let lifecycle = settings.keys.signing[0].lifecycle;
        let times = [lifecycle.publish_at, lifecycle.sign_from].map(|time| time.expect("a time").to_string());
        assert_eq!(times, ["2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"]);
    }
    let errors = errors_of(&format!("{key}publish_at = 2026-11-02T00:00:00Z\nsign_from = 2026-11-01T00:00:00Z\n"));
    assert!(errors.starts_with("a.toml:1: keys.signing[\"a\"]: key `a`: its times must be in order"), "{errors}");
    for time in ["2026-11-01T00:00:00+01:00", "2026-11-01T00:00:00", "2026-11-01"] {
        let errors = errors_of(&format!("{key}sign_from = {time}\n"));
        assert!(
            errors.starts_with("a.toml:4: keys.signing[\"a\"].sign_from: ") && errors.contains("not a time in UTC"),
            "{errors}"
        );
    }
}

#[test]
fn relative_paths_start_where_the_program_runs_and_all_after_sled_is_a_path() {
    let folder = Folder::new();
    folder.write("c/a.toml", "[keys]\ndirectory = \"k\"\n[store]\nurl = \"sled://d/?x\"\n");
    let settings = folder.load(&["c/a.toml"]);
    assert_eq!((settings.keys.directory, settings.store.path), (folder.path("k"), folder.path("d/?x")));
    let store = load_text("[store]\nurl = \"sled:///var/lib/x\"\n").store;
    assert_eq!(store.path, std::path::Path::new("/var/lib/x"));
}

#[test]
fn a_default_that_no_grant_can_hold_is_refused() {
    let with = |scope: usize, more: &str| client("web") + &format!("scope = \"read {}\"\n{more}", "x".repeat(scope));
    // `read`, a space, and the issuer as the resource with a space after it.
    let longest = 2048 - "read ".len() - "http://127.0.0.1:8080 ".len();
    load_text(&with(longest, ""));
    let errors = errors_of(&with(longest + 1, ""));
    let says =
        "a.toml:1: clients[\"web\"]: a request that names no scope is refused: scope and resources have 2049 bytes";
    assert!(errors.starts_with(says) && errors.ends_with("write a shorter default_scope"), "{errors}");
    // What it asks for by itself is judged then; and a resource that understands less cuts the default.
    load_text(&with(3000, "default_scope = \"read\"\n"));
    load_text(&with(3000, "[[resources]]\nidentifier = \"http://127.0.0.1:8080\"\nscope = \"read\"\n"));
    let machine = with(3000, "").replace("redirect_uris = [\"https://c.example/cb\"]", "client_secrets = [\"sha256:q-xZhD4nPcfvPfhorVci2K214qAOC7U1X0T6oJdzWq0\"]\ngrant_types = [\"client_credentials\"]");
    load_text(&machine.replace("token_endpoint_auth_method = \"none\"\n", ""));
}

#[test]
fn implicit_is_a_warning_that_says_what_to_use_instead() {
    let implicit = client("old") + "grant_types = [\"implicit\"]\nresponse_types = [\"token\"]\n";
    let warnings = load_text(&(client("web") + &implicit)).warnings;
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("a.toml:5: clients[\"old\"]: grant_types has implicit"), "{warnings:?}");
    assert!(warnings[0].contains("RFC 9700 §2.1.2") && warnings[0].contains("use authorization_code, with PKCE"));
}

#[test]
fn what_is_perhaps_not_meant_is_a_warning() {
    let warnings = |text: &str| load_text(text).warnings;
    assert!(warnings(&(client("web") + "scope = \"raed\"\n")).is_empty(), "nothing speaks of scope");
    let text = client("web") + "scope = \"raed\"\n[[resources]]\nidentifier = \"https://h\"\nscope = \"read\"\n";
    assert!(
        warnings(&text)[0].contains("clients[\"web\"]: scope has raed, which no resource and no [scopes] entry knows")
    );
    assert!(warnings("[store]\ndurability = \"periodic\"\n")[0].contains("the last 500 ms"));
}
