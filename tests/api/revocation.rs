//! Revocation (RFC 7009): a client gives up a token, and everything that stands on the same grant is dead.

use std::time::Duration;

use crate::harness::people::{API_SERVER, APP, TRUSTED, WEB, people, with_api_server};
use crate::harness::requests::{Parameters, ask_of_app, ask_of_trusted, ask_of_web, mangled, refresh};
use crate::harness::{Answer, SECRET, TestServer};

/// Whatever became of the token.
fn assert_done(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, ""));
    answer.assert_is_not_stored();
}

async fn give_up(server: &TestServer, client_id: &str, token: &str) {
    assert_done(&server.revoke(client_id, token).await);
}

/// An access token and a refresh token of one grant.
async fn tokens(server: &TestServer, asked: &Parameters) -> (String, String) {
    let answer = server.tokens_for(asked).await;
    (answer.access_token(), answer.refresh_token())
}

/// Whether a grant still gives tokens.
async fn refreshes(server: &TestServer, client_id: &str, refresh_token: &str) -> bool {
    let answer = server.token(client_id, &refresh(refresh_token)).await;
    if answer.status != 200 {
        answer.assert_error(400, "invalid_grant");
    }
    answer.status == 200
}

#[tokio::test]
async fn a_refresh_token_of_any_generation_ends_its_grant_with_every_token_of_it() {
    let server = TestServer::start(&with_api_server(&people()));
    for (client_id, asked) in [(WEB, ask_of_web()), (APP, ask_of_app())] {
        for generation in 0..3 {
            let (access_token, first) = tokens(&server, &asked).await;
            let (_, other) = tokens(&server, &asked).await;
            let mut refresh_tokens = vec![first];
            for _ in 0..2 {
                server.advance(Duration::from_secs(1));
                let last = refresh_tokens.last().expect("one at least");
                refresh_tokens.push(server.token(client_id, &refresh(last)).await.refresh_token());
            }
            assert!(server.is_active(API_SERVER, &access_token).await);
            give_up(&server, client_id, &refresh_tokens[generation]).await;
            assert!(!server.is_active(API_SERVER, &access_token).await);
            for refresh_token in &refresh_tokens {
                assert!(!refreshes(&server, client_id, refresh_token).await);
            }
            assert!(refreshes(&server, client_id, &other).await, "another grant of the same person and client");
        }
    }
}

#[tokio::test]
async fn an_access_token_ends_the_grant_that_it_stands_on() {
    let server = TestServer::start(&with_api_server(&people()));
    for (client_id, asked) in [(WEB, ask_of_web()), (APP, ask_of_app())] {
        let (access_token, refresh_token) = tokens(&server, &asked).await;
        give_up(&server, client_id, &access_token).await;
        assert!(!server.is_active(API_SERVER, &access_token).await);
        assert!(!refreshes(&server, client_id, &refresh_token).await);
    }
    // A client that may not refresh has a grant too.
    let access_token = server.tokens_for(&ask_of_trusted()).await.access_token();
    assert!(server.is_active(API_SERVER, &access_token).await);
    give_up(&server, TRUSTED, &access_token).await;
    assert!(!server.is_active(API_SERVER, &access_token).await);
}

