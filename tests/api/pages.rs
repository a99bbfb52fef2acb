//! The pages that people meet: their headers, and that nothing in them becomes part of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jotsmith::foundation::digest::sha256;

use crate::harness::TestServer;
use crate::harness::people::{ALICE, WEB, people, with_client};
use crate::harness::requests::ask_of_web;

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
