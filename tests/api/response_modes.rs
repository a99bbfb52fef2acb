//! How an answer travels: in the query, in the fragment, or in a form that the browser posts (OAuth 2.0 Form Post Response
//! Mode).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jotsmith::foundation::digest::sha256;

use crate::harness::people::{ALICE, APP, PAGE_CALLBACK, WEB, WEB_CALLBACK, people, with_client, with_page};
use crate::harness::requests::{ask_of_app, ask_of_page, ask_of_web, redemption};
use crate::harness::{Answer, TestServer, claims};

const SCRIPT: &str = "document.forms[0].submit();";

/// Asserts that a page is private, and that its policy allows its style and its one script and nothing else.
fn assert_is_form_post_page(answer: &Answer) {
    answer.assert_is_not_stored();
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert_eq!(answer.header("x-frame-options"), "DENY");
    let between = |open: &str, close: &str| {
        let (_, rest) = answer.body.split_once(open).expect("it opens");
        rest.split_once(close).expect("it closes").0.to_owned()
    };
    assert_eq!(between("<script>", "</script>"), SCRIPT);
    let [style, script] = [between("<style>", "</style>"), SCRIPT.to_owned()].map(|text| STANDARD.encode(sha256(text)));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; base-uri 'none'; frame-ancestors 'none'"
    );
    assert_eq!(answer.header("content-security-policy"), policy);
    assert_eq!(answer.headers.get_all("content-security-policy").iter().count(), 1);
    let page = answer.page();
    assert_eq!((page.count("script"), page.count("form"), page.count("button")), (1, 1, 1), "{}", answer.body);
    for element in ["link", "img", "iframe", "object", "base", "a"] {
        assert_eq!(page.count(element), 0, "{element}");
    }
    let events: usize = ["onclick", "onload", "onerror", "onfocus", "style", "src"]
        .map(|name| page.attributes(name).len())
        .iter()
        .sum();
    assert_eq!(events, 0, "{}", answer.body);
}

#[tokio::test]
async fn a_code_travels_as_the_request_asks_and_is_good_either_way() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    for mode in ["query", "fragment", "form_post"] {
        let asked = ask_of_web().with("response_mode", mode);
        let answer = browser.consent(&asked).await;
        let sent = match mode {
            "query" => answer.sent_back(),
            "fragment" => answer.sent_in_fragment(),
            _ => answer.posted_to(WEB_CALLBACK),
        };
        assert_eq!(sent.keys().map(String::as_str).collect::<Vec<_>>(), ["code", "iss", "state"], "{mode}");
        assert_eq!((sent["state"].as_str(), sent["iss"].as_str()), ("af0ifjsldkj", server.issuer.as_str()));
        let tokens = server.token(WEB, &redemption(&asked, &sent["code"])).await;
        assert_eq!(claims(&tokens.access_token())["client_id"], WEB);
    }
}

#[tokio::test]
async fn the_page_that_posts_an_answer_is_private_and_has_one_constant_script() {
    let server = TestServer::start(&with_page(&people()));
    let mut browser = server.browser();
    let of_web = ask_of_web().with("response_mode", "form_post");
    let of_page = ask_of_page().with("response_mode", "form_post");
    let login = browser.authorize(&of_web).await;
    let consent = browser.sign_in(&login).await;
    for (answer, callback, host) in [
        (browser.allow(&consent).await, WEB_CALLBACK, "web.example.com"),
        (browser.authorize(&of_web).await, WEB_CALLBACK, "web.example.com"),
        (browser.consent(&of_page).await, PAGE_CALLBACK, "page.example.com"),
        (browser.authorize(&of_web.clone().with("scope", "admin")).await, WEB_CALLBACK, "web.example.com"),
    ] {
        answer.posted_to(callback);
        assert_is_form_post_page(&answer);
        answer.page().assert_says(&format!("Going back to {host}"));
        answer.page().assert_says("press the button");
        assert_eq!(answer.header("location"), "");
    }
}

#[tokio::test]
async fn a_token_is_posted_where_that_is_asked_for_and_stands_in_no_address() {
    let server = TestServer::start(&with_page(&people()));
    let asked = ask_of_page().with("response_mode", "form_post");
    let answer = server.browser().consent(&asked).await;
    let sent = answer.posted_to(PAGE_CALLBACK);
    let names: Vec<_> = sent.keys().map(String::as_str).collect();
    assert_eq!(names, ["access_token", "expires_in", "iss", "scope", "state", "token_type"]);
    assert_eq!(claims(&sent["access_token"])["scope"], "read write");
    assert!(answer.headers.values().all(|value| !value.as_bytes().windows(4).any(|window| window == b"eyJ0")));
}

