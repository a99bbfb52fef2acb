//! Signing in: the page, its form, the session that comes of it, and what a guess costs.

use std::time::Duration;

use actix_web::cookie::{Cookie, SameSite};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jotsmith::foundation::digest::sha256;

use crate::harness::browser::{Browser, FROM_OUR_PAGE};
use crate::harness::people::{
    ALICE, ALICES_SUBJECT, BOB, BOBS_PASSWORD, BOBS_SUBJECT, PASSWORD, WEB, people, with_bob, with_client,
    with_password, without_people,
};
use crate::harness::requests::{ask_of_trusted, ask_of_web, redemption};
use crate::harness::{Answer, START, TestServer, claims};

/// Asserts that the person is told that the form is not good, and that nobody is signed in.
fn assert_stale(answer: &Answer) {
    assert_eq!(answer.status, 400, "{}", answer.body);
    answer.page().assert_says("This page is too old, or was opened in another browser.");
    assert!(answer.cookies().is_empty());
    answer.assert_is_not_stored();
}

/// Who this browser is signed in as, by the token that comes of it; `None`: nobody.
async fn subject(server: &TestServer, browser: &mut Browser) -> Option<String> {
    let asked = ask_of_trusted();
    let answer = browser.authorize(&asked).await;
    if answer.is_login() {
        return None;
    }
    let tokens = server.token("trusted", &redemption(&asked, &answer.code())).await;
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
    let consent = browser.sign_in(&login).await;
    let code = browser.allow(&consent).await;
    let logout = browser.get("/logout").await;
    let signed_out = browser.submit(&logout.form()).await;
    let cookies = [login, consent, code, logout, signed_out].map(|answer| answer.cookies()).concat();
    assert_eq!(cookies.len(), 5, "{cookies:?}");
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
    assert_eq!(seconds, [30 * 60, 12 * 3600, 0, 90 * 86_400, 0]);
    assert!(cookies.iter().all(|cookie| cookie.value().is_empty()
        == cookie.max_age().is_some_and(actix_web::cookie::time::SignedDuration::is_zero)));
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
    let [browser, session, consents] = ["browser", "session", "consents"].map(|kind| format!("__Host-jotsmith-{kind}"));
    assert_eq!(names, [&browser, &session, &browser, &consents, &session]);
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
    server.advance(Duration::from_hours(1) - Duration::from_millis(1));
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

/// Tries a password from a network.
async fn attempt(server: &TestServer, network: &str, username: &str, password: &str) -> Answer {
    let mut browser = server.browser();
    let form = browser.authorize(&ask_of_web()).await.form().fill("username", username).fill("password", password);
    let [origin, site] = FROM_OUR_PAGE;
    browser.submit_from(&[origin, site, ("x-forwarded-for", network)], &form).await
}

fn throttled(limit: &str) -> String {
    format!("{}\n[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n[login]\n{limit}\n", with_bob(&people()))
}

#[tokio::test]
async fn too_many_wrong_passwords_for_an_account_make_it_wait_and_no_other() {
    let server = TestServer::start(&throttled("max_failures_per_account = 3\nfailure_window = \"5m\""));
    for (username, right) in [(ALICE, PASSWORD), ("nobody", "none")] {
        for network in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
            assert_eq!(attempt(&server, network, username, "wrong").await.status, 403);
            server.advance(Duration::from_secs(10));
        }
        // From whatever network, with whatever password; a name that nobody has is no different.
        for password in ["wrong", right] {
            let answer = attempt(&server, "192.0.2.4", username, password).await;
            assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, "270"), "{username}");
            answer.page().assert_says("There were too many attempts.");
            assert!(answer.is_login());
            assert!(!answer.cookies().iter().any(|cookie| cookie.name().contains("session")));
        }
        assert!(attempt(&server, "192.0.2.1", BOB, BOBS_PASSWORD).await.is_consent());
        server.advance(Duration::from_secs(270));
        let after = attempt(&server, "192.0.2.1", username, right).await;
        assert_eq!(after.status.as_u16(), if username == ALICE { 200 } else { 403 });
    }
}

