//! Client credentials as libraries that we did not write ask for them.

use std::time::Duration;

use jotsmith::clients::ClientSecretHash;
use oauth2::basic::{BasicClient, BasicErrorResponseType, BasicTokenType};
use oauth2::{AuthType, ClientId, ClientSecret, RequestTokenError, Scope, TokenResponse as _, TokenUrl};
use serde_json::json;

use crate::harness::{MACHINE, SECRET, TestServer, claims, foreign, machine, machine_with_secrets};

fn scope(token: &str) -> Scope {
    Scope::new(token.to_owned())
}

#[tokio::test]
async fn the_crate_oauth2_gets_a_token_with_either_authentication() {
    let server = TestServer::start(&machine());
    let http = foreign::client(server.http());
    for auth_type in [AuthType::BasicAuth, AuthType::RequestBody] {
        let client = BasicClient::new(ClientId::new(MACHINE.to_owned()))
            .set_client_secret(ClientSecret::new(SECRET.to_owned()))
            .set_token_uri(TokenUrl::new(server.url("/token")).expect("an address"))
            .set_auth_type(auth_type);
        let answer = client.exchange_client_credentials().add_scope(scope("read")).request_async(&http).await;
        let answer = answer.expect("a token");
        assert_eq!(*answer.token_type(), BasicTokenType::Bearer);
        assert_eq!(answer.expires_in(), Some(Duration::from_mins(5)));
        assert!(answer.refresh_token().is_none());
        assert_eq!(claims(answer.access_token().secret())["scope"], "read");

        // Without a scope the answer says which it was.
        let answer = client.exchange_client_credentials().request_async(&http).await.expect("a token");
        assert_eq!(answer.scopes(), Some(&vec![scope("read"), scope("write")]));

        let resource = client.exchange_client_credentials().add_extra_param("resource", server.issuer.clone());
        let answer = resource.request_async(&http).await.expect("a token");
        assert_eq!(claims(answer.access_token().secret())["aud"], json!(server.issuer));
    }
}

#[tokio::test]
async fn what_the_crate_oauth2_encodes_in_a_basic_header_is_decoded() {
    let (client_id, secret) = ("https://client.example.com/a b", "p:%+w é~");
    let hash = ClientSecretHash::of_generated(secret.as_bytes());
    let server = TestServer::start(&machine_with_secrets(&[&hash]).replace(MACHINE, client_id));
    let http = foreign::client(server.http());
    for auth_type in [AuthType::BasicAuth, AuthType::RequestBody] {
        let client = BasicClient::new(ClientId::new(client_id.to_owned()))
            .set_client_secret(ClientSecret::new(secret.to_owned()))
            .set_token_uri(TokenUrl::new(server.url("/token")).expect("an address"))
            .set_auth_type(auth_type);
        let answer = client.exchange_client_credentials().request_async(&http).await.expect("a token");
        assert_eq!(claims(answer.access_token().secret())["sub"], json!(client_id));
    }
}

#[tokio::test]
async fn the_crate_oauth2_understands_our_errors() {
    let server = TestServer::start(&machine());
    let http = foreign::client(server.http());
    let client = |secret: &str| {
        BasicClient::new(ClientId::new(MACHINE.to_owned()))
            .set_client_secret(ClientSecret::new(secret.to_owned()))
            .set_token_uri(TokenUrl::new(server.url("/token")).expect("an address"))
    };
    for (secret, asked, expected) in [
        ("wrong", "read", BasicErrorResponseType::InvalidClient),
        (SECRET, "admin", BasicErrorResponseType::InvalidScope),
    ] {
        let request = client(secret);
        let refused = request.exchange_client_credentials().add_scope(scope(asked)).request_async(&http).await;
        let Err(RequestTokenError::ServerResponse(error)) = refused else { panic!("{refused:?}") };
        assert_eq!(*error.error(), expected);
        assert!(error.error_description().is_some());
    }
}
