//! Sessions: their cookies, how long they last, and what ends them before.

use std::time::Duration;

use actix_web::cookie::time::Duration as CookieDuration;
use actix_web::cookie::{Cookie, SameSite};
use reqwest::header::HeaderValue;

use crate::harness::browser::Browser;
use crate::harness::people::{
    ALICE, ALICES_SUBJECT, BOB, BOBS_PASSWORD, BOBS_SUBJECT, PASSWORD, TRUSTED, people, with_bob, with_password,
    without_people,
};
use crate::harness::requests::{ask_of_trusted, ask_of_web, redemption};
use crate::harness::{Answer, START, TestServer, claims, log};

/// Who this browser is signed in as, by the token that comes of it; `None`: nobody.
async fn subject(server: &TestServer, browser: &mut Browser) -> Option<String> {
    let asked = ask_of_trusted();
    let answer = browser.authorize(&asked).await;
    if answer.is_login() {
        return None;
    }
    let tokens = server.token(TRUSTED, &redemption(&asked, &answer.code())).await;
    claims(&tokens.access_token())["sub"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn a_person_signs_in_once_and_is_known_from_then_on() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let page = browser.authorize(&ask_of_trusted()).await;
    assert_eq!(page.status, 200);
    page.page().assert_says("Sign in to continue to Our own");
    let answer = browser.sign_in(&page).await;
    assert_eq!(answer.status, 303, "never 307: a browser would send the password on");
    assert!(answer.code().starts_with("jsc_"));
    assert_eq!((answer.header("cache-control"), answer.header("referrer-policy")), ("no-store", "no-referrer"));
    assert_eq!(subject(&server, &mut browser).await.as_deref(), Some(ALICES_SUBJECT));
    assert_eq!(subject(&server, &mut server.browser()).await, None);
}

#[tokio::test]
async fn every_sign_in_begins_a_session_of_its_own() {
    let server = TestServer::start(&with_bob(&people()));
    let mut browser = server.browser();
    let page = browser.authorize(&ask_of_trusted()).await;
    browser.sign_in_as(&page, BOB, BOBS_PASSWORD).await.code();
    // Whoever planted Bob's session in Alice's browser is not signed in as Alice with it.
    let mut planted = browser.clone();
    server.advance(Duration::from_secs(1));
    let page = browser.authorize(&ask_of_trusted().with("prompt", "login")).await;
    browser.sign_in(&page).await.code();
    assert_eq!(subject(&server, &mut browser).await.as_deref(), Some(ALICES_SUBJECT));
    assert_eq!(subject(&server, &mut planted).await.as_deref(), Some(BOBS_SUBJECT));
    // Signing out ends one of two sessions of the same person, so they are two.
    let mut before = browser.clone();
    server.advance(Duration::from_secs(1));
    let page = browser.authorize(&ask_of_trusted().with("prompt", "login")).await;
    browser.sign_in(&page).await.code();
    let logout = browser.get("/logout").await.form();
    browser.submit(&logout).await;
    assert_eq!(subject(&server, &mut browser).await, None);
    assert_eq!(subject(&server, &mut before).await.as_deref(), Some(ALICES_SUBJECT));
}

/// Every cookie that a way through sign-in, consent and sign-out sets, those that take one away among them.
async fn all_cookies(mut browser: Browser) -> Vec<Cookie<'static>> {
    let login = browser.authorize(&ask_of_web()).await;
    let form = login.form().fill("username", ALICE).fill("password", PASSWORD);
    let signed_in = browser.clone().submit_once(&form).await;
    let consent = browser.sign_in(&login).await;
    let code = browser.allow(&consent).await;
    let logout = browser.get("/logout").await;
    let signed_out = browser.submit(&logout.form()).await;
    let cookies = [login, signed_in, consent, code, logout, signed_out].map(|answer| answer.cookies()).concat();
    assert_eq!(cookies.len(), 6, "{cookies:?}");
    cookies
}

