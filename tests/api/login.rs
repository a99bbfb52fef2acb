//! Signing in: the login page, its form, and whom and what it is good for.

use std::time::Duration;

use crate::harness::browser::{Browser, FROM_OUR_PAGE};
use crate::harness::people::{ALICE, BOB, BOBS_PASSWORD, BOBS_SUBJECT, PASSWORD, WEB, WEB_CALLBACK, people, with_bob};
use crate::harness::requests::{ask_of_trusted, ask_of_web, redemption};
use crate::harness::{Answer, TestServer, claims};

/// Asserts that the person is told that the form is not good, and that nobody is signed in.
fn assert_stale(answer: &Answer) {
    assert_eq!(answer.status, 400, "{}", answer.body);
    answer.page().assert_says("This page is too old, or was opened in another browser.");
    assert!(answer.cookies().is_empty());
    answer.assert_is_not_stored();
}

/// Asserts that nobody is signed in and no password was tried, and that the person may go on with the same request.
async fn assert_asked_again(browser: &Browser, answer: &Answer) {
    assert_eq!(answer.status, 409, "{}", answer.body);
    assert!(answer.is_login());
    answer.page().assert_says("opened in another browser, or lay open too long");
    assert!(!answer.cookies().iter().any(|cookie| !cookie.name().contains("browser")), "{:?}", answer.cookies());
    answer.assert_is_not_stored();
    assert_eq!((answer.form().value("username"), answer.form().value("password")), (ALICE, ""));
    assert!(browser.clone().sign_in(answer).await.is_consent());
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
    ] {
        let answer = browser.submit(&forged).await;
        assert_asked_again(&browser, &answer).await;
    }
    assert_eq!(browser.submit(&form.clone().fill("request", other_request.value("request"))).await.status, 409);
    assert_stale(&browser.submit(&form.clone().without("request")).await);
    let mut other_browser = server.browser();
    for _ in 0..2 {
        let answer = other_browser.clone().submit(&form).await;
        assert_eq!(answer.status, 409);
        other_browser.authorize(&ask_of_web()).await;
    }
    let answer = other_browser.submit(&form).await;
    assert_asked_again(&other_browser, &answer).await;
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
        let answer = browser.submit(&login.clone().fill("csrf", csrf)).await;
        assert_asked_again(&browser, &answer).await;
    }
    // The request of the consent page is the very same; its token is not for signing in.
    let mixed = login.clone().fill("request", consent.value("request"));
    let answer = browser.submit(&mixed.fill("csrf", consent.value("csrf"))).await;
    assert_asked_again(&browser, &answer).await;
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
    let page = late.page();
    page.assert_says("This took too long");
    page.assert_says("Go back to Web shop and start again.");
    assert!(late.cookies().is_empty());
    // The way back is an answer: it says no more than that, and only the person sends it.
    let back = page.attributes("href").into_iter().find(|href| href.starts_with(WEB_CALLBACK)).expect("a way back");
    let query: std::collections::BTreeMap<_, _> =
        form_urlencoded::parse(back.split_once('?').expect("a query").1.as_bytes()).into_owned().collect();
    assert_eq!((&*query["error"], &*query["state"], &*query["iss"]), ("access_denied", "af0ifjsldkj", &*server.issuer));
}

#[tokio::test]
async fn the_way_back_from_a_request_that_waited_too_long_is_a_form_where_its_answer_is_one() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let asked = ask_of_web().with("response_mode", "form_post");
    let login = browser.authorize(&asked).await;
    let consent = browser.sign_in(&login).await;
    server.advance(Duration::from_mins(31));
    for form in [login.form().fill("username", ALICE).fill("password", PASSWORD), consent.form().press("allow")] {
        let late = browser.submit(&form).await;
        assert_eq!(late.status, 400);
        late.page().assert_says("Go back to Web shop and start again.");
        assert_eq!(late.page().count("script"), 0);
        assert_eq!((late.form().action.as_str(), late.form().value("error")), (WEB_CALLBACK, "access_denied"));
    }
}

#[tokio::test]
async fn a_form_of_another_tab_a_second_click_and_a_reload_sign_in_as_well() {
    let server = TestServer::start(&with_bob(&people()));
    let mut browser = server.browser();
    let first = browser.authorize(&ask_of_web().with("state", "1")).await;
    let second = browser.authorize(&ask_of_web().with("state", "2")).await;
    let consents = [browser.sign_in(&first).await, browser.sign_in(&first).await, browser.sign_in(&second).await];
    assert!(consents.iter().all(Answer::is_consent));
    // What was asked in a session that is not the browser's any more is asked again, in the one that is.
    let again = browser.allow(&consents[0]).await;
    assert_eq!(again.status, 409);
    assert!(again.is_consent());
    again.page().assert_says("Nothing was allowed yet");
    assert_eq!(browser.allow(&again).await.sent_back()["state"], "1");
    assert_eq!(browser.allow(&consents[2]).await.sent_back()["state"], "2");
}

