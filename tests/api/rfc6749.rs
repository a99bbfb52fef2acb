//! Rules of RFC 6749 that belong to no single capability. `docs/rfc6749.md` says which test shows which rule.

use jotsmith::foundation::base64url;

use crate::harness::people::{WEB, people, with_client};
use crate::harness::requests::{ask_of_app, ask_of_web};
use crate::harness::{Answer, CLIENT_CREDENTIALS, TestServer, claims, machine};

/// RFC 6749 §5.1: both headers, in any answer that holds what nobody else may see.
#[tokio::test]
async fn an_answer_that_holds_a_code_is_kept_by_no_cache() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let first = browser.consent(&ask_of_web()).await;
    let second = browser.authorize(&ask_of_web()).await;
    for (answer, status) in [(first, 303), (second, 302)] {
        assert_eq!(answer.status, status);
        assert!(answer.code().starts_with("jsc_"));
        assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
        // §10.5: nor does a page of the client tell others the address that it was reached by.
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
    }
}

/// RFC 6749 §10.2: who asks, for what, and for how long.
#[tokio::test]
async fn the_consent_page_says_how_long_access_lasts() {
    let once = with_client(&people(), WEB, "grant_types = ['authorization_code']\naccess_token_lifetime = '90s'");
    for (config, words) in [
        (people(), "This lasts at most 365 days."),
        (people() + "\n[lifetimes]\nrefresh_token_absolute = '31d'", "This lasts at most 31 days."),
        (once, "This lasts at most 2 minutes."),
    ] {
        let server = TestServer::start(&config);
        let mut browser = server.browser();
        let login = browser.authorize(&ask_of_web()).await;
        browser.sign_in(&login).await.page().assert_says(words);
    }
}

/// RFC 6749 §3.1.
#[tokio::test]
async fn at_the_authorization_endpoint_an_empty_parameter_is_absent_and_an_unknown_one_ignored() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let asked = ask_of_web().and("audience", "https://elsewhere.example.com").and("resource", "").and("prompt", "");
    let sent = browser.consent(&asked.with("state", "")).await.sent_back();
    assert_eq!(sent.keys().collect::<Vec<_>>(), ["code", "iss"]);
    // Where the redirect URI is empty, it is the registered one.
    let sent = browser.consent(&ask_of_web().with("redirect_uri", "")).await;
    assert!(sent.code().starts_with("jsc_"));
}

/// RFC 6749 §3.3: what is asked for without a scope is the default, which the answer names.
#[tokio::test]
async fn a_request_without_scope_is_for_the_default_scope_and_the_answer_says_so() {
    let server = TestServer::start(&with_client(&people(), WEB, "default_scope = 'read'"));
    let tokens = server.tokens_for(&ask_of_web().without("scope")).await;
    assert_eq!(tokens.json()["scope"], "read");
    assert_eq!(claims(&tokens.access_token())["scope"], "read");
}

/// RFC 6749 §2.2, §4.1.2 and §5.1: the sizes that `docs/rfc6749.md` gives. Appendices A.11, A.12 and A.17: printable.
#[tokio::test]
async fn codes_and_refresh_tokens_have_80_characters_and_every_token_is_printable() {
    let server = TestServer::start(&people());
    for asked in [ask_of_web(), ask_of_app()] {
        let code = server.code_for(&asked).await;
        let tokens = server.tokens_for(&asked).await;
        let refresh_token = tokens.refresh_token();
        assert_eq!((code.len(), refresh_token.len()), (80, 80));
        let access_token = tokens.access_token();
        assert!((300..4096).contains(&access_token.len()), "{}", access_token.len());
        for text in [&code, &refresh_token, &access_token] {
            assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
        }
        // §10.10: of the 76 characters behind the prefix, 32 bytes are a MAC.
        assert_eq!(base64url::decode(&code[4..]).expect("base64url").len(), 57);
    }
}

/// RFC 6749 §1.9: names and values know their case.
#[tokio::test]
async fn names_and_values_of_parameters_are_case_sensitive() {
    let server = TestServer::start(&machine());
    server.machine_token("Grant_Type=client_credentials").await.assert_error(400, "invalid_request");
    server.machine_token("grant_type=CLIENT_CREDENTIALS").await.assert_error(400, "unsupported_grant_type");
    server.machine_token(&format!("{CLIENT_CREDENTIALS}&scope=Read")).await.assert_error(400, "invalid_scope");
}

/// RFC 6749 §5.1: members are at the highest level, texts as texts and the lifetime as a number.
#[tokio::test]
async fn an_answer_of_the_token_endpoint_is_one_flat_object() {
    let server = TestServer::start(&people());
    let tokens: Answer = server.tokens_for(&ask_of_web()).await;
    let body = tokens.json();
    for (name, value) in body.as_object().expect("an object") {
        assert_eq!(value.is_u64(), name == "expires_in", "{name}: {value}");
        assert!(value.is_u64() || value.is_string(), "{name}: {value}");
    }
}

/// RFC 6749 §4.1.2.1: a redirect has no status, so what is wrong with the server goes back as an error too.
#[tokio::test]
async fn while_the_store_is_out_of_order_an_authorization_request_goes_back() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    browser.code(&ask_of_web()).await;
    server.lose_store().await;
    browser.authorize(&ask_of_web()).await.assert_sent_back(&server, &ask_of_web(), "temporarily_unavailable");
}
