//! Refreshing (RFC 6749 §6): rotation, the retry of a lost answer, and what ends a grant.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jotsmith::foundation::random::OsRandom;
use jotsmith::keys::sealing_files;
use serde_json::json;

use crate::harness::people::{ALICES_SUBJECT, API, APP, TRUSTED, WEB, people, with_client, without_people};
use crate::harness::requests::{Parameters, ask_of_app, ask_of_web, mangled, refresh};
use crate::harness::{Answer, START, TestServer, claims};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// The answer to a refresh that must succeed.
async fn refreshed(server: &TestServer, client_id: &str, refresh_token: &str) -> Answer {
    let answer = server.token(client_id, &refresh(refresh_token)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer
}

/// The successor of a refresh token.
async fn successor(server: &TestServer, client_id: &str, refresh_token: &str) -> String {
    refreshed(server, client_id, refresh_token).await.refresh_token()
}

async fn assert_refused(server: &TestServer, client_id: &str, refresh_token: &str) {
    let answer = server.token(client_id, &refresh(refresh_token)).await;
    answer.assert_error(400, "invalid_grant");
    // One sentence, whether it is spent, revoked, expired, forged or another client's.
    let sentence = "The refresh token is unknown, used up, too old, or not for this client.";
    assert_eq!(answer.json()["error_description"], sentence);
}

#[tokio::test]
async fn every_refresh_gives_a_new_refresh_token_and_an_access_token_of_the_same_sign_in() {
    let server = TestServer::start(&people());
    for (client_id, asked) in [(WEB, ask_of_web()), (APP, ask_of_app())] {
        let auth_time = claims(&server.tokens_for(&asked).await.access_token())["auth_time"].clone();
        let mut refresh_token = server.tokens_for(&asked).await.refresh_token();
        let mut seen = BTreeSet::from([refresh_token.clone()]);
        for _ in 0..5 {
            server.advance(Duration::from_hours(1));
            let answer = refreshed(&server, client_id, &refresh_token).await;
            answer.assert_is_not_stored();
            let body = answer.json();
            assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(300)));
            let claims = claims(&answer.access_token());
            assert_eq!((&claims["sub"], &claims["client_id"]), (&json!(ALICES_SUBJECT), &json!(client_id)));
            assert_eq!((&claims["aud"], &claims["scope"]), (&json!(API), &json!("read write")));
            assert_eq!(claims["auth_time"], auth_time, "a refresh is no sign-in");
            refresh_token = answer.refresh_token();
            assert!(seen.insert(refresh_token.clone()), "rotated");
        }
    }
}

#[tokio::test]
async fn a_lost_answer_is_given_again_as_often_as_it_is_asked_for_within_the_window() {
    let server = TestServer::start(&people());
    for (client_id, asked, window) in [(WEB, ask_of_web(), 30), (APP, ask_of_app(), 10)] {
        let first = server.tokens_for(&asked).await.refresh_token();
        let second = successor(&server, client_id, &first).await;
        for wait in [0, window - 1, 1] {
            server.advance(wait * SECOND);
            assert_eq!(successor(&server, client_id, &first).await, second, "{client_id}, {wait}");
        }
        let third = successor(&server, client_id, &second).await;
        assert_ne!(third, second);
    }
}

#[tokio::test]
async fn a_refresh_token_that_comes_again_after_the_window_ends_its_grant() {
    let server = TestServer::start(&people());
    for (client_id, asked, window) in [(WEB, ask_of_web(), 30 * SECOND), (APP, ask_of_app(), 10 * SECOND)] {
        let other_grant = server.tokens_for(&asked).await.refresh_token();
        let first = server.tokens_for(&asked).await.refresh_token();
        let second = successor(&server, client_id, &first).await;
        server.advance(window + MILLISECOND);
        assert_refused(&server, client_id, &first).await;
        assert_refused(&server, client_id, &second).await;
        assert_refused(&server, client_id, &first).await;
        successor(&server, client_id, &other_grant).await;
    }
}

