//! Client credentials (RFC 6749 §4.4) and the access token that comes of them (RFC 9068).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jotsmith::keys::algorithm::Algorithm;
use serde_json::{Value, json};

use crate::harness::{CLIENT_CREDENTIALS, MACHINE, START, Site, TestServer, claims, header, machine};

#[tokio::test]
async fn a_token_says_who_may_do_what_where_and_until_when() {
    let server = TestServer::start(&machine());
    let answer = server.machine_token("grant_type=client_credentials&scope=read").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.assert_is_not_stored();
    assert_eq!(answer.header("content-type"), "application/json");
    let body = answer.json();
    // RFC 6749 §5.1: the scope is left out where it is what was asked for, and §4.4.3: no refresh token.
    let names: BTreeSet<_> = body.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(["access_token", "expires_in", "token_type"]));
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(300)));

    let token = answer.access_token();
    assert_eq!((&header(&token)["typ"], &header(&token)["alg"]), (&json!("at+jwt"), &json!("ES256")));
    let claims = claims(&token);
    let now = START.as_seconds();
    let jti = claims["jti"].as_str().expect("an identifier");
    assert_eq!(jti.len(), 32, "24 random bytes in base64url");
    let expected = json!({
        "iss": server.issuer, "sub": MACHINE, "aud": server.issuer, "client_id": MACHINE,
        "exp": now + 300, "iat": now, "jti": jti, "scope": "read",
    });
    assert_eq!(claims, expected);
}

#[tokio::test]
async fn no_two_tokens_have_the_same_jti() {
    let server = TestServer::start(&machine());
    let one = claims(&server.access_token("").await)["jti"].clone();
    assert_ne!(one, claims(&server.access_token("").await)["jti"]);
}

#[tokio::test]
async fn requests_that_wait_for_one_thread_at_once_each_get_their_own_answer() {
    let server = Arc::new(TestServer::start(&machine()));
    let asked = (0..64).map(|number| {
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let scope = ["read", "write", "delete"][number % 3];
            (scope, server.machine_token(&format!("{CLIENT_CREDENTIALS}&scope={scope}")).await)
        })
    });
    let mut names = BTreeSet::new();
    for answered in asked.collect::<Vec<_>>() {
        let (scope, answer) = answered.await.expect("no panic");
        if scope == "delete" {
            assert_eq!(answer.json()["error"], "invalid_scope");
        } else {
            assert_eq!(claims(&answer.access_token())["scope"], scope);
        }
        names.insert(answer.header("x-request-id").to_owned());
    }
    assert_eq!(names.len(), 64);
}

#[tokio::test]
async fn a_token_starts_when_it_is_asked_for() {
    let server = TestServer::start(&machine());
    server.advance(Duration::from_hours(1));
    let now = START.as_seconds() + 3600;
    let claims = claims(&server.access_token("").await);
    assert_eq!((&claims["iat"], &claims["exp"]), (&json!(now), &json!(now + 300)));
}

/// The scope that the answer names, and the one in the token.
async fn scopes(server: &TestServer, form: &str) -> (Value, Value) {
    let answer = server.machine_token(&format!("{CLIENT_CREDENTIALS}{form}")).await;
    let in_token = claims(&answer.access_token())["scope"].clone();
    (answer.json()["scope"].clone(), in_token)
}

#[tokio::test]
async fn the_answer_names_the_scope_exactly_when_it_is_not_what_was_asked_for() {
    let config = machine()
        + r#"
        default_scope = "read"
        [[resources]]
        identifier = "https://write.example.com"
        scope = "write delete"
        "#;
    let server = TestServer::start(&config);
    for (form, named, granted) in [
        ("", json!("read"), "read"),
        ("&scope=", json!("read"), "read"),
        ("&scope=write", Value::Null, "write"),
        // A set: neither order nor repetition means anything.
        ("&scope=write+read+write", Value::Null, "read write"),
        ("&scope=read+write&resource=https://write.example.com", json!("write"), "write"),
        ("&scope=write&resource=https://write.example.com", Value::Null, "write"),
    ] {
        assert_eq!(scopes(&server, form).await, (named, json!(granted)), "{form}");
    }
}

