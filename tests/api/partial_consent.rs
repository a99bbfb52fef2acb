//! A person leaves single scopes out, where the client allows it; and says that it is somebody else who is signed in.

use std::time::Duration;

use crate::harness::browser::Browser;
use crate::harness::people::{
    ALICES_SUBJECT, BOB, BOBS_PASSWORD, BOBS_SUBJECT, TRUSTED, WEB, people, with_bob, with_client,
};
use crate::harness::requests::{Parameters, ask_of_trusted, ask_of_web, redemption, refresh};
use crate::harness::{Answer, TestServer, claims};

const SECOND: Duration = Duration::from_secs(1);

fn with_optional(scope: &str) -> String {
    with_client(&people(), WEB, &format!("optional_scope = \"{scope}\""))
}

fn ask_for_both() -> Parameters {
    ask_of_web().with("scope", "read write")
}

async fn consent_page(browser: &mut Browser, asked: &Parameters) -> Answer {
    let answer = browser.authorize(asked).await;
    if answer.is_login() { browser.sign_in(&answer).await } else { answer }
}

/// The first tokens for what was answered.
async fn tokens(server: &TestServer, answer: &Answer) -> Answer {
    server.token(WEB, &redemption(&ask_for_both(), &answer.code())).await
}

#[tokio::test]
async fn what_a_person_leaves_out_is_not_granted_and_the_client_is_told() {
    let server = TestServer::start(&with_optional("write"));
    let mut browser = server.browser();
    let consent = consent_page(&mut browser, &ask_for_both()).await;
    let page = consent.page();
    page.assert_says("You may leave these out:");
    assert_eq!((page.count("li"), page.attributes("type").iter().filter(|of| **of == "checkbox").count()), (1, 1));
    assert_eq!(consent.form().value("scope:write"), "1", "on at first");

    let answer = browser.submit(&consent.form().without("scope:write").press("allow")).await;
    let first = tokens(&server, &answer).await;
    // RFC 6749 §5.1: "REQUIRED" where it is not what the client asked for.
    assert_eq!(first.json()["scope"], "read");
    assert_eq!(claims(&first.access_token())["scope"], "read");
    let second = server.token(WEB, &refresh(&first.refresh_token())).await;
    assert_eq!(claims(&second.access_token())["scope"], "read");
    let more = server.token(WEB, &refresh(&second.refresh_token()).with("scope", "read write")).await;
    more.assert_error(400, "invalid_scope");
}

#[tokio::test]
async fn what_was_left_out_is_left_out_again_until_the_person_is_asked_again() {
    let server = TestServer::start(&with_optional("write"));
    let mut browser = server.browser();
    let consent = consent_page(&mut browser, &ask_for_both()).await;
    browser.submit(&consent.form().without("scope:write").press("allow")).await.code();
    server.advance(SECOND);
    let silent = browser.authorize(&ask_for_both().with("prompt", "none")).await;
    assert_eq!(tokens(&server, &silent).await.json()["scope"], "read");
    // What was left out is asked for again where it is all that is asked for.
    assert!(browser.authorize(&ask_of_web().with("scope", "write")).await.is_consent());
    let again = browser.authorize(&ask_for_both().with("prompt", "consent")).await;
    assert_eq!(again.form().value("scope:write"), "1");
    let all = browser.allow(&again).await;
    assert_eq!(tokens(&server, &all).await.json()["scope"], "read write");
    server.advance(SECOND);
    let silent = browser.authorize(&ask_for_both()).await;
    assert_eq!(tokens(&server, &silent).await.json()["scope"], "read write");
    // The later answer counts, also where it is the narrower one.
    let again = browser.authorize(&ask_for_both().with("prompt", "consent")).await;
    browser.submit(&again.form().without("scope:write").press("allow")).await.code();
    server.advance(SECOND);
    assert!(browser.authorize(&ask_of_web().with("scope", "write")).await.is_consent());
}

#[tokio::test]
async fn what_may_no_longer_be_left_out_is_asked_again() {
    let server = TestServer::start(&with_optional("write"));
    let mut browser = server.browser();
    let consent = consent_page(&mut browser, &ask_for_both()).await;
    browser.submit(&consent.form().without("scope:write").press("allow")).await.code();
    server.reload(&people()).await.expect("a good change");
    let asked = browser.authorize(&ask_for_both()).await;
    assert!(asked.is_consent());
    assert_eq!(asked.page().count("fieldset"), 0);
}

#[tokio::test]
async fn a_form_can_neither_add_scope_nor_leave_out_what_is_fixed() {
    let server = TestServer::start(&with_optional("write"));
    let mut browser = server.browser();
    let consent = consent_page(&mut browser, &ask_of_web().with("scope", "read")).await;
    assert_eq!(consent.page().count("fieldset"), 0, "nothing of what is asked for may be left out");
    for more in ["scope:write", "scope:admin", "scope", "scope:"] {
        let forged = consent.form().add(more, "write").press("allow");
        let answer = browser.clone().submit(&forged).await;
        assert_eq!(tokens(&server, &answer).await.json()["scope"], "read", "{more}");
    }
    // Twice is refused as everywhere.
    let twice = consent.form().add("scope:write", "1").add("scope:write", "1").press("allow");
    assert_eq!(browser.clone().submit(&twice).await.status, 400);
}

