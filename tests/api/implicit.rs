//! The implicit grant (RFC 6749 §4.2): an access token in the fragment, for the clients that list it, and for nobody else.

use std::time::Duration;

use jotsmith::clients::ClientSecretHash;
use serde_json::json;

use crate::harness::people::{
    ALICES_SUBJECT, API, API_SERVER, CHALLENGE, PAGE, PAGE_CALLBACK, WEB, people, with_api_server, with_client,
    with_page, without_people,
};
use crate::harness::requests::{Parameters, ask_of_page, ask_of_web};
use crate::harness::{Answer, SECRET, START, Site, TestServer, claims, header, program};

/// Asserts that the client gets this error, in the fragment of its own address and nowhere else.
fn assert_refused(server: &TestServer, answer: &Answer, asked: &Parameters, error: &str) {
    let sent = answer.sent_in_fragment();
    let part = |name| sent.get(name).map(String::as_str);
    assert_eq!((part("error"), part("state")), (Some(error), asked.get("state")), "{asked:?}");
    assert_eq!(part("iss"), Some(server.issuer.as_str()));
    assert!(part("error_description").is_some_and(|text| text.ends_with('.')));
    assert_eq!(sent.len(), 4, "{sent:?}");
    let redirect_uri = asked.get("redirect_uri").expect("one");
    assert_eq!(answer.header("location").split_once('#').map(|(before, _)| before), Some(redirect_uri));
    assert_eq!((answer.header("cache-control"), answer.header("referrer-policy")), ("no-store", "no-referrer"));
}

async fn refused(server: &TestServer, asked: &Parameters, error: &str) {
    let answer = server.get(&format!("/authorize?{}", asked.encoded())).await;
    assert_refused(server, &answer, asked, error);
}

#[tokio::test]
async fn a_person_who_signs_in_and_consents_sends_an_access_token_in_the_fragment_and_never_a_refresh_token() {
    let config = with_page(&(people() + "claims = { name = \"Alice\" }\n")) + "claims = { tenant = \"acme\" }\n";
    let server = TestServer::start(&config);
    let asked = ask_of_page();
    let mut browser = server.browser();
    let page = browser.authorize(&asked).await;
    assert!(page.is_login());
    let page = browser.sign_in(&page).await;
    assert!(page.is_consent());
    page.page().assert_says("page.example.com");
    server.advance(Duration::from_secs(20));
    let answer = browser.allow(&page).await;
    assert_eq!(answer.status, 303);
    assert!(answer.header("location").starts_with(&format!("{PAGE_CALLBACK}#access_token=")));
    assert_eq!((answer.header("cache-control"), answer.header("referrer-policy")), ("no-store", "no-referrer"));
    assert_eq!(answer.body, "");

    let sent = answer.sent_in_fragment();
    let names: Vec<_> = sent.keys().map(String::as_str).collect();
    assert_eq!(names, ["access_token", "expires_in", "iss", "scope", "state", "token_type"]);
    let rest = ["expires_in", "iss", "scope", "state", "token_type"].map(|name| sent[name].as_str());
    assert_eq!(rest, ["300", &server.issuer, "read write", "af0ifjsldkj", "Bearer"]);

    let token = &sent["access_token"];
    assert_eq!((&header(token)["typ"], &header(token)["alg"]), (&json!("at+jwt"), &json!("ES256")));
    let claims = claims(token);
    let now = START.as_seconds() + 20;
    let expected = json!({
        "iss": server.issuer, "sub": ALICES_SUBJECT, "aud": API, "client_id": PAGE,
        "exp": now + 300, "iat": now, "auth_time": START.as_seconds(), "jti": claims["jti"], "scope": "read write",
        "name": "Alice", "tenant": "acme",
    });
    assert_eq!(claims, expected);
}

