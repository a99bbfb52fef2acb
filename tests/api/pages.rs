//! The pages that people meet: their headers, and that nothing in them becomes part of them.

use actix_web::cookie::SameSite;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jotsmith::foundation::digest::sha256;

use crate::harness::people::{ALICE, PASSWORD, WEB, people, with_client};
use crate::harness::requests::ask_of_web;
use crate::harness::{Answer, TestServer};

/// The longest a page may be, with its style, in bytes.
const LONGEST_PAGE: usize = 15_000;

/// Every page that there is, each by a name.
async fn every_page(server: &TestServer) -> Vec<(&'static str, Answer)> {
    let mut browser = server.browser();
    let login = browser.authorize(&ask_of_web()).await;
    let wrong = browser.sign_in_as(&login, ALICE, "wrong").await;
    let stale = browser.clone().submit(&login.form().without("csrf")).await;
    let no_form = server.http().post(server.url("/login")).header("content-type", "text/plain").body("x");
    let no_form = Answer::of(no_form).await;
    let consent = browser.sign_in(&login).await;
    let none_left = browser.submit(&consent.form().without("scope:read").without("scope:write").press("allow")).await;
    let switched = browser.clone().submit(&consent.form().press("switch")).await;
    let posting = browser.consent(&ask_of_web().with("response_mode", "form_post").with("prompt", "consent")).await;
    let logout = browser.get("/logout").await;
    let signed_out = browser.submit(&logout.form()).await;
    let error = browser.get("/authorize").await;
    let mut guessing = server.browser();
    let mut throttled = guessing.authorize(&ask_of_web()).await;
    for _ in 0..=10 {
        throttled = guessing.sign_in_as(&throttled, "nobody", "guess").await;
    }
    assert_eq!((throttled.status.as_u16(), none_left.status.as_u16()), (429, 400));
    vec![
        ("login", login),
        ("wrong password", wrong),
        ("too many tries", throttled),
        ("stale form", stale),
        ("no form", no_form),
        ("consent", consent),
        ("nothing left", none_left),
        ("somebody else", switched),
        ("form post", posting),
        ("logout", logout),
        ("signed out", signed_out),
        ("error", error),
    ]
}

#[tokio::test]
async fn every_page_is_plain_private_short_and_stands_in_no_frame() {
    let server = TestServer::start(&with_client(&people(), WEB, "optional_scope = \"read write\""));
    for (name, answer) in every_page(&server).await {
        answer.assert_is_not_stored();
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{name}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{name}");
        assert_eq!((answer.header("content-language"), answer.header("vary")), ("en", "Accept-Language"), "{name}");
        let between = |start: &str, end: &str| {
            let (_, rest) = answer.body.split_once(start).expect(start);
            STANDARD.encode(sha256(rest.split_once(end).expect(end).0))
        };
        let script = if name == "form post" {
            format!(" script-src 'sha256-{}';", between("<script>", "</script>"))
        } else {
            String::new()
        };
        // No `form-action`: browsers would apply it to the client's own redirects after ours.
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{}';{script} base-uri 'none'; frame-ancestors 'none'",
            between("<style>", "</style>")
        );
        assert_eq!(answer.header("content-security-policy"), policy, "{name}");
        let page = answer.page();
        assert_eq!(page.count("script"), usize::from(name == "form post"), "{name}");
        for element in ["link", "img", "iframe", "object", "base"] {
            assert_eq!(page.count(element), 0, "{name}: {element}");
        }
        for attribute in ["style", "src", "srcset", "onclick", "onload", "background"] {
            assert_eq!(page.attributes(attribute), Vec::<&str>::new(), "{name}: {attribute}");
        }
        assert_eq!((page.attributes("lang"), page.attributes("dir")), (vec!["en"], vec!["ltr"]), "{name}");
        assert_eq!((page.count("h1"), page.count("main"), page.count("title")), (1, 1, 1), "{name}");
        assert!(answer.body.len() < LONGEST_PAGE, "{name} has {} bytes", answer.body.len());
        for cookie in answer.cookies() {
            assert_eq!((cookie.http_only(), cookie.same_site()), (Some(true), Some(SameSite::Lax)), "{name}: {cookie}");
            assert_eq!((cookie.path(), cookie.domain(), cookie.secure()), (Some("/"), None, None), "{name}: {cookie}");
            assert!(cookie.max_age().is_some(), "{name}: {cookie}");
        }
    }
}

#[tokio::test]
async fn behind_https_every_cookie_of_a_page_is_for_https_and_this_host_alone() {
    let origin = "https://login.example.com";
    let server = TestServer::start(&format!("issuer = \"{origin}\"\n{}", people()));
    let mut browser = server.browser_at(origin);
    let login = browser.authorize(&ask_of_web()).await;
    let signed_in = browser.submit_once(&login.form().fill("username", ALICE).fill("password", PASSWORD)).await;
    let consent = browser.authorize(&ask_of_web()).await;
    let cookies = [login.cookies(), signed_in.cookies(), browser.allow(&consent).await.cookies()].concat();
    assert_eq!(cookies.len(), 4, "the mark, the session, for whom the browser is known, the consents: {cookies:?}");
    for cookie in cookies {
        assert!(cookie.name().starts_with("__Host-") && cookie.secure() == Some(true), "{cookie}");
        assert_eq!((cookie.http_only(), cookie.same_site()), (Some(true), Some(SameSite::Lax)), "{cookie}");
    }
}

#[tokio::test]
async fn every_field_has_a_label_and_what_went_wrong_is_tied_to_it() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let login = browser.authorize(&ask_of_web()).await;
    let page = login.page();
    assert_eq!(page.attributes("for"), ["username", "password"]);
    assert_eq!(page.attributes("autocomplete"), ["username", "current-password"]);
    assert!(page.attributes("role").is_empty() && page.attributes("aria-describedby").is_empty());
    let wrong = browser.sign_in_as(&login, ALICE, "wrong").await.page();
    assert_eq!(wrong.attributes("role"), ["alert"]);
    assert_eq!(wrong.attributes("aria-describedby"), ["problem", "problem"]);
    assert_eq!(wrong.attributes("aria-invalid"), ["true", "true"]);
    assert!(wrong.attributes("id").contains(&"problem"));
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