#[tokio::test]
async fn a_client_without_a_default_scope_gets_all_of_its_scope_and_is_told() {
    let server = TestServer::start(&machine());
    assert_eq!(scopes(&server, "").await, (json!("read write"), json!("read write")));
}

#[tokio::test]
async fn a_client_without_any_scope_gets_a_token_without_one() {
    let config = machine().replace(r#"scope = "read write""#, "");
    assert_eq!(scopes(&TestServer::start(&config), "").await, (Value::Null, Value::Null));
}

#[tokio::test]
async fn a_scope_that_cannot_be_had_is_refused_whole() {
    let config = machine()
        + r#"
        [[resources]]
        identifier = "https://write.example.com"
        scope = "write"
        "#;
    let server = TestServer::start(&config);
    for form in [
        "&scope=admin",
        "&scope=read+admin",
        "&scope=Read",
        "&scope=read++write",
        "&scope=read%09write",
        "&scope=%22read%22",
        "&scope=lesen-%C3%A4",
        // The resource understands nothing of it.
        "&scope=read&resource=https://write.example.com",
    ] {
        let answer = server.machine_token(&format!("{CLIENT_CREDENTIALS}{form}")).await;
        answer.assert_error(400, "invalid_scope");
    }
}

#[tokio::test]
async fn what_client_or_resource_sets_is_the_lifetime_and_the_shorter_one_of_both() {
    let resource = |lifetime: &str| format!("[[resources]]\nidentifier = \"https://api.example.com\"\n{lifetime}\n");
    for (client, resource, seconds) in [
        ("", resource(""), 300),
        ("access_token_lifetime = \"1h\"", resource(""), 3600),
        ("", resource("access_token_lifetime = \"1h\""), 3600),
        ("access_token_lifetime = \"1h\"", resource("access_token_lifetime = \"90s\""), 90),
        ("access_token_lifetime = \"90s\"", resource("access_token_lifetime = \"1h\""), 90),
    ] {
        let client = format!("{client}\nresources = [\"https://api.example.com\"]\n");
        let server = TestServer::start(&format!("{}{client}{resource}", machine()));
        let form = format!("{CLIENT_CREDENTIALS}&resource=https://api.example.com");
        let answer = server.machine_token(&form).await;
        assert_eq!(answer.json()["expires_in"], json!(seconds), "{client}{resource}");
        assert_eq!(claims(&answer.access_token())["exp"], json!(START.as_seconds() + seconds));
    }
}

#[tokio::test]
async fn each_resource_has_its_tokens_signed_with_its_own_algorithm() {
    let site = Site::new();
    let keys = Algorithm::ALL.map(|algorithm| (algorithm, site.add_key(algorithm)));
    let entries = keys.iter().map(|(algorithm, key)| {
        let resource = format!("identifier = \"https://{algorithm}.example.com\"\nalgorithm = \"{algorithm}\"\n");
        format!("[[resources]]\n{resource}scope = \"read\"\n{}", key.entry)
    });
    let config = machine() + &entries.collect::<String>();
    let server = TestServer::start_at(site, &config);
    for (algorithm, key) in keys {
        let token = server.access_token(&format!("&resource=https://{algorithm}.example.com")).await;
        assert_eq!(header(&token), json!({ "typ": "at+jwt", "alg": algorithm, "kid": key.kid }));
    }
    // Where no resource is named, the default algorithm signs; a request has no say in it.
    assert_eq!(header(&server.access_token("&alg=RS256").await)["alg"], "ES256");
}

#[tokio::test]
async fn claims_of_the_client_stand_in_its_tokens() {
    let config = machine() + r#"claims = { tenant = "acme", tiers = [1, 2], "https://example.com/role" = "ops" }"#;
    let claims = claims(&TestServer::start(&config).access_token("").await);
    assert_eq!((&claims["tenant"], &claims["tiers"]), (&json!("acme"), &json!([1, 2])));
    assert_eq!(claims["https://example.com/role"], "ops");
    assert_eq!(claims["sub"], MACHINE);
}
