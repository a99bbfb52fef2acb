//! The key set (RFC 7517 §5) as resource servers fetch it, and how keys come and go by the clock.

use std::collections::BTreeSet;
use std::time::Duration;

use jotsmith::foundation::base64url;
use jotsmith::foundation::digest::sha256;
use jotsmith::keys::algorithm::Algorithm;
use reqwest::header::IF_NONE_MATCH;
use serde_json::{Value, json};

use crate::harness::{Answer, START, Site, TestServer, header, machine};

const PATH: &str = "/.well-known/jwks.json";

async fn keys(server: &TestServer) -> Vec<Value> {
    server.get(PATH).await.json()["keys"].as_array().expect("a list").clone()
}

async fn kids(server: &TestServer) -> Vec<String> {
    keys(server).await.iter().map(|key| key["kid"].as_str().expect("a name").to_owned()).collect()
}

/// The members that make a key, in the order of their names (RFC 7638 §3.2).
fn thumbprint(key: &Value) -> String {
    let member = |name: &str| format!("\"{name}\":{}", key[name]);
    let names: &[&str] = match key["kty"].as_str() {
        Some("EC") => &["crv", "kty", "x", "y"],
        Some("RSA") => &["e", "kty", "n"],
        _ => &["crv", "kty", "x"],
    };
    let members: Vec<_> = names.iter().map(|name| member(name)).collect();
    base64url::encode(sha256(format!("{{{}}}", members.join(","))))
}

/// A server with one key of each algorithm.
fn with_every_algorithm() -> TestServer {
    let site = Site::new();
    let entries: String = Algorithm::ALL.map(|algorithm| site.add_key(algorithm).entry).concat();
    TestServer::start_at(site, &(machine() + &entries))
}

#[tokio::test]
async fn the_set_holds_the_public_half_of_every_key_and_nothing_else() {
    let server = with_every_algorithm();
    let answer = server.get(PATH).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/jwk-set+json");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.json().as_object().map(serde_json::Map::len), Some(1));
    let mut found = BTreeSet::new();
    for key in keys(&server).await {
        let names: Vec<&str> = key.as_object().expect("an object").keys().map(String::as_str).collect();
        let members: &[&str] = match key["alg"].as_str().expect("an algorithm") {
            "ES256" => &["alg", "crv", "kid", "kty", "use", "x", "y"],
            "RS256" => &["alg", "e", "kid", "kty", "n", "use"],
            "EdDSA" => &["alg", "crv", "kid", "kty", "use", "x"],
            other => panic!("{other}"),
        };
        assert_eq!(names.into_iter().collect::<BTreeSet<_>>(), members.iter().copied().collect());
        assert_eq!((&key["use"], &key["kid"]), (&json!("sig"), &json!(thumbprint(&key))));
        found.insert(key["alg"].to_string());
    }
    assert_eq!(found.len(), 3);
}

#[tokio::test]
async fn a_kid_that_is_configured_stands_in_the_set_and_in_tokens() {
    let site = Site::new();
    let key = site.add_key(Algorithm::Es256);
    let server = TestServer::start_at(site, &format!("{}{}kid = \"2026-11\"\n", machine(), key.entry));
    assert_eq!(kids(&server).await, ["2026-11"]);
    assert_eq!(header(&server.access_token("").await)["kid"], "2026-11");
}

#[tokio::test]
async fn the_set_may_be_kept_as_long_as_is_configured_and_asked_for_anew_at_no_cost() {
    let server = TestServer::start(&format!("{}[keys]\njwks_max_age = \"20m\"\n", machine()));
    let answer = server.get(PATH).await;
    let etag = answer.header("etag").to_owned();
    // Strong: without `W/` (RFC 9110 §8.8.3).
    assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 20, "{etag}");
    assert_eq!(answer.header("cache-control"), "public, max-age=1200");
    for matching in
        [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), format!("{etag}, \"other\""), "*".to_owned()]
    {
        let not_modified = Answer::of(server.http().get(server.url(PATH)).header(IF_NONE_MATCH, &matching)).await;
        assert_eq!((not_modified.status.as_u16(), not_modified.body.as_str()), (304, ""), "{matching}");
        for name in ["etag", "cache-control", "access-control-allow-origin"] {
            assert_eq!(not_modified.header(name), answer.header(name), "{matching}");
        }
    }
    for other in ["\"other\"".to_owned(), etag.trim_matches('"').to_owned(), etag.to_uppercase(), String::new()] {
        let full = Answer::of(server.http().get(server.url(PATH)).header(IF_NONE_MATCH, &other)).await;
        assert_eq!((full.status.as_u16(), full.body == answer.body), (200, true), "{other}");
    }
}

#[tokio::test]
async fn any_page_may_read_the_set() {
    let server = TestServer::start(&machine());
    let request = server.http().get(server.url(PATH)).header("origin", "https://spa.example.com");
    let answer = Answer::of(request).await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (200, "*"));
    assert_eq!(answer.header("access-control-allow-credentials"), "");
}

#[tokio::test]
async fn head_is_get_without_the_body_and_anything_else_is_405() {
    let server = TestServer::start(&machine());
    let get = server.get(PATH).await;
    let head = Answer::of(server.http().head(server.url(PATH))).await;
    assert_eq!((head.status.as_u16(), head.body.as_str()), (200, ""));
    for name in ["etag", "cache-control", "content-type", "content-length"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
    let post = Answer::of(server.http().post(server.url(PATH))).await;
    post.assert_error(405, "invalid_request");
    assert_eq!(post.header("allow"), "GET, HEAD");
}

#[tokio::test]
async fn a_scheduled_key_is_published_signs_and_goes_by_the_clock_alone() {
    const HOUR: Duration = Duration::from_hours(1);
    let site = Site::new();
    let (old, new) = (site.add_key(Algorithm::Es256), site.add_key(Algorithm::Es256));
    let config = format!(
        "{}{}retire_at = \"{}\"\n{}publish_at = \"{}\"\nsign_from = \"{}\"\n",
        machine(),
        old.entry,
        START + 3 * HOUR,
        new.entry,
        START + HOUR,
        START + 2 * HOUR,
    );
    let server = TestServer::start_at(site, &config);
    let mut etags = BTreeSet::new();
    let (old, new) = (old.kid.as_str(), new.kid.as_str());
    for (published, signing) in [(vec![old], old), (vec![old, new], old), (vec![old, new], new), (vec![new], new)] {
        assert_eq!(kids(&server).await, published);
        let token = server.access_token("").await;
        assert_eq!(header(&token)["kid"], signing);
        etags.insert(server.get(PATH).await.header("etag").to_owned());
        // Not a moment too early.
        server.advance(Duration::from_secs(3599));
        assert_eq!(kids(&server).await, published);
        assert_eq!(header(&server.access_token("").await)["kid"], signing);
        server.advance(Duration::from_secs(1));
    }
    assert_eq!(etags.len(), 3, "a set has a name of its own, and the same set the same name");
}