#[tokio::test]
async fn cookies_are_for_this_server_alone_and_no_script_reads_them() {
    let server = TestServer::start(&people());
    let cookies = all_cookies(server.browser()).await;
    for cookie in &cookies {
        assert_eq!((cookie.http_only(), cookie.secure()), (Some(true), None), "{cookie}");
        assert_eq!((cookie.same_site(), cookie.path()), (Some(SameSite::Lax), Some("/")), "{cookie}");
        assert_eq!(cookie.domain(), None, "{cookie}");
        assert!(!cookie.name().starts_with("__"), "{cookie}");
    }
    let seconds: Vec<_> = cookies.iter().map(|cookie| cookie.max_age().expect("an age").whole_seconds()).collect();
    assert_eq!(seconds, [30 * 60, 12 * 3600, 90 * 86_400, 90 * 86_400, 0, 0]);
    assert!(
        cookies.iter().all(|cookie| cookie.value().is_empty() == cookie.max_age().is_some_and(CookieDuration::is_zero))
    );
    // Cookies know no ports: another server on this machine has other names.
    let elsewhere = all_cookies(TestServer::start(&people()).browser()).await;
    assert!(cookies.iter().zip(&elsewhere).all(|(one, other)| one.name() != other.name()));
}

#[tokio::test]
async fn behind_https_cookies_are_secure_and_bound_to_the_host() {
    const ISSUER: &str = "https://login.example.com";
    let server = TestServer::start(&format!("issuer = \"{ISSUER}\"\n{}", people()));
    let cookies = all_cookies(server.browser_at(ISSUER)).await;
    for cookie in &cookies {
        assert_eq!((cookie.http_only(), cookie.secure()), (Some(true), Some(true)), "{cookie}");
        assert_eq!((cookie.same_site(), cookie.path()), (Some(SameSite::Lax), Some("/")), "{cookie}");
        assert_eq!(cookie.domain(), None, "{cookie}");
    }
    let names: Vec<_> = cookies.iter().map(Cookie::name).collect();
    let kinds = ["browser", "session", "known", "consents"];
    let [browser, session, known, consents] = kinds.map(|kind| format!("__Host-jotsmith-{kind}"));
    assert_eq!(names, [&browser, &session, &known, &consents, &session, &browser]);
}

#[tokio::test]
async fn behind_https_a_form_comes_from_the_issuers_own_origin() {
    const ISSUER: &str = "https://login.example.com";
    let server = TestServer::start(&format!("issuer = \"{ISSUER}\"\n{}", people()));
    let mut browser = server.browser_at(ISSUER);
    let form = browser.authorize(&ask_of_trusted()).await.form().fill("username", ALICE).fill("password", PASSWORD);
    // Not where the server listens behind its proxy, and not the same host without encryption.
    let listening = server.url("");
    for origin in [listening.as_str(), "http://login.example.com", "https://example.com"] {
        assert_eq!(browser.submit_from(&[("origin", origin)], &form).await.status, 400, "{origin}");
    }
    assert!(browser.submit_from(&[("origin", ISSUER)], &form).await.code().starts_with("jsc_"));
}

/// Opens the authorization endpoint with exactly this `Cookie` header.
async fn with_cookie_header(server: &TestServer, header: &[u8]) -> Answer {
    let url = server.url(&format!("/authorize?{}", ask_of_trusted().encoded()));
    Answer::of(server.http().get(url).header("cookie", HeaderValue::from_bytes(header).expect("a header"))).await
}

#[tokio::test]
async fn what_a_neighbour_sets_neither_passes_for_our_cookie_nor_hides_it() {
    const ISSUER: &str = "https://login.example.com";
    let server = TestServer::start(&format!("issuer = \"{ISSUER}\"\n{}", people()));
    let mut browser = server.browser_at(ISSUER);
    browser.code(&ask_of_trusted()).await;
    let value = browser.cookie("session").expect("a session");
    let header = |name: &str| format!("{name}={value}").into_bytes();
    // A browser keeps `__Host-` for us; it does not know that somebody might decode a name before comparing it.
    for name in [
        "%5F%5FHost-jotsmith-session",
        "__Host-jotsmith%2Dsession",
        "__host-jotsmith-session",
        "x__Host-jotsmith-session",
    ] {
        assert!(with_cookie_header(&server, &header(name)).await.is_login(), "{name}");
    }
    let own = header("__Host-jotsmith-session");
    for neighbours in [&b"nameless; =x; a=%ff; b=\"c; "[..], b"caf\xe9=\xff; ", b"__Host-jotsmith-sessions=x;", b""] {
        let answer = with_cookie_header(&server, &[neighbours, &own, b"; last"].concat()).await;
        assert!(answer.code().starts_with("jsc_"), "{}", String::from_utf8_lossy(neighbours));
    }
}

