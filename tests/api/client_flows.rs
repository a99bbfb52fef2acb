//! Whole flows by libraries that we did not write: they build every request and judge every answer, and only the person
//! is ours.

use std::time::Duration;

use jotsmith::foundation::base64url;
use oauth2::basic::{BasicClient, BasicErrorResponseType};
use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, PkceCodeChallenge, RedirectUrl, RequestTokenError,
    Scope, TokenResponse as _, TokenUrl,
};
use openidconnect::core::{CoreAuthPrompt, CoreAuthenticationFlow, CoreClient, CoreJsonWebKeySet};
use openidconnect::{IssuerUrl, JsonWebKeySetUrl, Nonce};
use serde_json::json;
use url::{Position, Url};

use crate::harness::people::{ALICES_SUBJECT, API, APP, APP_CALLBACK, WEB, WEB_CALLBACK, people};
use crate::harness::{Answer, SECRET, TestServer, claims, foreign};
use crate::offline_verification::is_good;

/// What a person does whom a library sends to `url`: sign in and allow.
async fn visit(server: &TestServer, url: &Url) -> Answer {
    assert_eq!(url[..Position::BeforePath], server.issuer);
    let mut browser = server.browser();
    let login = browser.get(&url[Position::BeforePath..]).await;
    let consent = browser.sign_in(&login).await;
    browser.allow(&consent).await
}

/// Asserts that a published key has signed the token, and whose it is.
async fn assert_token(server: &TestServer, token: &str, client_id: &str) {
    let url = JsonWebKeySetUrl::new(server.url("/.well-known/jwks.json")).expect("an address");
    let keys = CoreJsonWebKeySet::fetch_async(&url, &foreign::client(server.http())).await.expect("a key set");
    assert!(is_good(keys.keys(), token));
    let claims = claims(token);
    let (iss, sub, aud) = (json!(server.issuer), json!(ALICES_SUBJECT), json!(API));
    assert_eq!([&claims["iss"], &claims["sub"], &claims["aud"]], [&iss, &sub, &aud]);
    assert_eq!((&claims["client_id"], &claims["scope"]), (&json!(client_id), &json!("read")));

    let (head, signature) = token.rsplit_once('.').expect("three parts");
    let mut bytes = base64url::decode(signature).expect("base64url");
    bytes[7] ^= 1;
    assert!(!is_good(keys.keys(), &format!("{head}.{}", base64url::encode(bytes))));
}

#[tokio::test]
async fn the_crate_oauth2_goes_from_the_link_to_a_refreshed_token() {
    let server = TestServer::start(&people());
    let http = foreign::client(server.http());
    for (client_id, secret, callback) in [(WEB, Some(SECRET), WEB_CALLBACK), (APP, None, APP_CALLBACK)] {
        let mut client = BasicClient::new(ClientId::new(client_id.to_owned()))
            .set_auth_uri(AuthUrl::new(server.url("/authorize")).expect("an address"))
            .set_token_uri(TokenUrl::new(server.url("/token")).expect("an address"))
            .set_redirect_uri(RedirectUrl::new(callback.to_owned()).expect("an address"));
        if let Some(secret) = secret {
            client = client.set_client_secret(ClientSecret::new(secret.to_owned()));
        }
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let link = client.authorize_url(CsrfToken::new_random).set_pkce_challenge(challenge);
        let (url, state) = link.add_scope(Scope::new("read".to_owned())).url();
        let sent = visit(&server, &url).await.sent_back();
        assert_eq!((&sent["state"], &sent["iss"]), (state.secret(), &server.issuer));

        let code = AuthorizationCode::new(sent["code"].clone());
        let first = client.exchange_code(code).set_pkce_verifier(verifier).request_async(&http).await.expect("tokens");
        assert_eq!(first.expires_in(), Some(Duration::from_mins(5)));
        assert_eq!(first.scopes(), Some(&vec![Scope::new("read".to_owned())]));
        assert_token(&server, first.access_token().secret(), client_id).await;

        let refresh_token = first.refresh_token().expect("a refresh token");
        let refresh = || client.exchange_refresh_token(refresh_token).request_async(&http);
        let second = refresh().await.expect("tokens");
        assert_token(&server, second.access_token().secret(), client_id).await;
        let successor = second.refresh_token().expect("a refresh token");
        assert_ne!(successor.secret(), refresh_token.secret());
        // The answer was lost, and the library asks again.
        let again = refresh().await.expect("tokens");
        assert_eq!(again.refresh_token().map(|token| token.secret()), Some(successor.secret()));
        server.advance(Duration::from_mins(1));
        let Err(RequestTokenError::ServerResponse(error)) = refresh().await else { panic!("used again") };
        assert_eq!(*error.error(), BasicErrorResponseType::InvalidGrant);
    }
}

#[tokio::test]
async fn the_crate_openidconnect_gets_tokens_without_the_scope_openid() {
    let server = TestServer::start(&people());
    let http = foreign::client(server.http());
    let issuer = IssuerUrl::new(server.issuer.clone()).expect("an address");
    // Without its discovery: it wants OpenID metadata, and this is an OAuth server.
    let client = CoreClient::new(ClientId::new(WEB.to_owned()), issuer, CoreJsonWebKeySet::new(Vec::new()))
        .set_client_secret(ClientSecret::new(SECRET.to_owned()))
        .set_auth_uri(AuthUrl::new(server.url("/authorize")).expect("an address"))
        .set_token_uri(TokenUrl::new(server.url("/token")).expect("an address"))
        .set_redirect_uri(RedirectUrl::new(WEB_CALLBACK.to_owned()).expect("an address"))
        .disable_openid_scope();
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state, _nonce) = client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
        .set_pkce_challenge(challenge)
        .add_scope(Scope::new("read".to_owned()))
        .add_prompt(CoreAuthPrompt::Login)
        .add_prompt(CoreAuthPrompt::Consent)
        .set_max_age(Duration::from_hours(1))
        .url();
    let sent = visit(&server, &url).await.sent_back();
    assert_eq!(sent["state"], *state.secret());
    let code = AuthorizationCode::new(sent["code"].clone());
    let first = client.exchange_code(code).set_pkce_verifier(verifier).request_async(&http).await.expect("tokens");
    assert_token(&server, first.access_token().secret(), WEB).await;
    let refresh_token = first.refresh_token().expect("a refresh token");
    let second = client.exchange_refresh_token(refresh_token).request_async(&http).await.expect("tokens");
    assert_token(&server, second.access_token().secret(), WEB).await;
}