#[tokio::test]
async fn nothing_is_stored_for_a_token() {
    let mut server = TestServer::start(&with_page(&people()));
    let mut browser = server.browser();
    // The session is not stored either; the first walk makes all files that there will be.
    browser.consent(&ask_of_page()).await.sent_in_fragment();
    let size = |site: &Site| {
        let files = site.content().into_iter().filter(|(path, _)| path.starts_with(site.folder().join("data")));
        let records: Vec<u8> = files.flat_map(|(_, bytes)| bytes).collect();
        let needle = ALICES_SUBJECT.as_bytes();
        records.windows(needle.len()).filter(|window| *window == needle).count()
    };
    let mut seen = Vec::new();
    server.restart(|site| seen.push(size(site)));
    browser.consent(&ask_of_page()).await.sent_in_fragment();
    server.restart(|site| seen.push(size(site)));
    // What is looked for is there once there is a code.
    browser.code(&ask_of_web()).await;
    server.restart(|site| seen.push(size(site)));
    assert_eq!(&seen[..2], [0, 0]);
    assert!(seen[2] > 0);
}

#[tokio::test]
async fn a_resource_learns_of_a_token_that_nobody_can_take_back() {
    let server = TestServer::start(&with_api_server(&with_page(&people())));
    let token = server.browser().consent(&ask_of_page()).await.sent_in_fragment()["access_token"].clone();
    assert!(server.is_active(API_SERVER, &token).await);
    let form = Parameters::new([("token", &token), ("client_id", PAGE)]);
    // There is no grant to revoke (RFC 7009 §2.2.1).
    Answer::of(server.post("/revoke", &form.encoded())).await.assert_error(400, "unsupported_token_type");
    assert!(server.is_active(API_SERVER, &token).await);
    server.advance(Duration::from_mins(5));
    assert!(!server.is_active(API_SERVER, &token).await);
}