#[tokio::test]
async fn whatever_a_request_sends_is_posted_back_as_it_was_and_becomes_no_part_of_the_page() {
    let uri = "https://web.example.com/cb?a=1&amp;b='2'&quot=(x)";
    let server = TestServer::start(&with_client(&people(), WEB, &format!("redirect_uris = [\"{uri}\"]")));
    let mut browser = server.browser();
    let ask = ask_of_web().with("response_mode", "form_post").with("redirect_uri", uri);
    for state in [
        "\"><script>alert(1)</script>",
        "' autofocus onfocus='alert(1)",
        "</form></script><img src=x onerror=\"a()\">",
        "&quot;&#34;&lt;&amp;amp;",
        "{{ 7*7 }}{% raw %}",
        "ä\u{fffc}\u{2028}<!--",
        " a  b ",
        "+%2B%00",
    ] {
        let asked = ask.clone().with("state", state);
        let answer = browser.consent(&asked).await;
        assert_is_form_post_page(&answer);
        assert_eq!(answer.posted_to(uri)["state"], state);
        let refused = browser.authorize(&asked.with("scope", "admin")).await;
        assert_is_form_post_page(&refused);
        assert_eq!(refused.posted_to(uri)["state"], state);
    }
}

#[tokio::test]
async fn an_error_goes_the_way_that_the_answer_would_have_gone() {
    let server = TestServer::start(&with_page(&people()));
    for ask in [ask_of_web(), ask_of_page()] {
        let callback = ask.get("redirect_uri").expect("one").to_owned();
        for mode in ["query", "fragment", "form_post"] {
            if mode == "query" && ask.get("response_type") == Some("token") {
                continue;
            }
            let ask = ask.clone().with("response_mode", mode);
            for (asked, error) in [
                (ask.clone().with("scope", "admin"), "invalid_scope"),
                (ask.clone().with("prompt", "none"), "login_required"),
                (ask.clone().and("scope", "read"), "invalid_request"),
                (ask.clone().and("x", "%").and("resource", "x"), "invalid_target"),
                (ask.clone().with("response_type", "none"), "unsupported_response_type"),
            ] {
                let post = server.http().post(server.url("/authorize")).body(asked.encoded());
                let post = Answer::of(post.header("content-type", "application/x-www-form-urlencoded")).await;
                let get = server.get(&format!("/authorize?{}", asked.encoded())).await;
                for answer in [get, post] {
                    let sent = match mode {
                        "query" => answer.sent_back(),
                        "fragment" => answer.sent_in_fragment(),
                        _ => answer.posted_to(&callback),
                    };
                    assert_eq!(sent["error"], error, "{mode} {asked:?}");
                    assert_eq!((sent["state"].as_str(), sent["iss"].as_str()), ("af0ifjsldkj", server.issuer.as_str()));
                    assert_eq!(sent.len(), 4);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_person_who_says_no_or_cannot_sign_in_is_sent_back_the_same_way() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let asked = ask_of_web().with("response_mode", "form_post");
    let login = browser.authorize(&asked).await;
    let wrong = browser.sign_in_as(&login, ALICE, "wrong").await;
    assert!(wrong.is_login(), "the person tries again");
    let consent = browser.sign_in(&wrong).await;
    let denied = browser.submit(&consent.form().press("deny")).await;
    assert_eq!(denied.posted_to(WEB_CALLBACK)["error"], "access_denied");
}

#[tokio::test]
async fn a_mode_that_cannot_be_is_told_in_the_usual_way() {
    let app = with_client(&people(), APP, "redirect_uris = [\"com.example.app:/cb\"]");
    let server = TestServer::start(&app);
    let form = |ask: crate::harness::requests::Parameters| ask.with("response_mode", "form_post");
    let to_app = form(ask_of_app()).with("redirect_uri", "com.example.app:/cb");
    let line_break = form(ask_of_web()).with("state", "a\r\nb");
    for asked in [to_app, line_break, ask_of_web().with("response_mode", "jwt")] {
        let answer = server.get(&format!("/authorize?{}", asked.encoded())).await;
        answer.assert_sent_back(&server, &asked, "invalid_request");
    }
}

#[tokio::test]
async fn a_bad_client_or_redirect_uri_is_shown_to_the_person_in_any_mode() {
    let server = TestServer::start(&with_page(&people()));
    for mode in ["query", "fragment", "form_post"] {
        for ask in [ask_of_web(), ask_of_page()] {
            let ask = ask.with("response_mode", mode);
            for asked in [
                ask.clone().with("redirect_uri", "https://evil.example.com/cb"),
                ask.clone().with("redirect_uri", "javascript:alert(1)"),
                ask.with("client_id", "nobody"),
            ] {
                let answer = server.get(&format!("/authorize?{}", asked.encoded())).await;
                assert_eq!(answer.status, 400, "{asked:?}");
                assert_eq!(answer.page().count("form") + answer.page().count("script"), 0);
                assert_eq!(answer.header("location"), "");
            }
        }
    }
}
