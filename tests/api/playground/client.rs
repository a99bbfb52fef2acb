//! The client of the playground may do what its page needs, and no more.

use reqwest::header::ORIGIN;
use serde_json::json;

use super::{Demo, Tokens};
use crate::harness::browser::Browser;
use crate::harness::{Answer, claims, header};

#[tokio::test]
async fn the_page_signs_in_refreshes_and_revokes_and_may_read_every_answer() {
    let demo = Demo::start(&[]).await;
    let tokens = demo.tokens("alice", "read write").await;
    let told = claims(&tokens.access_token);
    assert_eq!((&told["iss"], &told["aud"]), (&demo.config["issuer"], &demo.config["resource"]));
    assert_eq!((&told["client_id"], &told["scope"]), (&demo.config["client_id"], &json!("read write")));
    assert_eq!(told["sub"], demo.config["people"][0]["subject"]);

    let answer = demo.refresh(&tokens.refresh_token).await;
    assert_eq!(answer.header("access-control-allow-origin"), demo.origin);
    let second = Tokens::of(&answer).refresh_token;
    assert_ne!(second, tokens.refresh_token);
    let retried = Tokens::of(&demo.refresh(&tokens.refresh_token).await).refresh_token;
    assert_eq!(retried, second, "inside the window the same answer comes again");

    // The successor is used, which closes the window: the old token is a sign of theft from now on.
    let third = Tokens::of(&demo.refresh(&second).await).refresh_token;
    for token in [&tokens.refresh_token, &third] {
        let answer = demo.refresh(token).await;
        answer.assert_error(400, "invalid_grant");
        assert_eq!(answer.header("access-control-allow-origin"), demo.origin, "the page shows why");
    }

    let tokens = demo.tokens("bob", "read").await;
    assert_eq!(claims(&tokens.access_token)["sub"], demo.config["people"][1]["subject"]);
    let answer = demo.post("/revoke", &[("token", &tokens.refresh_token), ("client_id", demo.told("client_id"))]).await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (200, &*demo.origin));
    demo.refresh(&tokens.refresh_token).await.assert_error(400, "invalid_grant");
}

#[tokio::test]
async fn no_other_page_may_read_what_this_client_gets() {
    let demo = Demo::start(&[]).await;
    let path = format!("{}/token", demo.told("issuer"));
    for origin in ["https://evil.example", "http://127.0.0.1:1", "null"] {
        let form = [("grant_type", "refresh_token"), ("client_id", demo.told("client_id")), ("refresh_token", "x")];
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = demo.http.post(&path).header(ORIGIN, origin).body(body);
        let answer = Answer::of(request.header("content-type", "application/x-www-form-urlencoded")).await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
    }
}

#[tokio::test]
async fn a_code_goes_to_the_pages_own_port_alone() {
    let demo = Demo::start(&[]).await;
    let mut browser = Browser::new(&demo.http, demo.told("issuer"));
    let own = demo.told("redirect_uri").to_owned();
    for redirect_uri in [
        own.replace("/signed-in", "/callback"),
        own.replace("/signed-in", "/"),
        own.replace("127.0.0.1", "localhost"),
        "http://127.0.0.1:1/signed-in".to_owned(),
        "http://127.0.0.1/signed-in".to_owned(),
    ] {
        let answer = browser.get(&demo.asks(&redirect_uri, "read")).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (400, ""), "{redirect_uri}");
    }
    let without_challenge = demo.asks(&own, "read").replace("code_challenge", "x");
    let answer = browser.get(&without_challenge).await;
    assert!(answer.header("location").contains("error=invalid_request"), "{}", answer.header("location"));
    let answer = browser.get(&demo.asks(&own, "read jotsmith%3Aadmin")).await;
    assert!(answer.header("location").contains("error=invalid_scope"), "{}", answer.header("location"));
    let form = [("grant_type", "client_credentials"), ("client_id", demo.told("client_id"))];
    demo.post("/token", &form).await.assert_error(400, "unauthorized_client");
}

#[tokio::test]
async fn another_algorithm_signs_where_it_is_asked_for() {
    for (algorithm, kty) in [("ES256", "EC"), ("EdDSA", "OKP"), ("RS256", "RSA")] {
        let demo = Demo::start(&["--algorithm", algorithm]).await;
        let token = demo.tokens("alice", "read").await.access_token;
        assert_eq!(header(&token)["alg"], json!(algorithm));
        let keys = Answer::of(demo.http.get(format!("{}/.well-known/jwks.json", demo.told("issuer")))).await.json();
        assert_eq!(keys["keys"][0]["kty"], json!(kty));
        assert_eq!(Answer::of(demo.get("/api/notes").bearer_auth(&token)).await.status.as_u16(), 200, "{algorithm}");
    }
}