#[tokio::test]
async fn what_is_asked_for_is_what_the_token_allows() {
    let config =
        with_page(&people()) + "[[resources]]\nidentifier = \"https://write.example.com\"\nscope = \"write\"\n";
    let config = config
        + "[[resources]]\nidentifier = \"https://quick.example.com\"\nscope = \"read\"\naccess_token_lifetime = \"1m\"\n";
    let server = TestServer::start(&config);
    let mut browser = server.browser();
    let ask = ask_of_page();
    for (asked, aud, scope, life) in [
        (ask.clone().with("scope", "read"), json!(API), "read", "300"),
        (ask.clone().and("resource", "https://write.example.com/"), json!("https://write.example.com"), "write", "300"),
        (
            ask.clone().and("resource", "https://write.example.com").and("resource", API),
            json!(["https://write.example.com", API]),
            "write",
            "300",
        ),
        (ask.clone().and("resource", "https://quick.example.com"), json!("https://quick.example.com"), "read", "60"),
    ] {
        let sent = browser.consent(&asked).await.sent_in_fragment();
        let claims = claims(&sent["access_token"]);
        assert_eq!((&claims["aud"], &claims["scope"]), (&aud, &json!(scope)), "{asked:?}");
        assert_eq!((sent["scope"].as_str(), sent["expires_in"].as_str()), (scope, life), "{asked:?}");
    }
    for (asked, error) in [
        (ask.clone().with("scope", "admin"), "invalid_scope"),
        (ask.clone().and("resource", "https://elsewhere.example.com"), "invalid_target"),
        // There is no second request in which to ask for each.
        (ask.clone().and("resource", API).and("resource", "https://quick.example.com"), "invalid_target"),
        (
            ask.clone().with("scope", "read").and("resource", API).and("resource", "https://write.example.com"),
            "invalid_target",
        ),
        (ask.clone().with("scope", &"x".repeat(4000)), "invalid_scope"),
        (ask.clone().with("prompt", "none login"), "invalid_request"),
        (ask.clone().with("max_age", "x"), "invalid_request"),
        (ask.clone().and("scope", "read"), "invalid_request"),
        (ask.clone().with("state", &"x".repeat(5100)), "invalid_request"),
        (ask.clone().with("request", "ey.J."), "request_not_supported"),
        (ask.with("response_mode", "query"), "invalid_request"),
    ] {
        refused(&server, &asked, error).await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_list_it_gets_no_token_and_a_server_without_such_a_client_has_none() {
    let server = TestServer::start(&people());
    let asked = ask_of_web().with("response_type", "token");
    refused(&server, &asked, "unsupported_response_type").await;
    refused(&server, &asked.clone().with("response_type", "code token"), "unsupported_response_type").await;
    refused(&server, &asked.clone().with("response_type", "id_token"), "unsupported_response_type").await;

    server.reload(&with_page(&people())).await.expect("a good change");
    refused(&server, &asked, "unauthorized_client").await;
    // A session makes no difference.
    let mut browser = server.browser();
    browser.code(&ask_of_web()).await;
    assert_refused(&server, &browser.authorize(&asked).await, &asked, "unauthorized_client");
}

#[tokio::test]
async fn the_token_endpoint_has_no_implicit_grant() {
    let server = TestServer::start(&with_page(&people()));
    let form = format!("grant_type=implicit&client_id={PAGE}");
    server.post_token(&form).await.assert_error(400, "unsupported_grant_type");
    let form = Parameters::new([("grant_type", "implicit")]);
    server.token(WEB, &form).await.assert_error(400, "unsupported_grant_type");
}

#[tokio::test]
async fn a_token_that_is_switched_off_while_a_person_decides_is_not_given() {
    let config = with_page(&people());
    let server = TestServer::start(&config);
    let mut browser = server.browser();
    let asked = ask_of_page();
    let page = browser.authorize(&asked).await;
    let page = browser.sign_in(&page).await;
    let code = "grant_types = [\"authorization_code\"]\nresponse_types = [\"code\"]";
    server.reload(&with_client(&config, PAGE, code)).await.expect("a good change");
    let answer = browser.allow(&page).await;
    assert_refused(&server, &answer, &asked, "unsupported_response_type");
}

#[tokio::test]
async fn whoever_says_no_or_may_be_shown_nothing_gets_no_token() {
    let config = with_page(&people());
    let server = TestServer::start(&config);
    let mut browser = server.browser();
    let asked = ask_of_page();
    let silent = asked.clone().with("prompt", "none");
    assert_refused(&server, &browser.authorize(&silent).await, &silent, "login_required");
    let page = browser.authorize(&asked).await;
    let page = browser.sign_in(&page).await;
    let denied = browser.submit(&page.form().press("deny")).await;
    assert_refused(&server, &denied, &asked, "access_denied");
    assert_refused(&server, &browser.authorize(&silent).await, &silent, "consent_required");
    browser.consent(&asked).await.sent_in_fragment();
    // Now it is remembered.
    browser.authorize(&silent).await.sent_in_fragment();
    server.reload(&without_people(&config)).await.expect("a good change");
    assert_refused(&server, &browser.authorize(&silent).await, &silent, "login_required");
}

#[tokio::test]
async fn a_consent_to_a_code_is_none_to_a_token_nor_the_other_way_round() {
    let server = TestServer::start(&with_page(&people()));
    let (token, code) = (ask_of_page(), ask_of_page().with("response_type", "code"));
    let code = code.with("code_challenge", CHALLENGE).with("code_challenge_method", "S256");
    for (one, other) in [(&token, &code), (&code, &token)] {
        let mut browser = server.browser();
        browser.consent(one).await.location();
        assert!(browser.authorize(other).await.is_consent());
        assert_eq!(browser.authorize(one).await.status, 302);
    }
}

#[tokio::test]
async fn on_loopback_a_person_is_asked_each_time_whatever_the_client_could_prove() {
    let config = with_page(&people());
    let secret = ClientSecretHash::of_generated(SECRET.as_bytes());
    let confidential = format!(
        "token_endpoint_auth_method = \"client_secret_basic\"\nclient_secrets = [\"{secret}\"]\nrequire_consent = false"
    );
    for config in [config.clone(), with_client(&config, PAGE, &confidential)] {
        let server = TestServer::start(&config);
        let mut browser = server.browser();
        let asked = ask_of_page().with("redirect_uri", "http://127.0.0.1:50001/page");
        let sent = browser.consent(&asked).await.sent_in_fragment();
        assert!(sent.contains_key("access_token"));
        assert!(browser.authorize(&asked).await.is_consent());
        let silent = asked.with("prompt", "none");
        assert_refused(&server, &browser.authorize(&silent).await, &silent, "interaction_required");
    }
}

#[tokio::test]
async fn a_challenge_makes_no_difference_to_a_token() {
    let server = TestServer::start(&with_page(&people()));
    let mut browser = server.browser();
    for (challenge, method) in [(CHALLENGE, "S256"), ("x", "plain")] {
        let asked = ask_of_page().with("code_challenge", challenge).with("code_challenge_method", method);
        assert!(browser.consent(&asked).await.sent_in_fragment().contains_key("access_token"));
    }
}

#[test]
fn a_registration_for_tokens_is_whole_and_goes_to_no_app() {
    let site = Site::new();
    let check = |page: &str, keys: &str| {
        site.write_config(&with_client(page, PAGE, keys));
        program::run(site.folder(), &["check", "--config", site.config_file().to_str().expect("UTF-8")])
    };
    let page = with_page(&people());
    for (keys, says) in [
        ("response_types = [\"code\"]", "the response type token and the grant type implicit go together"),
        ("grant_types = [\"authorization_code\"]", "the response type token and the grant type implicit go together"),
        ("redirect_uris = [\"com.example.app:/cb\"]", "https or loopback redirects alone"),
        ("redirect_uris = [\"http://page.example.com/cb\"]", "http is for 127.0.0.1"),
    ] {
        let outcome = check(&page, keys);
        assert_eq!(outcome.code, Some(1), "{keys}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("clients[\"page\"]") && outcome.stderr.contains(says), "{}", outcome.stderr);
    }
}

#[test]
fn a_check_and_a_start_warn_of_each_client_that_lists_it() {
    let site = Site::new();
    let other = "[[clients]]\nclient_id = \"other\"\ntoken_endpoint_auth_method = \"none\"\nredirect_uris = [\"https://o.example.com/cb\"]\ngrant_types = [\"implicit\"]\nresponse_types = [\"token\"]\n";
    site.write_config(&(with_page(&people()) + other));
    let file = site.config_file();
    let outcome = program::run(site.folder(), &["check", "--config", file.to_str().expect("UTF-8")]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let warnings: Vec<_> = outcome.stderr.lines().filter(|line| line.contains("implicit")).collect();
    assert_eq!(warnings.len(), 2, "{}", outcome.stderr);
    for (warning, client) in warnings.iter().zip(["clients[\"page\"]", "clients[\"other\"]"]) {
        assert!(warning.starts_with("warning: ") && warning.contains(client), "{warning}");
        assert!(warning.contains("RFC 9700 §2.1.2") && warning.contains("authorization_code, with PKCE"), "{warning}");
        assert!(warning.contains("config.toml:"), "{warning}");
    }
    let mut serving = program::Running::start(site.folder(), &["serve", "--config", file.to_str().expect("UTF-8")]);
    for client in ["page", "other"] {
        let line = serving.wait_for_log("RFC 9700");
        assert!(line.contains("WARN") && line.contains(&format!("clients[\\\"{client}\\\"]")), "{line}");
    }
    serving.wait_for_log("\"serving\"");
}

#[tokio::test]
async fn a_token_of_a_person_who_is_gone_is_not_active_though_it_stands_on_no_grant() {
    let config = with_page(&with_api_server(&people()));
    let server = TestServer::start(&config);
    let token = server.browser().consent(&ask_of_page()).await.sent_in_fragment()["access_token"].clone();
    assert!(server.is_active(API_SERVER, &token).await);
    server.reload(&without_people(&config)).await.expect("a good change");
    assert!(!server.is_active(API_SERVER, &token).await);
}
