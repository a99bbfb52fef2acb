//! Consent: when a person is asked, what is remembered of the answer, and what `prompt` and `max_age` change.

use std::time::Duration;

use crate::harness::browser::Browser;
use crate::harness::people::{
    ALICES_SUBJECT, APP, BOB, BOBS_PASSWORD, TRUSTED, WEB, WEB_CALLBACK, people, with_bob, with_client,
};
use crate::harness::requests::{Parameters, ask_of_app, ask_of_trusted, ask_of_web, redemption};
use crate::harness::{Answer, START, TestServer, claims};

const SECOND: Duration = Duration::from_secs(1);

/// A browser in which somebody has signed in and allowed what the request asks for, some time ago.
async fn after_consent(server: &TestServer, asked: &Parameters) -> Browser {
    let mut browser = server.browser();
    browser.code(asked).await;
    server.advance(SECOND);
    browser
}

/// Asserts that the answer is a code, given at once.
fn assert_code(answer: &Answer) {
    assert!(answer.code().starts_with("jsc_"));
}

#[tokio::test]
async fn a_person_sees_who_asks_for_what_and_where_the_answer_goes() {
    let config = format!("{}\n[scopes.read]\ndescription = {{ en = \"Read your orders\" }}\n", people());
    let server = TestServer::start(&config);
    let mut browser = server.browser();
    let login = browser.authorize(&ask_of_web()).await;
    let consent = browser.sign_in(&login).await;
    assert_eq!(consent.status, 200);
    let page = consent.page();
    page.assert_says("Web shop asks for access");
    page.assert_says("Read your orders");
    page.assert_says("write");
    page.assert_says("You will go back to web.example.com.");
    assert_eq!(page.count("li"), 2);
    assert_eq!(consent.form().action, format!("{}/consent", server.issuer));

    let answer = browser.allow(&consent).await;
    assert_eq!(answer.status, 303);
    let sent = answer.sent_back();
    assert_eq!(sent.keys().collect::<Vec<_>>(), ["code", "iss", "state"]);
    assert_eq!((&sent["state"], &sent["iss"]), (&"af0ifjsldkj".to_owned(), &server.issuer));
    assert_eq!(answer.header("location").split_once('?').map(|(before, _)| before), Some(WEB_CALLBACK));
}

#[tokio::test]
async fn a_native_app_is_named_with_the_port_that_it_listens_on() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let login = browser.authorize(&ask_of_app()).await;
    browser.sign_in(&login).await.page().assert_says("You will go back to 127.0.0.1:51004.");
}

#[tokio::test]
async fn anything_but_a_clear_yes_is_a_no() {
    let server = TestServer::start(&people());
    let asked = ask_of_web();
    let mut browser = server.browser();
    let login = browser.authorize(&asked).await;
    let form = browser.sign_in(&login).await.form();
    let both = form.clone().press("deny").press("allow");
    for form in [form.clone().press("deny"), form.clone()] {
        let answer = browser.submit(&form).await;
        assert_eq!(answer.status, 303);
        answer.assert_sent_back(&server, &asked, "access_denied");
        assert!(answer.cookies().is_empty(), "a no is not remembered");
    }
    assert_eq!(browser.submit(&both).await.status, 400);
    // They are still signed in, and may think again.
    assert!(browser.authorize(&asked).await.is_consent());
}

#[tokio::test]
async fn what_was_allowed_once_is_not_asked_again() {
    let server = TestServer::start(&people());
    let mut browser = after_consent(&server, &ask_of_web()).await;
    assert_code(&browser.authorize(&ask_of_web()).await);
    assert_code(&browser.authorize(&ask_of_web().with("scope", "read")).await);
    // It is this browser that remembers.
    let mut other = server.browser();
    let login = other.authorize(&ask_of_web()).await;
    assert!(other.sign_in(&login).await.is_consent());
}

#[tokio::test]
async fn what_goes_beyond_what_was_allowed_is_asked() {
    let config = with_client(
        &people(),
        WEB,
        r#"redirect_uris = ["https://web.example.com/cb", "https://web.example.com/other"]"#,
    ) + "[[resources]]\nidentifier = \"https://other.example.com\"\nscope = \"read\"\n";
    let server = TestServer::start(&config);
    let asked = ask_of_web().with("scope", "read");
    let mut browser = after_consent(&server, &asked).await;
    assert_code(&browser.authorize(&asked).await);
    for more in [
        asked.clone().with("scope", "read write"),
        asked.clone().with("redirect_uri", "https://web.example.com/other"),
        asked.clone().with("resource", "https://other.example.com"),
    ] {
        assert!(browser.authorize(&more).await.is_consent(), "{more:?}");
    }
    // Two consents are two: what is in neither of them whole is asked.
    browser.code(&asked.clone().with("resource", "https://other.example.com")).await;
    browser.code(&asked.clone().with("scope", "write")).await;
    assert_code(&browser.authorize(&asked).await);
    assert!(browser.authorize(&asked.with("scope", "read write")).await.is_consent());
}