#[tokio::test]
async fn the_right_password_clears_the_account() {
    let server = TestServer::start(&throttled("max_failures_per_account = 3"));
    for _ in 0..4 {
        for _ in 0..2 {
            assert_eq!(attempt(&server, "192.0.2.1", ALICE, "wrong").await.status, 403);
        }
        assert!(attempt(&server, "192.0.2.1", ALICE, PASSWORD).await.is_consent());
    }
}

#[tokio::test]
async fn too_many_wrong_passwords_from_a_network_make_it_wait_and_no_other() {
    let server = TestServer::start(&throttled("max_failures_per_network = 3\nfailure_window = \"1m\""));
    for username in ["one", "two", ALICE] {
        assert_eq!(attempt(&server, "2001:db8::1", username, "wrong").await.status, 403);
    }
    // The same /64, and a right password.
    let answer = attempt(&server, "2001:db8::ffff:2", BOB, BOBS_PASSWORD).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, "60"));
    assert!(attempt(&server, "2001:db8:0:1::1", BOB, BOBS_PASSWORD).await.is_consent());
    server.advance(Duration::from_mins(1));
    assert!(attempt(&server, "2001:db8::1", BOB, BOBS_PASSWORD).await.is_consent());
}

#[tokio::test]
async fn a_reload_forgets_no_failure() {
    let config = throttled("max_failures_per_account = 1");
    let server = TestServer::start(&config);
    assert_eq!(attempt(&server, "192.0.2.1", ALICE, "wrong").await.status, 403);
    server.reload(&config).await.expect("a good change");
    assert_eq!(attempt(&server, "192.0.2.1", ALICE, PASSWORD).await.status, 429);
}

#[tokio::test]
async fn every_page_is_plain_private_and_stands_in_no_frame() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let login = browser.authorize(&ask_of_web()).await;
    let wrong = browser.sign_in_as(&login, ALICE, "wrong").await;
    let consent = browser.sign_in(&login).await;
    let logout = browser.get("/logout").await;
    let signed_out = browser.submit(&logout.form()).await;
    let error = browser.get("/authorize").await;
    for answer in [login, wrong, consent, logout, signed_out, error] {
        answer.assert_is_not_stored();
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        let (_, style) = answer.body.split_once("<style>").expect("a style");
        let digest = STANDARD.encode(sha256(style.split_once("</style>").expect("its end").0));
        // No `form-action`: browsers would apply it to the client's own redirects after ours.
        let policy =
            format!("default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'");
        assert_eq!(answer.header("content-security-policy"), policy);
        let page = answer.page();
        for element in ["script", "link", "img", "iframe", "object", "base"] {
            assert_eq!(page.count(element), 0, "{element}: {}", answer.body);
        }
        assert_eq!(page.attributes("style").len() + page.attributes("onclick").len() + page.attributes("src").len(), 0);
        assert_eq!(page.attributes("lang"), ["en"]);
    }
}

#[tokio::test]
async fn nothing_that_a_page_shows_becomes_part_of_it() {
    let hostile = r#"</title></h1><script>alert(1)</script><img src=x onerror="a()">"#;
    let config = with_client(&people(), WEB, &format!("client_name = '{hostile}'"));
    let config = format!("{config}\n[scopes.read]\ndescription = {{ en = '{hostile}' }}\n");
    let server = TestServer::start(&config);
    let mut browser = server.browser();
    let hint = format!("\" autofocus onfocus=\"alert(1){hostile}");
    let login = browser.authorize(&ask_of_web().with("login_hint", &hint)).await;
    let wrong = browser.sign_in_as(&login, &hint, "wrong").await;
    for answer in [&login, &wrong] {
        assert_eq!(answer.form().value("username"), hint, "as it was typed");
    }
    let consent = browser.sign_in(&login).await;
    for answer in [login, wrong, consent] {
        let page = answer.page();
        page.assert_says(hostile);
        assert_eq!(page.count("script") + page.count("img") + page.attributes("onfocus").len(), 0, "{}", answer.body);
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

#[tokio::test]
async fn the_time_of_signing_in_is_when_the_password_was_right() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let page = browser.authorize(&ask_of_trusted()).await;
    server.advance(Duration::from_mins(7));
    let code = browser.sign_in(&page).await.code();
    let tokens = server.token("trusted", &redemption(&ask_of_trusted(), &code)).await;
    assert_eq!(claims(&tokens.access_token())["auth_time"], START.as_seconds() + 7 * 60);
}
