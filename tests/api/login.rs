//! Signing in: the login page, its form, and whom and what it is good for.

use std::time::Duration;

use crate::harness::browser::FROM_OUR_PAGE;
use crate::harness::people::{ALICE, PASSWORD, people};
use crate::harness::requests::{ask_of_trusted, ask_of_web};
use crate::harness::{Answer, TestServer};

/// Asserts that the person is told that the form is not good, and that nobody is signed in.
fn assert_stale(answer: &Answer) {
    assert_eq!(answer.status, 400, "{}", answer.body);
    answer.page().assert_says("This page is too old, or was opened in another browser.");
    assert!(answer.cookies().is_empty());
    answer.assert_is_not_stored();
}

#[tokio::test]
async fn a_wrong_password_and_a_name_that_nobody_has_get_the_same_page() {
    let server = TestServer::start(&people());
    let mut pages = Vec::new();
    for (username, password) in
        [(ALICE, "wrong"), ("nobody", PASSWORD), ("Alice", PASSWORD), (ALICE, &"x".repeat(1025))]
    {
        let mut browser = server.browser();
        let page = browser.authorize(&ask_of_web()).await;
        let answer = browser.sign_in_as(&page, username, password).await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (403, ""), "{username}");
        assert!(answer.is_login());
        assert_eq!(answer.form().value("username"), username);
        assert_eq!(answer.form().value("password"), "");
        assert_eq!(browser.cookie("session"), None);
        let names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
        pages.push((answer.page().text, names, answer.page().attributes("name").len()));
        // From this page on the person gets where they wanted to go.
        assert!(browser.sign_in(&answer).await.is_consent());
    }
    assert!(pages.windows(2).all(|two| two[0] == two[1]), "{pages:?}");
}

#[tokio::test]
async fn nothing_in_a_field_signs_nobody_in() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let form = browser.authorize(&ask_of_web()).await.form();
    for form in [form.clone(), form.clone().fill("username", ALICE), form.without("username").without("password")] {
        assert_eq!(browser.submit(&form).await.status, 403);
        assert_eq!(browser.cookie("session"), None);
    }
}

#[tokio::test]
async fn a_form_signs_in_only_the_browser_and_for_the_request_it_was_shown_for() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let form = browser.authorize(&ask_of_web()).await.form().fill("username", ALICE).fill("password", PASSWORD);
    let other_request = browser.authorize(&ask_of_trusted()).await.form();
    for forged in [
        form.clone().without("csrf"),
        form.clone().fill("csrf", ""),
        form.clone().fill("csrf", other_request.value("csrf")),
        form.clone().fill("request", other_request.value("request")),
        form.clone().without("request"),
    ] {
        assert_stale(&browser.submit(&forged).await);
    }
    let mut other_browser = server.browser();
    assert_stale(&other_browser.submit(&form).await);
    other_browser.authorize(&ask_of_web()).await;
    assert_stale(&other_browser.submit(&form).await);
    assert!(browser.submit(&form).await.is_consent());
}

#[tokio::test]
async fn a_token_of_another_form_signs_nobody_in() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let login = browser.authorize(&ask_of_web()).await;
    let consent = browser.sign_in(&login).await.form();
    let logout = browser.get("/logout").await.form();
    server.advance(Duration::from_secs(1));
    let login = browser.authorize(&ask_of_web().with("prompt", "login")).await.form();
    let login = login.fill("username", ALICE).fill("password", PASSWORD);
    for csrf in [consent.value("csrf"), logout.value("csrf")] {
        assert_stale(&browser.submit(&login.clone().fill("csrf", csrf)).await);
    }
    // The request of the consent page is the very same; its token is not for signing in.
    let mixed = login.clone().fill("request", consent.value("request"));
    assert_stale(&browser.submit(&mixed.fill("csrf", consent.value("csrf"))).await);
    assert!(browser.submit(&login).await.is_consent());
}