#[tokio::test]
async fn using_the_successor_closes_the_window_of_what_came_before() {
    let server = TestServer::start(&people());
    let first = server.tokens_for(&ask_of_web()).await.refresh_token();
    let second = successor(&server, WEB, &first).await;
    let third = successor(&server, WEB, &second).await;
    // Two generations old, in the very same second: whoever has it is not who lost an answer.
    assert_refused(&server, WEB, &first).await;
    assert_refused(&server, WEB, &second).await;
    assert_refused(&server, WEB, &third).await;
}

#[tokio::test]
async fn a_window_is_the_clients_then_the_servers_and_zero_is_strict() {
    let strict = format!("{}\n[lifetimes]\nrefresh_retry_window = \"0s\"\n", people());
    let server = TestServer::start(&with_client(&strict, APP, "refresh_retry_window = \"2m\""));
    let first = server.tokens_for(&ask_of_web()).await.refresh_token();
    let second = successor(&server, WEB, &first).await;
    assert_refused(&server, WEB, &first).await;
    assert_refused(&server, WEB, &second).await;

    let first = server.tokens_for(&ask_of_app()).await.refresh_token();
    let second = successor(&server, APP, &first).await;
    server.advance(120 * SECOND);
    assert_eq!(successor(&server, APP, &first).await, second);
}

#[tokio::test]
async fn of_many_that_refresh_at_once_all_get_the_same_successor() {
    let server = Arc::new(TestServer::start(&format!("{}\n[server]\nworkers = 4\n", people())));
    let mut refresh_token = server.tokens_for(&ask_of_web()).await.refresh_token();
    for _ in 0..5 {
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let (server, refresh_token) = (Arc::clone(&server), refresh_token.clone());
                tokio::spawn(async move { refreshed(&server, WEB, &refresh_token).await })
            })
            .collect();
        let (mut successors, mut jtis) = (BTreeSet::new(), BTreeSet::new());
        for task in tasks {
            let answer = task.await.expect("an answer");
            successors.insert(answer.refresh_token());
            jtis.insert(claims(&answer.access_token())["jti"].to_string());
        }
        assert_eq!((successors.len(), jtis.len()), (1, 10));
        refresh_token = successors.pop_first().expect("one");
    }
}

#[tokio::test]
async fn another_clients_attempt_harms_nobody() {
    let server = TestServer::start(&people());
    let of_web = server.tokens_for(&ask_of_web()).await.refresh_token();
    let of_app = server.tokens_for(&ask_of_app()).await.refresh_token();
    let spent = of_web.clone();
    let of_web = successor(&server, WEB, &of_web).await;
    server.advance(60 * SECOND);
    for refresh_token in [&spent, &of_web] {
        assert_refused(&server, APP, refresh_token).await;
        server.token(TRUSTED, &refresh(refresh_token)).await.assert_error(400, "unauthorized_client");
    }
    assert_refused(&server, WEB, &of_app).await;
    successor(&server, WEB, &of_web).await;
    successor(&server, APP, &of_app).await;
}

#[tokio::test]
async fn a_narrower_scope_is_for_one_access_token_and_wide_again_works() {
    let server = TestServer::start(&people());
    let mut refresh_token = server.tokens_for(&ask_of_web()).await.refresh_token();
    for (asked, granted) in [("read", "read"), ("", "read write"), ("write", "write"), ("write read", "read write")] {
        let answer = server.token(WEB, &refresh(&refresh_token).with("scope", asked)).await;
        assert_eq!(claims(&answer.access_token())["scope"], granted, "{asked}");
        assert_eq!(answer.json()["scope"], granted, "{asked}");
        refresh_token = answer.refresh_token();
    }
}