#[tokio::test]
async fn an_access_token_that_no_grant_stands_behind_is_of_a_type_that_cannot_be_revoked() {
    let server = TestServer::start(&with_api_server(&people()));
    let asked = Parameters::new([("grant_type", "client_credentials")]);
    let token = server.token(API_SERVER, &asked).await.access_token();
    server.revoke(API_SERVER, &token).await.assert_error(400, "unsupported_token_type");
    assert!(server.is_active(API_SERVER, &token).await);
    // Whose it is comes first.
    server.revoke(WEB, &token).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn to_give_up_twice_is_as_good_as_once() {
    let server = TestServer::start(&people());
    let (access_token, refresh_token) = tokens(&server, &ask_of_web()).await;
    for token in [&refresh_token, &refresh_token, &access_token, &access_token] {
        give_up(&server, WEB, token).await;
    }
    assert!(!refreshes(&server, WEB, &refresh_token).await);
}

#[tokio::test]
async fn what_is_no_token_is_no_error_and_harms_nobody() {
    let server = TestServer::start(&with_api_server(&people()));
    let elsewhere = TestServer::start(&people());
    let (access_token, refresh_token) = tokens(&server, &ask_of_web()).await;
    let (foreign_access, foreign_refresh) = tokens(&elsewhere, &ask_of_web()).await;
    let code = server.code_for(&ask_of_web()).await;
    let (head, signature) = access_token.rsplit_once('.').expect("a JWT");
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
    let unsigned = format!("{head}.");
    let mut texts = vec!["x".to_owned(), ".".to_owned(), "..".to_owned(), "jsr_".to_owned(), "é€".to_owned()];
    texts.extend([foreign_access, foreign_refresh, code.clone(), forged, unsigned, "x".repeat(8 * 1024)]);
    texts.extend(mangled(&refresh_token));
    for text in &texts {
        give_up(&server, WEB, text).await;
    }
    assert!(server.is_active(API_SERVER, &access_token).await);
    assert!(refreshes(&server, WEB, &refresh_token).await);
    let redeemed = crate::harness::requests::redemption(&ask_of_web(), &code);
    server.token(WEB, &redeemed).await.access_token();
}

#[tokio::test]
async fn an_access_token_that_has_expired_is_no_token_any_more() {
    let server = TestServer::start(&people());
    let (access_token, refresh_token) = tokens(&server, &ask_of_web()).await;
    server.advance(Duration::from_mins(5));
    give_up(&server, WEB, &access_token).await;
    assert!(refreshes(&server, WEB, &refresh_token).await);
}

#[tokio::test]
async fn a_refresh_token_that_has_expired_still_ends_the_access_tokens_of_its_grant() {
    let config = with_api_server(&people()) + "[lifetimes]\nrefresh_token_idle = \"1m\"\n";
    let server = TestServer::start(&config);
    let (access_token, refresh_token) = tokens(&server, &ask_of_web()).await;
    server.advance(Duration::from_mins(2));
    assert!(!refreshes(&server, WEB, &refresh_token).await);
    assert!(server.is_active(API_SERVER, &access_token).await, "an access token ends at its own time");
    give_up(&server, WEB, &refresh_token).await;
    assert!(!server.is_active(API_SERVER, &access_token).await);
}

#[tokio::test]
async fn another_clients_token_is_refused_and_nobody_is_harmed() {
    let server = TestServer::start(&with_api_server(&people()));
    let (access_token, refresh_token) = tokens(&server, &ask_of_web()).await;
    // The resource server may ask about the token, and not end it.
    for thief in [APP, TRUSTED, API_SERVER] {
        for token in [&access_token, &refresh_token] {
            server.revoke(thief, token).await.assert_error(400, "invalid_grant");
        }
    }
    assert!(server.is_active(API_SERVER, &access_token).await);
    assert!(refreshes(&server, WEB, &refresh_token).await);
}

#[tokio::test]
async fn a_hint_about_the_type_makes_no_difference() {
    let server = TestServer::start(&people());
    for hint in ["refresh_token", "access_token", "urn:example:pass", ""] {
        for is_refresh in [true, false] {
            let (access_token, refresh_token) = tokens(&server, &ask_of_web()).await;
            let token = if is_refresh { &refresh_token } else { &access_token };
            let form = Parameters::new([("token", token), ("token_type_hint", hint)]);
            assert_done(&Answer::of(server.post_as(WEB, "/revoke", &form)).await);
            assert!(!refreshes(&server, WEB, &refresh_token).await, "{hint}");
        }
    }
}

#[tokio::test]
async fn a_client_proves_who_it_is_as_at_the_token_endpoint() {
    let server = TestServer::start(&people());
    let (_, of_web) = tokens(&server, &ask_of_web()).await;
    let (_, of_app) = tokens(&server, &ask_of_app()).await;
    for form in [
        format!("token={of_web}"),
        format!("token={of_web}&client_id={WEB}"),
        format!("token={of_web}&client_id={WEB}&client_secret=wrong"),
        format!("token={of_web}&client_id=nobody&client_secret={SECRET}"),
        format!("token={of_app}"),
        format!("token={of_app}&client_id={APP}&client_secret=anything"),
    ] {
        Answer::of(server.post("/revoke", &form)).await.assert_error(401, "invalid_client");
    }
    let both = server.post("/revoke", &format!("token={of_web}&client_id={WEB}&client_secret={SECRET}"));
    Answer::of(both.basic_auth(WEB, Some(SECRET))).await.assert_error(400, "invalid_request");
    assert_done(&Answer::of(server.post("/revoke", &format!("token={of_app}&client_id={APP}"))).await);
    let in_body = format!("token={of_web}&client_id={WEB}&client_secret={SECRET}");
    assert_done(&Answer::of(server.post("/revoke", &in_body)).await);
    assert!(!refreshes(&server, WEB, &of_web).await);
    assert!(!refreshes(&server, APP, &of_app).await);
}

#[tokio::test]
async fn what_was_given_up_stays_so_after_a_restart() {
    let mut server = TestServer::start(&with_api_server(&people()));
    let (access_token, refresh_token) = tokens(&server, &ask_of_web()).await;
    give_up(&server, WEB, &refresh_token).await;
    server.restart(|_| ());
    assert!(!server.is_active(API_SERVER, &access_token).await);
    assert!(!refreshes(&server, WEB, &refresh_token).await);
}

#[tokio::test]
async fn what_was_not_made_by_us_touches_no_store() {
    let server = TestServer::start(&with_api_server(&people()));
    let (access_token, refresh_token) = tokens(&server, &ask_of_web()).await;
    let code = server.code_for(&ask_of_web()).await;
    let without_grant = server.token(API_SERVER, &Parameters::new([("grant_type", "client_credentials")])).await;
    server.lose_store().await;
    let mut forged = mangled(&refresh_token);
    forged.extend(["x".to_owned(), code, format!("{access_token}A"), access_token.replace('.', "..")]);
    for token in &forged {
        give_up(&server, WEB, token).await;
        assert!(!server.is_active(WEB, token).await);
    }
    for token in [&access_token, &refresh_token] {
        for answer in [server.revoke(WEB, token).await, server.introspect(WEB, token).await] {
            answer.assert_error(503, "temporarily_unavailable");
            assert_eq!(answer.header("retry-after"), "1");
        }
    }
    // What is not for the client that asks, and what stands on no grant, needs no store either.
    assert!(!server.is_active(TRUSTED, &access_token).await);
    server.revoke(TRUSTED, &access_token).await.assert_error(400, "invalid_grant");
    assert!(server.is_active(API_SERVER, &without_grant.access_token()).await);
    assert_eq!(server.token(API_SERVER, &Parameters::new([("grant_type", "client_credentials")])).await.status, 200);
}