#[tokio::test]
async fn a_consent_asked_of_one_person_is_not_given_by_the_next() {
    let server = TestServer::start(&with_bob(&people()));
    let mut browser = server.browser();
    let asked = ask_of_web().with("state", "alice's");
    let login = browser.authorize(&asked).await;
    let alices = browser.sign_in(&login).await;
    server.advance(Duration::from_secs(1));
    let login = browser.authorize(&ask_of_web().with("prompt", "login")).await;
    let bobs = browser.sign_in_as(&login, BOB, BOBS_PASSWORD).await;
    // Not when Bob has consented to the very same before, and not when the button was `no` either.
    browser.allow(&bobs).await.code();
    for decision in ["allow", "deny"] {
        let again = browser.submit(&alices.form().press(decision)).await;
        assert_eq!(again.status, 409);
        assert!(again.is_consent());
    }
    let again = browser.allow(&alices).await;
    let code = browser.allow(&again).await.code();
    let tokens = server.token(WEB, &redemption(&asked, &code)).await;
    assert_eq!(claims(&tokens.access_token())["sub"], BOBS_SUBJECT);
}

#[tokio::test]
async fn who_was_signed_out_meanwhile_signs_in_and_is_asked_again() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let login = browser.authorize(&ask_of_web()).await;
    let consent = browser.sign_in(&login).await;
    let logout = browser.get("/logout").await;
    browser.submit(&logout.form()).await;
    let answer = browser.allow(&consent).await;
    assert_eq!(answer.status, 409);
    assert!(answer.is_login());
    answer.page().assert_says("You are not signed in any more.");
    let answer = browser.sign_in(&answer).await;
    assert!(answer.is_consent());
    browser.allow(&answer).await.code();
}

#[tokio::test]
async fn the_question_has_an_address_of_its_own_that_gives_nothing() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let login = browser.authorize(&ask_of_web()).await;
    let form = login.form().fill("username", ALICE).fill("password", PASSWORD);
    let answer = browser.submit_once(&form).await;
    assert_eq!(answer.status, 303);
    let address = answer.location();
    assert_eq!(address.path(), "/consent");
    let path = format!("{}?{}", address.path(), address.query().expect("a request"));
    for text in [ALICE, PASSWORD, "af0ifjsldkj", WEB] {
        assert!(!path.contains(text), "{path}");
    }
    // Whoever opens it is asked what somebody is asked who comes from the client.
    assert!(server.browser().get(&path).await.is_login());
    let page = browser.get(&path).await;
    assert!(page.is_consent());
    browser.allow(&page).await.code();
    server.advance(Duration::from_secs(1));
    assert!(browser.authorize(&ask_of_web()).await.code().starts_with("jsc_"), "the answer is remembered");
    assert!(browser.get(&path).await.is_consent(), "out of the history it is asked all the same");
    assert_stale(&browser.get("/consent").await);
    assert_stale(&browser.get(&path.replace("?request=", "?request=A")).await);
    server.advance(Duration::from_mins(31));
    browser.get(&path).await.page().assert_says("This took too long");
}

#[tokio::test]
async fn a_request_too_long_for_an_address_is_asked_about_at_once() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let state = "x".repeat(4700);
    let login = browser.authorize(&ask_of_web().with("state", &state)).await;
    let form = login.form().fill("username", ALICE).fill("password", PASSWORD);
    let answer = browser.submit_once(&form).await;
    assert_eq!(answer.status, 200);
    assert!(answer.is_consent());
    assert_eq!(browser.allow(&answer).await.sent_back()["state"], state);
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
    // The address that stands in the browser after a wrong password, opened by itself.
    assert_stale(&browser.get("/login").await);
    let put = Answer::of(server.http().put(server.url("/login"))).await;
    assert_eq!((put.status.as_u16(), put.header("allow")), (405, "GET, POST"));
    let json = server.http().post(server.url("/login")).header("content-type", "application/json").body("{}");
    assert_eq!(Answer::of(json).await.status, 415);
    let form = browser.authorize(&ask_of_web()).await.form().fill("username", ALICE).fill("password", PASSWORD);
    let twice = server.http().post(server.url("/login")).body(format!("{}&username=bob", form.encoded()));
    let twice = Answer::of(twice.header("content-type", "application/x-www-form-urlencoded")).await;
    assert_eq!(twice.status, 400);
    assert_eq!(twice.page().count("form"), 0);
}
