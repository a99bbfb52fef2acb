//! Which resource a token is for: `resource` (RFC 8707) and `aud` (RFC 9068 §3).

use serde_json::json;

use crate::harness::{CLIENT_CREDENTIALS, TestServer, claims, machine};

const RESOURCES: &str = r#"
    [[resources]]
    identifier = "https://api.example.com"
    scope = "read write"

    [[resources]]
    identifier = "https://other.example.com/v1/"
    scope = "read"

    [[resources]]
    identifier = "https://admin.example.com"
    scope = "admin"
"#;

async fn refused(server: &TestServer, form: &str) {
    server.machine_token(&format!("{CLIENT_CREDENTIALS}{form}")).await.assert_error(400, "invalid_target");
}

#[tokio::test]
async fn a_known_resource_becomes_the_audience_as_it_is_registered() {
    let server = TestServer::start(&(machine() + RESOURCES));
    for (asked, aud) in [
        ("https://api.example.com", "https://api.example.com"),
        // Clients add a slash to a bare host, and percent-encode what needs no encoding.
        ("https://api.example.com/", "https://api.example.com"),
        ("https%3A%2F%2Fapi.example.com", "https://api.example.com"),
        ("https://other.example.com/v1/", "https://other.example.com/v1/"),
    ] {
        let token = server.access_token(&format!("&resource={asked}")).await;
        assert_eq!(claims(&token)["aud"], json!(aud), "{asked}");
    }
}

#[tokio::test]
async fn an_unknown_or_malformed_resource_is_refused() {
    let server = TestServer::start(&(machine() + RESOURCES));
    for resource in [
        "https://unknown.example.com",
        "http://api.example.com",
        "https://other.example.com/v1",
        "https://other.example.com/v1/x",
        "/api",
        "api.example.com",
        "https://api.example.com%23fragment",
        "https://api.example.com%20",
    ] {
        refused(&server, &format!("&resource={resource}")).await;
    }
}

#[tokio::test]
async fn one_token_is_for_one_resource() {
    let server = TestServer::start(&(machine() + RESOURCES));
    refused(&server, "&resource=https://api.example.com&resource=https://other.example.com/v1/").await;
    // An empty one is an absent one.
    let token = server.access_token("&resource=https://api.example.com&resource=").await;
    assert_eq!(claims(&token)["aud"], "https://api.example.com");
}

#[tokio::test]
async fn a_resource_whose_scope_the_client_has_nothing_of_is_not_for_it() {
    let server = TestServer::start(&(machine() + RESOURCES));
    refused(&server, "&resource=https://admin.example.com").await;
}

#[tokio::test]
async fn a_client_with_a_list_of_resources_gets_tokens_for_those_alone() {
    let config = machine() + "resources = [\"https://api.example.com\"]\n" + RESOURCES;
    let server = TestServer::start(&config);
    let token = server.access_token("&resource=https://api.example.com/").await;
    assert_eq!(claims(&token)["aud"], "https://api.example.com");
    refused(&server, "&resource=https://other.example.com/v1/").await;
    refused(&server, &format!("&resource={}", server.issuer)).await;
    // Nor by leaving the parameter out: the default resource, here the issuer, is not on the list (RFC 8707 §2).
    refused(&server, "").await;

    let server = TestServer::start(&format!("default_resource = \"https://api.example.com/\"\n{config}"));
    assert_eq!(claims(&server.access_token("").await)["aud"], "https://api.example.com");
}

#[tokio::test]
async fn without_a_resource_the_token_is_for_the_default_one() {
    let server = TestServer::start(&(machine() + RESOURCES));
    assert_eq!(claims(&server.access_token("").await)["aud"], json!(server.issuer));

    let config = format!("default_resource = \"https://api.example.com/\"\n{}{RESOURCES}", machine());
    let server = TestServer::start(&config);
    assert_eq!(claims(&server.access_token("").await)["aud"], "https://api.example.com");
}
