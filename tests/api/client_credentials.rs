//! Client credentials (RFC 6749 §4.4) and the access token that comes of them (RFC 9068).

use std::time::Duration;

use serde_json::json;

use crate::harness::{MACHINE, START, TestServer, claims, header, machine};

#[tokio::test]
async fn a_token_says_who_may_do_what_where_and_until_when() {
    let server = TestServer::start(&machine());
    let answer = server.machine_token("grant_type=client_credentials&scope=read").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("pragma"), "no-cache");
    assert_eq!(answer.header("content-type"), "application/json");
    let body = answer.json();
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(300)));
    // RFC 6749 §5.1: the scope is left out where it is what was asked for, and §4.4.3: no refresh token.
    assert_eq!((body.get("scope"), body.get("refresh_token")), (None, None));

    let token = body["access_token"].as_str().expect("a token");
    assert_eq!((&header(token)["typ"], &header(token)["alg"]), (&json!("at+jwt"), &json!("ES256")));
    let claims = claims(token);
    let now = START.as_seconds();
    assert_eq!(claims["iss"], server.issuer);
    assert_eq!(claims["aud"], server.issuer);
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!(MACHINE), &json!(MACHINE)));
    assert_eq!((&claims["iat"], &claims["exp"]), (&json!(now), &json!(now + 300)));
    assert_eq!(claims["scope"], "read");
    assert!(claims["jti"].as_str().is_some_and(|jti| jti.len() == 32), "{claims}");
}

#[tokio::test]
async fn no_two_tokens_have_the_same_jti() {
    let server = TestServer::start(&machine());
    let one = claims(&server.access_token("").await)["jti"].clone();
    server.advance(Duration::from_secs(1));
    assert_ne!(one, claims(&server.access_token("").await)["jti"]);
}