#[tokio::test]
async fn a_client_that_looks_different_now_is_asked_about_again() {
    let server = TestServer::start(&people());
    let mut browser = after_consent(&server, &ask_of_web()).await;
    server.reload(&with_client(&people(), WEB, "client_name = \"Your bank\"")).await.expect("a good change");
    assert!(browser.authorize(&ask_of_web()).await.is_consent());
    server.reload(&people()).await.expect("a good change");
    assert_code(&browser.authorize(&ask_of_web()).await);
}

#[tokio::test]
async fn a_consent_is_the_consent_of_one_person() {
    let server = TestServer::start(&with_bob(&people()));
    let mut browser = after_consent(&server, &ask_of_web()).await;
    let login = browser.authorize(&ask_of_web().with("prompt", "login")).await;
    assert!(browser.sign_in_as(&login, BOB, BOBS_PASSWORD).await.is_consent());
}

#[tokio::test]
async fn a_consent_is_forgotten_after_90_days() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    browser.code(&ask_of_web()).await;
    server.advance(Duration::from_hours(90 * 24));
    let login = browser.authorize(&ask_of_web()).await;
    assert_code(&browser.sign_in(&login).await);
    server.advance(Duration::from_millis(1));
    assert!(browser.authorize(&ask_of_web()).await.is_consent());
}

#[tokio::test]
async fn a_public_client_that_any_program_may_pretend_to_be_is_asked_about_each_time() {
    // RFC 8252 §8.6, whatever the configuration says.
    let config = with_client(&people(), APP, "require_consent = false");
    let server = TestServer::start(&config);
    let mut browser = after_consent(&server, &ask_of_app()).await;
    assert_eq!(browser.cookie("consents"), None);
    assert!(browser.authorize(&ask_of_app()).await.is_consent());
    let silent = ask_of_app().with("prompt", "none");
    browser.authorize(&silent).await.assert_sent_back(&server, &silent, "interaction_required");

    let scheme = "redirect_uris = [\"com.example.app:/cb\"]";
    server.reload(&with_client(&config, APP, scheme)).await.expect("a good change");
    let asked = ask_of_app().with("redirect_uri", "com.example.app:/cb");
    browser.code(&asked).await;
    assert!(browser.authorize(&asked).await.is_consent());
}

#[tokio::test]
async fn a_public_client_with_an_address_of_its_own_is_remembered() {
    let spa = "redirect_uris = [\"https://spa.example.com/cb\"]\napplication_type = \"web\"";
    let server = TestServer::start(&with_client(&people(), APP, spa));
    let asked = ask_of_app().with("redirect_uri", "https://spa.example.com/cb");
    let mut browser = after_consent(&server, &asked).await;
    assert_code(&browser.authorize(&asked).await);
}

#[tokio::test]
async fn a_client_that_nobody_is_asked_about_is_answered_after_sign_in() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let login = browser.authorize(&ask_of_trusted()).await;
    assert_code(&browser.sign_in(&login).await);
    assert_code(&browser.authorize(&ask_of_trusted()).await);
    assert_eq!(browser.cookie("consents"), None);
    // It has just as much to ask when it wants to.
    assert!(browser.authorize(&ask_of_trusted().with("prompt", "consent")).await.is_consent());
}

#[tokio::test]
async fn prompt_consent_asks_what_was_allowed_before() {
    let server = TestServer::start(&people());
    let mut browser = after_consent(&server, &ask_of_web()).await;
    let page = browser.authorize(&ask_of_web().with("prompt", "consent")).await;
    assert!(page.is_consent());
    assert_code(&browser.allow(&page).await);
}

#[tokio::test]
async fn prompt_none_shows_nothing_and_says_what_would_have_to_be_shown() {
    let server = TestServer::start(&people());
    let silent = ask_of_web().with("prompt", "none");
    let mut browser = server.browser();
    browser.authorize(&silent).await.assert_sent_back(&server, &silent, "login_required");
    let login = browser.authorize(&ask_of_web()).await;
    let consent = browser.sign_in(&login).await;
    browser.authorize(&silent).await.assert_sent_back(&server, &silent, "consent_required");
    browser.allow(&consent).await.code();
    assert_code(&browser.authorize(&silent).await);
    server.advance(60 * SECOND);
    let young = silent.clone().with("max_age", "59");
    browser.authorize(&young).await.assert_sent_back(&server, &young, "login_required");
    server.advance(Duration::from_hours(12));
    browser.authorize(&silent).await.assert_sent_back(&server, &silent, "login_required");
}

#[tokio::test]
async fn prompt_login_asks_for_the_password_once_and_is_then_met() {
    let server = TestServer::start(&people());
    let mut browser = after_consent(&server, &ask_of_web()).await;
    for prompt in ["login", "select_account", "login consent"] {
        let login = browser.authorize(&ask_of_web().with("prompt", prompt)).await;
        assert!(login.is_login(), "{prompt}");
        // A wrong password changes nothing about what was asked.
        let again = browser.sign_in_as(&login, "alice", "wrong").await;
        server.advance(SECOND);
        let mut answer = browser.sign_in(&again).await;
        if prompt.contains("consent") {
            assert!(answer.is_consent());
            server.advance(60 * SECOND);
            answer = browser.allow(&answer).await;
        }
        assert_code(&answer);
        server.advance(SECOND);
    }
}