#[tokio::test]
async fn what_asks_for_more_than_was_granted_or_is_malformed_changes_nothing() {
    let server = TestServer::start(&people());
    let first = server.tokens_for(&ask_of_web().with("scope", "read")).await.refresh_token();
    let form = refresh(&first);
    for (wrong, error) in [
        (form.clone().with("scope", "read write"), "invalid_scope"),
        (form.clone().with("scope", "admin"), "invalid_scope"),
        (form.clone().with("scope", "read  read"), "invalid_scope"),
        (form.clone().with("resource", "https://elsewhere.example.com"), "invalid_target"),
        (form.clone().with("resource", "api"), "invalid_target"),
        (form.clone().and("resource", API).and("resource", "https://elsewhere.example.com"), "invalid_target"),
        (form.clone().and("refresh_token", &first), "invalid_request"),
        (form.without("refresh_token"), "invalid_request"),
    ] {
        server.token(WEB, &wrong).await.assert_error(400, error);
    }
    // Had one of them rotated it, this would be a retry, and after the window the end.
    server.advance(60 * SECOND);
    let second = successor(&server, WEB, &first).await;
    let answer = server.token(WEB, &refresh(&second).with("resource", API).with("scope", "read")).await;
    assert_eq!(claims(&answer.access_token())["scope"], "read");
}

#[tokio::test]
async fn a_refresh_token_that_nobody_uses_ends_and_a_retry_does_not_prolong_it() {
    let lifetimes = "[lifetimes]\nrefresh_token_idle = \"60s\"\nrefresh_token_absolute = \"1h\"\n";
    let server = TestServer::start(&format!("{}\n{lifetimes}", people()));
    let first = server.tokens_for(&ask_of_web()).await.refresh_token();
    server.advance(Duration::from_millis(59_999));
    let second = successor(&server, WEB, &first).await;
    server.advance(30 * SECOND);
    assert_eq!(successor(&server, WEB, &first).await, second);
    server.advance(30 * SECOND);
    assert_refused(&server, WEB, &second).await;
    assert_refused(&server, WEB, &first).await;
}

#[tokio::test]
async fn a_grant_ends_however_often_it_is_refreshed_and_no_access_token_outlives_it() {
    let lifetimes = "[lifetimes]\nrefresh_token_idle = \"50m\"\nrefresh_token_absolute = \"2h\"\n";
    let server = TestServer::start(&format!("{}\n{lifetimes}", people()));
    let mut refresh_token = server.tokens_for(&ask_of_web()).await.refresh_token();
    for minutes in [49, 49, 20] {
        server.advance(Duration::from_mins(minutes));
        refresh_token = successor(&server, WEB, &refresh_token).await;
    }
    let answer = refreshed(&server, WEB, &refresh_token).await;
    assert_eq!(answer.json()["expires_in"], 120);
    assert_eq!(claims(&answer.access_token())["exp"], json!(START.as_seconds() + 7200));
    server.advance(Duration::from_mins(2));
    assert_refused(&server, WEB, &answer.refresh_token()).await;
}

#[tokio::test]
async fn a_clock_that_went_back_revokes_nothing() {
    let server = TestServer::start(&people());
    server.advance(Duration::from_hours(1));
    let first = server.tokens_for(&ask_of_web()).await.refresh_token();
    let second = successor(&server, WEB, &first).await;
    let now = START + Duration::from_hours(1);
    server.clock.set(now.before(Duration::from_mins(5)));
    assert_refused(&server, WEB, &first).await;
    server.clock.set(now);
    assert_eq!(successor(&server, WEB, &first).await, second);
}

#[tokio::test]
async fn a_retry_gives_the_same_bytes_when_a_new_sealing_key_has_taken_over() {
    let server = TestServer::start(&people());
    sealing_files::generate(&server.site.folder().join("keys/next.seal"), &OsRandom).expect("a key");
    let change = START + 100 * SECOND;
    let entry = format!("\n[[keys.sealing]]\nfile = \"next.seal\"\nsign_from = \"{change}\"\n");
    server.reload(&(people() + &entry)).await.expect("a good change");
    let first = server.tokens_for(&ask_of_web()).await.refresh_token();
    server.advance(95 * SECOND);
    let second = successor(&server, WEB, &first).await;
    server.advance(10 * SECOND);
    assert_eq!(successor(&server, WEB, &first).await, second);
    // What is new is the new key's: version and key id are the first bytes after the prefix.
    let third = successor(&server, WEB, &second).await;
    let key_of = |token: &str| token[..10].to_owned();
    assert_eq!(key_of(&first), key_of(&second));
    assert_ne!(key_of(&second), key_of(&third));
    successor(&server, WEB, &third).await;
}