#[tokio::test]
async fn whoever_leaves_out_all_is_told_and_nothing_is_granted() {
    let server = TestServer::start(&with_optional("read write"));
    let mut browser = server.browser();
    let consent = consent_page(&mut browser, &ask_for_both()).await;
    assert_eq!(consent.page().count("li"), 0);
    let form = consent.form().without("scope:read").without("scope:write");
    let again = browser.submit(&form.clone().press("allow")).await;
    assert_eq!((again.status.as_u16(), again.cookies().len()), (400, 0));
    again.page().assert_says("Leave at least one of them, or do not allow access at all.");
    assert_eq!(again.page().attributes("checked").len(), 0, "as the person left it");
    assert_eq!(again.page().attributes("aria-describedby"), ["problem"]);
    let answer = browser.submit(&again.form().add("scope:write", "1").press("allow")).await;
    assert_eq!(tokens(&server, &answer).await.json()["scope"], "write");
    // A no is a no, whatever is left.
    server.advance(SECOND);
    let page = browser.authorize(&ask_for_both().with("prompt", "consent")).await;
    let denied = browser.submit(&page.form().without("scope:read").press("deny")).await;
    denied.assert_sent_back(&server, &ask_for_both(), "access_denied");
}

#[tokio::test]
async fn whoever_is_somebody_else_signs_out_and_goes_on_with_the_same_request() {
    let server = TestServer::start(&with_bob(&people()));
    let mut browser = server.browser();
    let asked = ask_for_both().with("login_hint", "alice");
    let consent = consent_page(&mut browser, &asked).await;
    consent.page().assert_says("You are signed in as alice.");
    let mut copy = browser.clone();
    server.advance(SECOND);
    let login = browser.submit(&consent.form().press("switch")).await;
    assert!(login.is_login());
    assert_eq!(login.form().value("username"), "", "whom the client believed them to be is somebody else");
    assert_eq!(browser.cookie("session"), None);
    assert!(copy.authorize(&ask_of_trusted()).await.is_login(), "a copy of the cookie is dead too");
    let consent = browser.sign_in_as(&login, BOB, BOBS_PASSWORD).await;
    consent.page().assert_says("You are signed in as bob.");
    let answer = browser.allow(&consent).await;
    assert_eq!(answer.sent_back().get("state").map(String::as_str), asked.get("state"));
    let tokens = tokens(&server, &answer).await;
    let claims = claims(&tokens.access_token());
    assert_eq!((claims["sub"].as_str(), claims["scope"].as_str()), (Some(BOBS_SUBJECT), Some("read write")));
    assert_ne!(BOBS_SUBJECT, ALICES_SUBJECT);
}

#[tokio::test]
async fn nobody_else_can_sign_a_person_out_by_that_button() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let form = consent_page(&mut browser, &ask_for_both()).await.form().press("switch");
    let logout = browser.get("/logout").await.form();
    for forged in [form.clone().without("csrf"), form.clone().fill("csrf", logout.value("csrf"))] {
        let answer = browser.submit(&forged).await;
        assert!(answer.status == 409 && answer.is_consent(), "{}: asked again", answer.status);
    }
    assert_eq!(browser.submit_from(&[("sec-fetch-site", "cross-site")], &form).await.status, 400);
    assert!(browser.authorize(&ask_for_both()).await.is_consent(), "still signed in");
}

#[tokio::test]
async fn a_store_that_is_away_signs_nobody_out() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let form = consent_page(&mut browser, &ask_for_both()).await.form().press("switch");
    server.lose_store().await;
    let answer = browser.submit(&form).await;
    assert_eq!((answer.status.as_u16(), answer.cookies().len()), (503, 0));
}

#[tokio::test]
async fn a_later_yes_is_not_undone_by_an_earlier_no() {
    let server = TestServer::start(&with_optional("write"));
    let mut browser = server.browser();
    let consent = consent_page(&mut browser, &ask_for_both()).await;
    browser.submit(&consent.form().without("scope:write").press("allow")).await.code();
    server.advance(SECOND);
    let alone = browser.authorize(&ask_of_web().with("scope", "write")).await;
    browser.allow(&alone).await.code();
    server.advance(SECOND);
    assert!(browser.authorize(&ask_for_both()).await.is_consent(), "which of the two holds for both is asked");
}

#[tokio::test]
async fn what_was_left_out_is_asked_again_of_a_client_that_need_not_ask() {
    let server = TestServer::start(&with_client(&people(), TRUSTED, "optional_scope = \"write\""));
    let mut browser = server.browser();
    let ask = |scope| ask_of_trusted().with("scope", scope);
    let consent = consent_page(&mut browser, &ask("read write").with("prompt", "consent")).await;
    browser.submit(&consent.form().without("scope:write").press("allow")).await.code();
    server.advance(SECOND);
    assert!(browser.authorize(&ask("read")).await.code().starts_with("jsc_"), "what was allowed needs no question");
    assert!(browser.authorize(&ask("write")).await.is_consent());
    let silent = ask("write").with("prompt", "none");
    browser.authorize(&silent).await.assert_sent_back(&server, &silent, "consent_required");
}