#[tokio::test]
async fn a_cookie_that_was_changed_or_is_another_ones_is_no_session() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    browser.code(&ask_of_trusted()).await;
    let sealed = browser.cookie("session").expect("a session").to_owned();
    for at in (0..sealed.len()).step_by(sealed.len() / 16) {
        let other = if sealed.as_bytes()[at] == b'A' { "B" } else { "A" };
        let mut thief = browser.clone();
        thief.plant("session", &format!("{}{other}{}", &sealed[..at], &sealed[at + 1..]));
        assert_eq!(subject(&server, &mut thief).await, None, "{at}");
    }
    let elsewhere = TestServer::start(&people());
    let mut foreign = elsewhere.browser();
    foreign.code(&ask_of_web()).await;
    for kind in ["session", "consents"] {
        let mut thief = browser.clone();
        thief.plant("session", foreign.cookie(kind).expect("a cookie"));
        assert_eq!(subject(&server, &mut thief).await, None, "{kind}");
    }
    assert_eq!(subject(&server, &mut browser).await.as_deref(), Some(ALICES_SUBJECT));
}

#[tokio::test]
async fn a_session_lasts_as_long_as_it_is_configured_to() {
    let server = TestServer::start(&format!("{}\n[lifetimes]\nsession = \"1h\"\n", people()));
    let mut browser = server.browser();
    browser.code(&ask_of_trusted()).await;
    server.advance(Duration::from_millis(3_599_999));
    assert_eq!(subject(&server, &mut browser).await.as_deref(), Some(ALICES_SUBJECT));
    server.advance(Duration::from_millis(1));
    assert_eq!(subject(&server, &mut browser).await, None);
}

#[tokio::test]
async fn a_changed_password_ends_the_sessions_that_began_with_the_old_one() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    browser.code(&ask_of_trusted()).await;
    server.reload(&people()).await.expect("a change that is none");
    assert_eq!(subject(&server, &mut browser).await.as_deref(), Some(ALICES_SUBJECT));
    server.reload(&with_password(&people(), "another one")).await.expect("a good change");
    let mut before = browser.clone();
    let page = browser.authorize(&ask_of_trusted()).await;
    assert!(page.is_login());
    assert_eq!(browser.sign_in(&page).await.status, 403);
    browser.sign_in_as(&page, ALICE, "another one").await.code();
    assert_eq!(subject(&server, &mut browser).await.as_deref(), Some(ALICES_SUBJECT));
    assert_eq!(subject(&server, &mut before).await, None);
}

#[tokio::test]
async fn a_person_who_was_taken_out_is_signed_in_nowhere() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    browser.code(&ask_of_trusted()).await;
    server.reload(&without_people(&people())).await.expect("a good change");
    let page = browser.authorize(&ask_of_trusted()).await;
    assert!(page.is_login());
    assert_eq!(browser.sign_in(&page).await.status, 403);
}

#[tokio::test]
async fn the_time_of_signing_in_is_when_the_password_was_right() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let page = browser.authorize(&ask_of_trusted()).await;
    server.advance(Duration::from_mins(7));
    let code = browser.sign_in(&page).await.code();
    let tokens = server.token(TRUSTED, &redemption(&ask_of_trusted(), &code)).await;
    assert_eq!(claims(&tokens.access_token())["auth_time"], START.as_seconds() + 7 * 60);
}

#[tokio::test]
async fn a_session_from_a_clock_that_was_ahead_is_not_taken_before_its_time_and_the_log_says_so() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    browser.code(&ask_of_trusted()).await;
    server.clock.set(START.before(Duration::from_mins(1)));
    assert!(browser.authorize(&ask_of_trusted()).await.code().starts_with("jsc_"), "clocks lie apart");
    server.clock.set(START.before(Duration::from_millis(60_001)));
    let page = browser.clone().authorize(&ask_of_trusted()).await;
    assert!(page.is_login());
    let lines = log::lines_with(page.header("x-request-id"));
    assert!(lines.iter().any(|line| line["level"] == "WARN" && line["session.began"] == *START.to_string()));
    server.clock.set(START);
    browser.authorize(&ask_of_trusted()).await.code();
}

#[tokio::test]
async fn a_form_from_a_clock_that_was_ahead_leads_back_to_its_client() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let page = browser.authorize(&ask_of_trusted()).await;
    server.clock.set(START.before(Duration::from_hours(1)));
    let answer = browser.sign_in(&page).await;
    assert_eq!(answer.status, 400);
    assert!(!answer.is_login());
    let page = browser.authorize(&ask_of_trusted()).await;
    browser.sign_in(&page).await.code();
}