#[tokio::test]
async fn a_person_who_is_gone_is_refreshed_no_more_and_goes_on_when_they_are_back() {
    let server = TestServer::start(&people());
    let first = server.tokens_for(&ask_of_web()).await.refresh_token();
    server.reload(&without_people(&people())).await.expect("a good change");
    server.token(WEB, &refresh(&first)).await.assert_error(400, "invalid_grant");
    server.advance(60 * SECOND);
    server.reload(&people()).await.expect("a good change");
    successor(&server, WEB, &first).await;
}

#[tokio::test]
async fn what_client_or_resource_has_lost_meanwhile_is_not_given_and_comes_back_with_it() {
    let server = TestServer::start(&people());
    let scope_after = async |config: &str, refresh_token: &str| {
        server.reload(config).await.expect("a good change");
        let answer = refreshed(&server, WEB, refresh_token).await;
        (claims(&answer.access_token())["scope"].clone(), answer.refresh_token())
    };
    let first = server.tokens_for(&ask_of_web()).await.refresh_token();
    let client = with_client(&people(), WEB, "scope = \"read other\"");
    let (scope, second) = scope_after(&client, &first).await;
    assert_eq!(scope, "read");
    let resource = people().replacen("scope = \"read write\"", "scope = \"write\"", 1);
    let (scope, third) = scope_after(&resource, &second).await;
    assert_eq!(scope, "write");

    let nothing_left = with_client(&people(), WEB, "scope = \"other\"");
    server.reload(&with_client(&nothing_left, WEB, &format!("resources = [\"{API}\"]"))).await.expect("a good change");
    server.token(WEB, &refresh(&third)).await.assert_error(400, "invalid_grant");
    let no_refresh = with_client(&people(), WEB, "grant_types = [\"authorization_code\"]");
    server.reload(&no_refresh).await.expect("a good change");
    server.token(WEB, &refresh(&third)).await.assert_error(400, "unauthorized_client");

    server.advance(60 * SECOND);
    let (scope, _) = scope_after(&people(), &third).await;
    assert_eq!(scope, "read write");
}

#[tokio::test]
async fn a_forged_or_mangled_refresh_token_is_refused_and_harms_nobody() {
    let server = TestServer::start(&people());
    let first = server.tokens_for(&ask_of_web()).await.refresh_token();
    let mut forged = mangled(&first);
    forged.extend([
        first[4..].to_owned(),
        first[..first.len() - 1].to_owned(),
        format!("{first}="),
        format!("{first}A"),
        first.to_ascii_lowercase(),
        "jsr_".to_owned(),
        "x".repeat(8192),
    ]);
    let elsewhere = TestServer::start(&people());
    forged.push(elsewhere.tokens_for(&ask_of_web()).await.refresh_token());
    for forged in &forged {
        assert_refused(&server, WEB, forged).await;
    }
    server.advance(60 * SECOND);
    successor(&server, WEB, &first).await;
}

#[tokio::test]
async fn who_refreshes_must_be_who_they_say() {
    let server = TestServer::start(&people());
    let first = server.tokens_for(&ask_of_web()).await.refresh_token();
    let form = refresh(&first);
    server.post_token(&form.encoded()).await.assert_error(401, "invalid_client");
    server.post_token(&form.clone().and("client_id", WEB).encoded()).await.assert_error(401, "invalid_client");
    let wrong = Parameters::new([("client_id", WEB), ("client_secret", "wrong")]);
    let wrong = format!("{}&{}", form.encoded(), wrong.encoded());
    server.post_token(&wrong).await.assert_error(401, "invalid_client");
    server.advance(60 * SECOND);
    successor(&server, WEB, &first).await;
}
