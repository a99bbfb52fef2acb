//! Reload: a good change becomes live, and of a bad one nothing does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jotsmith::keys::algorithm::Algorithm;
use serde_json::json;

use crate::harness::{CLIENT_CREDENTIALS, Site, TestServer, claims, header, log, machine};

#[tokio::test]
async fn a_good_change_is_live_at_once() {
    let server = TestServer::start(&machine());
    let before = server.access_token("").await;
    let config = machine().replace("read write", "read delete") + &machine().replace("machine", "second");
    server.reload(&config).await.expect("a good change");

    assert_eq!(claims(&server.access_token("").await)["scope"], "delete read");
    server.machine_token(&format!("{CLIENT_CREDENTIALS}&scope=write")).await.assert_error(400, "invalid_scope");
    let second = server.token_request(CLIENT_CREDENTIALS).basic_auth("second", Some(crate::harness::SECRET));
    crate::harness::Answer::of(second).await.access_token();
    let metadata = server.get("/.well-known/oauth-authorization-server").await.json();
    assert_eq!(metadata["scopes_supported"], json!(["delete", "read", "write"]));
    // The keys were not in the change.
    assert_eq!(header(&before)["kid"], header(&server.access_token("").await)["kid"]);
}

#[tokio::test]
async fn a_client_that_is_taken_out_is_let_in_no_more() {
    let server = TestServer::start(&machine());
    server.access_token("").await;
    server.reload("").await.expect("a good change");
    server.machine_token(CLIENT_CREDENTIALS).await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn keys_that_the_change_brings_sign_and_are_published() {
    let site = Site::new();
    let old = site.add_key(Algorithm::Es256);
    let server = TestServer::start_at(site, &(machine() + &old.entry));
    let new = server.site.add_key(Algorithm::EdDsa);
    let default = format!("[keys]\ndefault_algorithm = \"EdDSA\"\n{}", old.entry);
    server.reload(&format!("{}{default}{}", machine(), new.entry)).await.expect("a good change");
    assert_eq!(header(&server.access_token("").await)["kid"], json!(new.kid));
    let keys = server.get("/.well-known/jwks.json").await.body;
    assert!(keys.contains(&old.kid) && keys.contains(&new.kid), "{keys}");
}

#[tokio::test]
async fn a_bad_change_leaves_everything_as_it_was_and_says_why_until_it_is_mended() {
    let server = TestServer::start(&machine());
    let refused = server.reload(&format!("{}scpe = \"write\"\n", machine())).await.expect_err("an unknown key");
    assert!(refused.contains("scpe: unknown key; did you mean `scope`?"), "{refused}");

    let ready = server.get_admin("/health/ready").await;
    assert_eq!(ready.status, 200, "what was live still serves");
    let body = ready.json();
    assert_eq!((&body["status"], &body["reload"]), (&json!("ready"), &json!("refused")));
    assert_eq!(body["reload_error"], json!(refused));
    assert_eq!(body["reload_refused_at"], json!(crate::harness::START.to_string()));
    server.access_token("").await;

    server.reload(&machine()).await.expect("mended");
    let ready = server.get_admin("/health/ready").await;
    let mended = json!({ "status": "ready", "reload": "loaded", "loaded_at": crate::harness::START.to_string() });
    assert_eq!((ready.status.as_u16(), ready.json()), (200, mended));
}

#[tokio::test]
async fn a_key_that_is_lost_or_open_to_others_is_no_good_change() {
    let site = Site::new();
    let key = site.add_key(Algorithm::Es256);
    let server = TestServer::start_at(site, &(machine() + &key.entry));
    std::fs::remove_file(&key.file).expect("removed");
    let refused = server.reload(&(machine() + &key.entry)).await.expect_err("no key");
    assert!(refused.contains(key.file.to_str().expect("UTF-8")), "{refused}");
    assert_eq!(header(&server.access_token("").await)["kid"], json!(key.kid), "it is still in memory");
}

#[tokio::test]
async fn another_issuer_is_refused() {
    let server = TestServer::start(&machine());
    let config = format!("issuer = \"https://login.example.com\"\n{}", machine());
    let refused = server.reload(&config).await.expect_err("another issuer");
    assert!(refused.contains("issuer") && refused.contains("restart"), "{refused}");
    assert_eq!(claims(&server.access_token("").await)["iss"], json!(server.issuer));
}

#[tokio::test]
async fn a_setting_that_waits_for_a_restart_is_named_and_the_rest_is_live() {
    let server = TestServer::start(&machine());
    let settings = [
        ("server", "listen", "\"127.0.0.1:1\""),
        ("server", "admin_listen", "\"127.0.0.1:2\""),
        ("server", "workers", "3"),
        ("server", "shutdown_timeout", "\"9s\""),
        ("store", "url", "\"sled://elsewhere\""),
        ("store", "durability", "\"periodic\""),
        ("store", "cache", "\"64MiB\""),
        ("log", "format", "\"text\""),
        ("log", "level", "\"warn\""),
    ];
    for (at, (section, key, value)) in settings.into_iter().enumerate() {
        let scope = format!("scope{at}");
        let client = machine().replace("read write", &scope);
        server.reload(&format!("{client}[{section}]\n{key} = {value}\n")).await.expect("a good change");
        assert_eq!(claims(&server.access_token("").await)["scope"], scope, "{key}: at the old address");
        let name = format!("{section}.{key}");
        let is_named = |line: &serde_json::Value| line["setting"] == name && line["level"] == "WARN";
        assert!(log::lines_with("until a restart").iter().any(is_named), "{name}");
    }
}

#[tokio::test]
async fn requests_that_go_on_during_reloads_all_succeed() {
    let server = Arc::new(TestServer::start(&machine()));
    let is_over = Arc::new(AtomicBool::new(false));
    let requests: Vec<_> = (0..4)
        .map(|_| {
            let (server, is_over) = (Arc::clone(&server), Arc::clone(&is_over));
            tokio::spawn(async move {
                let mut scopes = Vec::new();
                while !is_over.load(Ordering::SeqCst) {
                    let token = server.access_token("").await;
                    scopes.push(claims(&token)["scope"].as_str().expect("a scope").to_owned());
                }
                scopes
            })
        })
        .collect();
    for turn in 0..50 {
        let scope = ["read write", "read"][turn % 2];
        server.reload(&machine().replace("read write", scope)).await.expect("a good change");
    }
    is_over.store(true, Ordering::SeqCst);
    let mut seen = Vec::new();
    for scopes in requests {
        seen.extend(scopes.await.expect("every request succeeds"));
    }
    // Each saw one configuration or the other, and both were seen.
    assert!(seen.iter().all(|scope| scope == "read write" || scope == "read"));
    assert!(seen.iter().any(|scope| scope == "read") && seen.iter().any(|scope| scope != "read"), "{}", seen.len());
}
