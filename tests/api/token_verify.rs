//! `jotsmith token verify`: is this token good, and if not, why not?

use std::fs;
use std::time::Duration;

use jotsmith::foundation::base64url;
use jotsmith::foundation::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::harness::program::{self, Outcome};
use crate::harness::{MACHINE, TestServer, claims, header, machine};

/// A server at the time of this machine, which the program goes by.
fn server() -> TestServer {
    let server = TestServer::start(&machine());
    server.clock.set(SystemClock.now());
    server
}

fn verify(server: &TestServer, arguments: &[&str], input: &str) -> Outcome {
    let arguments: Vec<_> = ["token", "verify"].iter().chain(arguments).copied().collect();
    program::run_with_input(server.site.folder(), &arguments, input)
}

fn assert_good(outcome: &Outcome) {
    assert_eq!((outcome.code, outcome.stderr.trim()), (Some(0), "The token is good."), "{}", outcome.stdout);
}

fn assert_bad(outcome: &Outcome, why: &str) {
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.starts_with("jotsmith: ") && outcome.stderr.contains(why), "{}", outcome.stderr);
    assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
}

#[tokio::test]
async fn a_good_token_is_shown_and_verified_with_a_key_set_from_an_address_a_file_or_the_configuration() {
    let server = server();
    let token = server.access_token("&scope=read").await;
    let url = server.url("/.well-known/jwks.json");
    let by_url = verify(&server, &["--jwks", &url, &token], "");
    assert_good(&by_url);
    let shown: Vec<Value> =
        serde_json::Deserializer::from_str(&by_url.stdout).into_iter().collect::<Result<_, _>>().expect("JSON");
    assert_eq!(shown, [header(&token), claims(&token)]);

    fs::write(server.site.folder().join("jwks.json"), server.get("/.well-known/jwks.json").await.body).expect("a file");
    assert_good(&verify(&server, &["--jwks", "jwks.json", &token], ""));
    assert_good(&verify(&server, &["--config", "config.toml", &token], ""));
    let (issuer, audience) = (server.issuer.as_str(), server.issuer.as_str());
    let strictly = ["--jwks", "jwks.json", "--issuer", issuer, "--audience", audience];
    // A token need not stand in the list of processes.
    assert_good(&verify(&server, &strictly, &format!("{token}\n")));
}

#[tokio::test]
async fn a_token_that_is_not_good_is_refused_with_the_reason() {
    let server = server();
    fs::write(server.site.folder().join("jwks.json"), server.get("/.well-known/jwks.json").await.body).expect("a file");
    let token = server.access_token("").await;
    let refused = |arguments: &[&str], token: &str, why: &str| {
        let arguments: Vec<_> = ["--jwks", "jwks.json"].iter().chain(arguments).copied().collect();
        assert_bad(&verify(&server, &arguments, token), why);
    };
    refused(&["--issuer", "https://elsewhere.example.com"], &token, "its `iss` is not the expected issuer");
    refused(&["--audience", "https://elsewhere.example.com"], &token, "its `aud` does not hold");

    let parts: Vec<&str> = token.split('.').collect();
    let mut altered = claims(&token);
    altered["sub"] = json!("root");
    let altered = base64url::encode(altered.to_string());
    refused(&[], &format!("{}.{altered}.{}", parts[0], parts[2]), "its signature is wrong");
    let unsigned = base64url::encode(r#"{"alg":"none","typ":"at+jwt"}"#);
    refused(&[], &format!("{unsigned}.{}.", parts[1]), "its `alg` is not allowed");
    refused(&[], &format!("{}.{}", parts[0], parts[1]), "not a signed token");
    refused(&[], MACHINE, "not a signed token");

    // Clocks may be apart by half a minute.
    server.clock.set(SystemClock.now().before(Duration::from_secs(310)));
    assert_good(&verify(&server, &["--jwks", "jwks.json"], &server.access_token("").await));
    server.clock.set(SystemClock.now().before(Duration::from_secs(340)));
    refused(&[], &server.access_token("").await, "it expired at ");
}

#[tokio::test]
async fn a_token_of_another_server_is_not_good() {
    let (server, other) = (server(), server());
    let token = other.access_token("").await;
    let url = server.url("/.well-known/jwks.json");
    assert_bad(&verify(&server, &["--jwks", &url, &token], ""), "no published key has its `kid`");
}

#[tokio::test]
async fn a_key_set_that_cannot_be_had_is_named() {
    let server = server();
    let token = server.access_token("").await;
    let nowhere = server.url("/nowhere");
    assert_bad(&verify(&server, &["--jwks", &nowhere, &token], ""), &nowhere);
    assert_bad(&verify(&server, &["--jwks", "nowhere.json", &token], ""), "cannot read nowhere.json");
    assert_bad(&verify(&server, &["--jwks", "config.toml", &token], ""), "not a JWK Set");
    let closed = format!("http://127.0.0.1:{}/jwks.json", crate::harness::free_port());
    assert_bad(&verify(&server, &["--jwks", &closed, &token], ""), &format!("cannot fetch {closed}"));
    assert_bad(&verify(&server, &["--jwks", &closed], ""), "jotsmith: ");
}
