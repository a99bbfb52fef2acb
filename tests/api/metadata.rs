//! The metadata document (RFC 8414): exactly what is there, and where.

use serde_json::json;

use crate::harness::people::{people, with_page};
use crate::harness::{Answer, CLIENT_CREDENTIALS, MACHINE, SECRET, TestServer, claims, machine, public_client};

const PATH: &str = "/.well-known/oauth-authorization-server";

#[tokio::test]
async fn the_document_describes_exactly_what_is_there() {
    let server = TestServer::start(&machine());
    let answer = server.get(PATH).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert!(answer.header("cache-control").starts_with("public, max-age="));
    let expected = json!({
        "issuer": server.issuer,
        "token_endpoint": format!("{}/token", server.issuer),
        "jwks_uri": format!("{}/.well-known/jwks.json", server.issuer),
        "scopes_supported": ["read", "write"],
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "revocation_endpoint": format!("{}/revoke", server.issuer),
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "introspection_endpoint": format!("{}/introspect", server.issuer),
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    });
    assert_eq!(answer.json(), expected);
}

#[tokio::test]
async fn a_client_that_sends_people_makes_an_authorization_endpoint() {
    let server = TestServer::start(&(machine() + &public_client("app")));
    let expected = json!({
        "issuer": server.issuer,
        "authorization_endpoint": format!("{}/authorize", server.issuer),
        "token_endpoint": format!("{}/token", server.issuer),
        "jwks_uri": format!("{}/.well-known/jwks.json", server.issuer),
        "scopes_supported": ["read", "write"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "ui_locales_supported": ["en", "zh-Hans"],
        "revocation_endpoint": format!("{}/revoke", server.issuer),
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "introspection_endpoint": format!("{}/introspect", server.issuer),
        // Not for a public client.
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    });
    assert_eq!(server.get(PATH).await.json(), expected);
}

#[tokio::test]
async fn implicit_is_named_where_a_client_has_it_and_what_it_has_not_is_not() {
    let document = TestServer::start(&with_page(&people())).get(PATH).await.json();
    assert_eq!(document["response_types_supported"], json!(["code", "token"]));
    assert_eq!(document["response_modes_supported"], json!(["query", "fragment", "form_post"]));
    assert_eq!(document["grant_types_supported"], json!(["authorization_code", "refresh_token", "implicit"]));

    let only = r#"
        [[clients]]
        client_id = "old"
        token_endpoint_auth_method = "none"
        redirect_uris = ["https://old.example.com/cb"]
        grant_types = ["implicit"]
        response_types = ["token"]
        "#;
    let document = TestServer::start(only).get(PATH).await.json();
    assert!(document["authorization_endpoint"].is_string());
    assert_eq!(document["response_types_supported"], json!(["token"]));
    assert_eq!(document["response_modes_supported"], json!(["fragment", "form_post"]));
    assert_eq!(document["grant_types_supported"], json!(["implicit"]));
    assert_eq!(document.get("code_challenge_methods_supported"), None);
    assert_eq!(document["authorization_response_iss_parameter_supported"], json!(true));
}

#[tokio::test]
async fn what_nobody_may_ask_for_is_left_out() {
    let document = TestServer::start("").get(PATH).await.json();
    assert_eq!(document.get("scopes_supported"), None);
    // Without it, RFC 8414 §2 would read authorization_code and implicit.
    assert_eq!(document["grant_types_supported"], json!([]));
}

#[tokio::test]
async fn an_issuer_with_a_path_has_all_endpoints_under_it_and_the_well_known_name_before_it() {
    let server = TestServer::start(&format!("issuer = \"<origin>/tenant/a\"\n{}", machine()));
    let issuer = format!("{}/tenant/a", server.issuer);
    // RFC 8414 §3.1.
    let document = server.get(&format!("{PATH}/tenant/a")).await.json();
    assert_eq!(document["issuer"], json!(issuer));
    assert_eq!(document["token_endpoint"], json!(format!("{issuer}/token")));
    assert_eq!(document["jwks_uri"], json!(format!("{issuer}/.well-known/jwks.json")));
    assert_eq!(document["revocation_endpoint"], json!(format!("{issuer}/revoke")));
    assert_eq!(document["introspection_endpoint"], json!(format!("{issuer}/introspect")));

    let post = |path: &str| {
        let request = server.http().post(server.url(path)).basic_auth(MACHINE, Some(SECRET));
        let media_type = "application/x-www-form-urlencoded";
        request.header("content-type", media_type).body(CLIENT_CREDENTIALS)
    };
    let token = Answer::of(post("/tenant/a/token")).await.access_token();
    assert_eq!((&claims(&token)["iss"], &claims(&token)["aud"]), (&json!(issuer), &json!(issuer)));
    assert_eq!(server.get("/tenant/a/.well-known/jwks.json").await.status, 200);
    let about = |path: &str| Answer::of(server.post(path, &format!("token={token}")).basic_auth(MACHINE, Some(SECRET)));
    assert_eq!(about("/tenant/a/introspect").await.json()["active"], json!(true));
    about("/tenant/a/revoke").await.assert_error(400, "unsupported_token_type");
    for elsewhere in ["/revoke", "/introspect"] {
        assert_eq!(about(elsewhere).await.status, 404);
    }

    for elsewhere in [PATH, "/.well-known/jwks.json", "/tenant/a/.well-known/oauth-authorization-server", "/token"] {
        assert_eq!(server.get(elsewhere).await.status, 404, "{elsewhere}");
    }
    assert_eq!(Answer::of(post("/token")).await.status, 404);
}

#[tokio::test]
async fn a_path_that_is_not_there_is_404_and_tells_nothing() {
    let server = TestServer::start(&machine());
    for path in ["/", "/token/", "/admin", "/metrics", "/.well-known/", "/%2e%2e/keys", "//token"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (404, "There is nothing here.\n"), "{path}");
        assert!(!answer.header("x-request-id").is_empty());
    }
}