#[tokio::test]
async fn max_age_asks_whoever_signed_in_too_long_ago_and_is_then_met() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    browser.code(&ask_of_trusted()).await;
    server.advance(60 * SECOND);
    assert_code(&browser.authorize(&ask_of_trusted().with("max_age", "60")).await);
    for max_age in ["59", "0"] {
        let asked = ask_of_trusted().with("max_age", max_age);
        let login = browser.authorize(&asked).await;
        assert!(login.is_login(), "{max_age}");
        server.advance(120 * SECOND);
        let signed_in_at = START + 60 * SECOND + if max_age == "0" { 300 * SECOND } else { 120 * SECOND };
        let code = browser.sign_in(&login).await.code();
        let tokens = server.token(TRUSTED, &redemption(&asked, &code)).await;
        assert_eq!(claims(&tokens.access_token())["auth_time"], signed_in_at.as_seconds());
        server.advance(60 * SECOND);
    }
}

#[tokio::test]
async fn a_consent_page_that_waits_longer_than_max_age_still_leads_to_the_code() {
    let server = TestServer::start(&people());
    let asked = ask_of_web().with("max_age", "10");
    let mut browser = server.browser();
    let login = browser.authorize(&asked).await;
    server.advance(SECOND);
    let consent = browser.sign_in(&login).await;
    server.advance(60 * SECOND);
    assert_code(&browser.allow(&consent).await);
}

#[tokio::test]
async fn a_consent_form_is_good_only_for_the_session_and_the_request_it_was_shown_for() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let login = browser.authorize(&ask_of_web()).await;
    let form = browser.sign_in(&login).await.form().press("allow");
    let logout = browser.get("/logout").await.form();
    let more = browser.authorize(&ask_of_web().with("scope", "read")).await.form();
    let is_stale = |answer: &Answer| {
        answer.page().assert_says("This page is too old, or was opened in another browser.");
        (answer.status.as_u16(), answer.cookies().len()) == (400, 0)
    };
    // The person is asked, as everybody is who comes with a request; nothing is given.
    let is_asked =
        |answer: &Answer| answer.is_consent() && (answer.status.as_u16(), answer.cookies().len()) == (409, 0);
    for forged in [
        form.clone().without("csrf"),
        form.clone().fill("csrf", logout.value("csrf")),
        form.clone().fill("csrf", login.form().value("csrf")),
        form.clone().fill("csrf", more.value("csrf")),
        form.clone().fill("request", more.value("request")),
    ] {
        assert!(is_asked(&browser.submit(&forged).await));
    }
    assert!(is_stale(&browser.submit(&form.clone().without("request")).await));
    assert!(is_stale(&browser.submit_from(&[("sec-fetch-site", "cross-site")], &form).await));
    assert!(is_stale(&browser.submit_from(&[("origin", "https://evil.example.com")], &form).await));
    // Nobody is signed in; and somebody is, the same person even, but in another session.
    let mut other = server.browser();
    let answer = other.submit(&form).await;
    assert!(answer.status == 409 && answer.is_login());
    other.code(&ask_of_trusted()).await;
    assert!(is_asked(&other.submit(&form).await));
    assert_code(&browser.submit(&form).await);
}

#[tokio::test]
async fn a_consent_form_is_judged_by_the_configuration_of_its_return() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let asked = ask_of_web();
    let login = browser.authorize(&asked).await;
    let form = browser.sign_in(&login).await.form().press("allow");
    for gone in ["client_id = \"other\"", "redirect_uris = [\"https://web.example.com/new\"]"] {
        server.reload(&with_client(&people(), WEB, gone)).await.expect("a good change");
        let answer = browser.submit(&form).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (400, ""), "{gone}");
        answer.page().assert_says("This did not work");
    }
    server.reload(&with_client(&people(), WEB, "scope = \"read\"")).await.expect("a good change");
    browser.submit(&form).await.assert_sent_back(&server, &asked, "invalid_scope");
    server.reload(&people()).await.expect("a good change");
    server.advance(Duration::from_mins(30) + Duration::from_millis(1));
    let late = browser.submit(&form).await;
    assert_eq!(late.status, 400);
    late.page().assert_says("This took too long");
}

#[tokio::test]
async fn the_token_is_the_persons_who_consented() {
    let server = TestServer::start(&with_bob(&people()));
    let mut browser = server.browser();
    let login = browser.authorize(&ask_of_web()).await;
    let consent = browser.sign_in(&login).await;
    // Meanwhile somebody else signs in, in another tab of the same browser.
    server.advance(SECOND);
    let page = browser.authorize(&ask_of_trusted().with("prompt", "login")).await;
    let before = browser.clone();
    browser.sign_in_as(&page, BOB, BOBS_PASSWORD).await.code();
    assert_eq!(browser.allow(&consent).await.status, 409);
    let code = before.clone().allow(&consent).await.code();
    let tokens = server.token(WEB, &redemption(&ask_of_web(), &code)).await;
    assert_eq!(claims(&tokens.access_token())["sub"], ALICES_SUBJECT);
}
