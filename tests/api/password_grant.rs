//! Resource owner password credentials (RFC 6749 §4.3), for the clients alone that list it.

use std::time::Duration;

use jotsmith::clients::ClientSecretHash;
use serde_json::json;

use crate::harness::browser::FROM_OUR_PAGE;
use crate::harness::log::{self, Secrets};
use crate::harness::people::{
    ALICE, ALICES_SUBJECT, API, APP, BOB, BOBS_PASSWORD, PASSWORD, WEB, people, with_bob, with_client, without_people,
};
use crate::harness::requests::{Parameters, ask_of_web, refresh};
use crate::harness::{Answer, MACHINE, SECRET, START, Site, TestServer, claims, program};

/// A client that asks with a person's password and may refresh.
const LEGACY: &str = "legacy";

fn legacy(grant_types: &str) -> String {
    let secret = ClientSecretHash::of_generated(SECRET.as_bytes());
    format!(
        "[[clients]]\nclient_id = \"{LEGACY}\"\nclient_secrets = [\"{secret}\"]\ngrant_types = {grant_types}\n\
         scope = \"read write\"\ndefault_scope = \"read\"\n"
    )
}

fn config() -> String {
    people() + &legacy(r#"["password", "refresh_token"]"#)
}

fn ask(username: &str, password: &str) -> Parameters {
    Parameters::new([("grant_type", "password"), ("username", username), ("password", password)])
}

/// Tries a password at the token endpoint, from a network.
async fn from(server: &TestServer, network: &str, username: &str, password: &str) -> Answer {
    let request = server.token_request(&ask(username, password).encoded()).basic_auth(LEGACY, Some(SECRET));
    Answer::of(request.header("x-forwarded-for", network)).await
}

#[tokio::test]
async fn a_password_gives_an_access_token_of_the_person_and_a_refresh_token_that_rotates() {
    let server = TestServer::start(&config());
    let answer = server.token(LEGACY, &ask(ALICE, PASSWORD).and("scope", "read write")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.assert_is_not_stored();
    let body = answer.json();
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(300)));
    let said = claims(&answer.access_token());
    let expected = json!({ "sub": ALICES_SUBJECT, "aud": API, "client_id": LEGACY, "scope": "read write",
        "auth_time": START.as_seconds(), "iat": START.as_seconds(), "exp": START.as_seconds() + 300 });
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&said[name], value, "{name}");
    }

    let first = body["refresh_token"].as_str().expect("a refresh token").to_owned();
    server.advance(Duration::from_hours(1));
    let next = server.token(LEGACY, &refresh(&first)).await;
    let after = claims(&next.access_token());
    assert_eq!((&after["sub"], &after["auth_time"]), (&said["sub"], &said["auth_time"]));
    let second = next.json()["refresh_token"].as_str().expect("a refresh token").to_owned();
    assert_ne!(first, second);
    // Another client's attempt harms nobody; the first one again, after its window, ends the grant.
    server.token(WEB, &refresh(&second)).await.assert_error(400, "invalid_grant");
    server.token(LEGACY, &refresh(&second)).await.access_token();
    server.advance(Duration::from_mins(1));
    server.token(LEGACY, &refresh(&first)).await.assert_error(400, "invalid_grant");
    server.token(LEGACY, &refresh(&second)).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_client_that_may_not_refresh_gets_an_access_token_alone_and_nothing_is_stored() {
    let server = TestServer::start(&(people() + &legacy(r#"["password"]"#)));
    let answer = server.token(LEGACY, &ask(ALICE, PASSWORD)).await;
    let token = answer.access_token();
    assert_eq!(claims(&token)["auth_time"], START.as_seconds());
    assert_eq!(answer.json().get("refresh_token"), None);
    let at = async |path: &str| {
        let request = server.http().post(server.url(path)).basic_auth(LEGACY, Some(SECRET));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        Answer::of(request.body(format!("token={token}"))).await
    };
    assert_eq!(at("/introspect").await.json()["active"], json!(true));
    at("/revoke").await.assert_error(400, "unsupported_token_type");
    assert_eq!(at("/introspect").await.json()["active"], json!(true), "it stands on no grant and ends by itself");
}

#[tokio::test]
async fn scope_and_resource_are_those_of_every_other_request() {
    let other = "[[resources]]\nidentifier = \"https://other.example.com\"\nscope = \"write\"\n";
    let server = TestServer::start(&(config() + other));
    let asked = server.token(LEGACY, &ask(ALICE, PASSWORD)).await;
    assert_eq!(claims(&asked.access_token())["scope"], "read");
    assert_eq!(asked.json()["scope"], "read", "it was not asked for");
    let resource = ask(ALICE, PASSWORD).and("resource", "https://other.example.com").and("scope", "read write");
    let narrowed = server.token(LEGACY, &resource).await;
    let said = claims(&narrowed.access_token());
    assert_eq!((&said["aud"], &said["scope"]), (&json!("https://other.example.com"), &json!("write")));
    let token = narrowed.json()["refresh_token"].as_str().expect("a refresh token").to_owned();
    let beyond = refresh(&token).and("resource", API);
    server.token(LEGACY, &beyond).await.assert_error(400, "invalid_target");
    let beyond = refresh(&token).and("scope", "read");
    server.token(LEGACY, &beyond).await.assert_error(400, "invalid_scope");
}

#[tokio::test]
async fn a_client_that_does_not_list_it_may_not_use_it() {
    let server = TestServer::start(&(config() + "[login]\nmax_failures_per_account = 1\n"));
    for client_id in [WEB, APP] {
        for password in [PASSWORD, "wrong"] {
            server.token(client_id, &ask(ALICE, password)).await.assert_error(400, "unauthorized_client");
        }
    }
    // No password was tried: whoever may not ask cannot lock anybody out.
    server.token(LEGACY, &ask(ALICE, PASSWORD)).await.access_token();
}

#[tokio::test]
async fn a_public_client_that_lists_it_may_use_it() {
    let config = with_client(&config(), APP, r#"grant_types = ["authorization_code", "password"]"#);
    let server = TestServer::start(&config);
    assert_eq!(claims(&server.token(APP, &ask(ALICE, PASSWORD)).await.access_token())["client_id"], APP);
}

#[tokio::test]
async fn a_wrong_password_an_unknown_name_and_what_nobody_can_have_are_answered_alike() {
    let server = TestServer::start(&config());
    let long = "x".repeat(1025);
    let mut answers = Vec::new();
    for (username, password) in
        [(ALICE, "wrong"), ("nobody", PASSWORD), (ALICES_SUBJECT, PASSWORD), (ALICE, &long), (&long, PASSWORD)]
    {
        let mut answer = server.token(LEGACY, &ask(username, password)).await;
        answer.assert_error(400, "invalid_grant");
        answer.body = answer.body.replace(answer.header("x-request-id"), "");
        for own in ["x-request-id", "date"] {
            answer.headers.remove(own);
        }
        answers.push((answer.headers, answer.body));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[tokio::test]
async fn what_is_missing_repeated_or_too_long_is_an_invalid_request() {
    let server = TestServer::start(&config());
    let whole = ask(ALICE, PASSWORD);
    for form in [
        whole.clone().without("username"),
        whole.clone().without("password"),
        whole.clone().with("password", ""),
        whole.clone().and("password", PASSWORD),
        whole.clone().and("username", BOB),
        whole.with("password", &"x".repeat(8193)),
    ] {
        server.token(LEGACY, &form).await.assert_error(400, "invalid_request");
    }
}

#[tokio::test]
async fn what_is_refused_before_the_password_is_tried_counts_as_no_attempt() {
    let limit = "[login]\nmax_failures_per_account = 1\nmax_failures_per_network = 1\n";
    let server = TestServer::start(&format!("{}{limit}", with_bob(&config())));
    for (name, value, code) in [("scope", "admin", "invalid_scope"), ("resource", "urn:none", "invalid_target")] {
        let form = ask(ALICE, "wrong").and(name, value);
        server.token(LEGACY, &form).await.assert_error(400, code);
    }
    server.token(LEGACY, &ask(ALICE, PASSWORD)).await.access_token();
}

#[tokio::test]
async fn wrong_passwords_here_and_on_the_login_page_are_counted_together() {
    let limits = "[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n[login]\nmax_failures_per_account = 3\n\
                  max_failures_per_network = 5\nfailure_window = \"5m\"\n";
    let server = TestServer::start(&format!("{}{limits}", with_bob(&config())));
    let page = async |network: &str, password: &str| {
        let mut browser = server.browser();
        let form = browser.authorize(&ask_of_web()).await.form().fill("username", ALICE).fill("password", password);
        let [origin, site] = FROM_OUR_PAGE;
        browser.submit_from(&[origin, site, ("x-forwarded-for", network)], &form).await
    };
    assert_eq!(page("192.0.2.1", "wrong").await.status, 403);
    server.advance(Duration::from_secs(10));
    for network in ["192.0.2.1", "192.0.2.2"] {
        from(&server, network, ALICE, "wrong").await.assert_error(400, "invalid_grant");
    }
    // For the account from everywhere, with whatever password, and in both places.
    for password in ["wrong", PASSWORD] {
        let refused = from(&server, "192.0.2.3", ALICE, password).await;
        refused.assert_error(429, "invalid_grant");
        assert_eq!(refused.header("retry-after"), "290");
    }
    assert_eq!(page("192.0.2.3", PASSWORD).await.status, 429);
    // For the network, which had failed twice: three more, for names that nobody has.
    for username in ["one", "two", "three"] {
        from(&server, "192.0.2.1", username, "wrong").await.assert_error(400, "invalid_grant");
    }
    from(&server, "192.0.2.1", BOB, BOBS_PASSWORD).await.assert_error(429, "invalid_grant");
    from(&server, "192.0.2.2", BOB, BOBS_PASSWORD).await.access_token();
    server.advance(Duration::from_mins(5));
    from(&server, "192.0.2.1", ALICE, PASSWORD).await.access_token();
}

#[tokio::test]
async fn a_person_who_is_gone_gets_no_token_and_no_refresh() {
    let server = TestServer::start(&config());
    let answer = server.token(LEGACY, &ask(ALICE, PASSWORD)).await;
    let token = answer.json()["refresh_token"].as_str().expect("a refresh token").to_owned();
    server.reload(&without_people(&config())).await.expect("a good change");
    server.token(LEGACY, &ask(ALICE, PASSWORD)).await.assert_error(400, "invalid_grant");
    server.token(LEGACY, &refresh(&token)).await.assert_error(400, "invalid_grant");
    server.reload(&config()).await.expect("a good change");
    server.token(LEGACY, &refresh(&token)).await.access_token();
}

#[tokio::test]
async fn neither_password_nor_username_reaches_the_log() {
    let server = TestServer::start(&config());
    let mut secrets = Secrets::default();
    let (username, wrong) = (log::secret(), log::secret());
    server.token(LEGACY, &ask(&username, &wrong)).await.assert_error(400, "invalid_grant");
    server.token(LEGACY, &ask(ALICE, &wrong)).await.assert_error(400, "invalid_grant");
    server.token(LEGACY, &ask(&username, &wrong).and("scope", "admin")).await.assert_error(400, "invalid_scope");
    let right = server.token(LEGACY, &ask(ALICE, PASSWORD)).await;
    secrets.add_token(&right);
    secrets.add_all([username, wrong, PASSWORD.to_owned()]);
    secrets.add(right.json()["refresh_token"].as_str().expect("a refresh token"));
    secrets.assert_none_is_logged();
}

#[tokio::test]
async fn the_metadata_names_it_where_a_client_lists_it() {
    let path = "/.well-known/oauth-authorization-server";
    let supported =
        async |config: &str| TestServer::start(config).get(path).await.json()["grant_types_supported"].clone();
    assert_eq!(supported(&config()).await, json!(["authorization_code", "password", "refresh_token"]));
    assert_eq!(supported(&people()).await, json!(["authorization_code", "refresh_token"]));
}

#[test]
fn check_and_start_warn_of_each_client_that_lists_it() {
    let site = Site::new();
    site.write_config(&format!("{}{}", config(), legacy(r#"["password"]"#).replace(LEGACY, MACHINE)));
    let checked = program::run(site.folder(), &["check", "--config", "config.toml"]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    let warnings: Vec<_> = checked.stderr.lines().filter(|line| line.contains("RFC 9700 §2.4")).collect();
    let [first, second] = warnings[..] else { panic!("{}", checked.stderr) };
    assert!(first.starts_with("warning: ") && first.contains("config.toml:"), "{first}");
    assert!(first.contains(LEGACY) && second.contains(MACHINE), "{warnings:?}");
    for instead in ["MUST NOT be used", "authorization_code with PKCE", "client_credentials"] {
        assert!(first.contains(instead), "{first}");
    }
    let mut serving = program::Running::start(site.folder(), &["serve", "--config", "config.toml"]);
    assert!(serving.wait_for_log("RFC 9700 §2.4").contains(LEGACY));
    assert!(serving.wait_for_log("RFC 9700 §2.4").contains(MACHINE));
}