#[tokio::test]
async fn a_form_that_another_site_sends_is_refused() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let form = browser.authorize(&ask_of_web()).await.form().fill("username", ALICE).fill("password", PASSWORD);
    let own = server.url("");
    for page in [
        &[("sec-fetch-site", "cross-site"), ("origin", "null")][..],
        &[("sec-fetch-site", "same-site"), ("origin", "null")],
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "cross-site"), ("origin", &own)],
        &[("origin", "https://evil.example.com")],
        &[("origin", "http://127.0.0.1")],
        &[("origin", "http://127.0.0.1:1")],
    ] {
        assert_stale(&browser.submit_from(page, &form).await);
    }
    // What a browser says that knows less, and one that says nothing.
    for page in [&FROM_OUR_PAGE[..], &[("origin", "null")], &[("origin", &own)], &[]] {
        assert!(browser.clone().submit_from(page, &form).await.is_consent(), "{page:?}");
    }
}

#[tokio::test]
async fn a_request_waits_for_half_an_hour_and_cannot_be_changed_meanwhile() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let form = browser.authorize(&ask_of_web()).await.form().fill("username", ALICE).fill("password", PASSWORD);
    let sealed = form.value("request").to_owned();
    for at in (0..sealed.len()).step_by(sealed.len() / 16) {
        let other = if sealed.as_bytes()[at] == b'A' { "B" } else { "A" };
        let tampered = format!("{}{other}{}", &sealed[..at], &sealed[at + 1..]);
        assert_stale(&browser.submit(&form.clone().fill("request", &tampered)).await);
    }
    server.advance(Duration::from_mins(30));
    assert!(browser.clone().submit(&form).await.is_consent());
    server.advance(Duration::from_millis(1));
    let late = browser.submit(&form).await;
    assert_eq!(late.status, 400);
    late.page().assert_says("This took too long.");
    assert!(late.cookies().is_empty());
}

#[tokio::test]
async fn a_login_hint_is_where_the_name_goes_until_the_person_types_another() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let page = browser.authorize(&ask_of_web().with("login_hint", "alice")).await;
    assert_eq!(page.form().value("username"), "alice");
    let wrong = browser.sign_in_as(&page, "bob", "wrong").await;
    assert_eq!(wrong.form().value("username"), "bob");
    // It is no proof of anything, and whoever has signed in is not asked again for it.
    let page = browser.sign_in(&wrong).await;
    assert!(page.is_consent());
    assert!(browser.authorize(&ask_of_web().with("login_hint", "bob")).await.is_consent());
}

#[tokio::test]
async fn a_login_hint_that_could_be_no_name_or_looks_like_another_one_is_left_out() {
    let server = TestServer::start(&people());
    let longest = "x".repeat(255);
    for (hint, shown) in [
        (longest.as_str(), longest.as_str()),
        (&"x".repeat(256), ""),
        (&"ä".repeat(128), ""),
        ("ali\u{202E}ce", ""),
        ("ali\u{0}ce", ""),
        ("alice\r\nbob", ""),
        ("\" onfocus=\"alert(1)", "\" onfocus=\"alert(1)"),
    ] {
        let page = server.browser().authorize(&ask_of_web().with("login_hint", hint)).await;
        assert_eq!(page.form().value("username"), shown, "{hint:?}");
        assert!(page.page().attributes("onfocus").is_empty());
    }
}

#[tokio::test]
async fn the_login_endpoint_takes_one_well_formed_form() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let get = browser.get("/login").await;
    assert_eq!((get.status.as_u16(), get.header("allow")), (405, "POST"));
    let json = server.http().post(server.url("/login")).header("content-type", "application/json").body("{}");
    assert_eq!(Answer::of(json).await.status, 415);
    let form = browser.authorize(&ask_of_web()).await.form().fill("username", ALICE).fill("password", PASSWORD);
    let twice = server.http().post(server.url("/login")).body(format!("{}&username=bob", form.encoded()));
    let twice = Answer::of(twice.header("content-type", "application/x-www-form-urlencoded")).await;
    assert_eq!(twice.status, 400);
    assert_eq!(twice.page().count("form"), 0);
}
