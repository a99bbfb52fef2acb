//! Signing out: asked by GET, done by POST, and then the session is dead wherever its cookie is.

use crate::harness::people::{WEB, people};
use crate::harness::requests::{ask_of_trusted, ask_of_web, redemption, refresh};
use crate::harness::{Answer, TestServer};

fn assert_signed_out(answer: &Answer) {
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.page().assert_says("Signed out");
    assert_eq!(answer.page().count("form"), 0);
}

#[tokio::test]
async fn a_get_asks_and_a_post_signs_out_so_that_a_copy_of_the_cookie_is_dead_too() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    browser.code(&ask_of_trusted()).await;
    let (mut copy, mut other) = (browser.clone(), server.browser());
    other.code(&ask_of_trusted()).await;

    let page = browser.get("/logout").await;
    page.page().assert_says("Sign out?");
    assert!(page.cookies().is_empty());
    assert!(!browser.authorize(&ask_of_trusted()).await.code().is_empty(), "a GET has changed nothing");

    assert_signed_out(&browser.submit(&page.form()).await);
    assert_eq!(browser.cookie("session"), None);
    assert!(copy.cookie("session").is_some());
    for browser in [&mut browser, &mut copy] {
        assert!(browser.authorize(&ask_of_trusted()).await.is_login());
        assert_signed_out(&browser.get("/logout").await);
    }
    assert!(!other.authorize(&ask_of_trusted()).await.code().is_empty(), "another session of the same person");
}

#[tokio::test]
async fn a_form_that_is_not_this_sessions_own_signs_nobody_out() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let login = browser.authorize(&ask_of_web()).await;
    let consent = browser.sign_in(&login).await.form();
    let form = browser.get("/logout").await.form();
    let mut other = server.browser();
    other.code(&ask_of_trusted()).await;
    let of_other = other.get("/logout").await.form();
    for forged in [
        form.clone().without("csrf"),
        form.clone().fill("csrf", consent.value("csrf")),
        form.clone().fill("csrf", of_other.value("csrf")),
    ] {
        assert_eq!(browser.submit(&forged).await.status, 400);
    }
    for page in
        [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://evil.example.com")]
    {
        assert_eq!(browser.submit_from(&[page], &form).await.status, 400);
    }
    assert!(browser.authorize(&ask_of_web()).await.is_consent(), "still signed in");
    assert_signed_out(&browser.submit(&form).await);
    assert_signed_out(&browser.submit(&form).await);
}

#[tokio::test]
async fn whoever_is_not_signed_in_has_nothing_to_do() {
    let server = TestServer::start(&people());
    assert_signed_out(&server.browser().get("/logout").await);
}

#[tokio::test]
async fn signing_out_here_ends_no_grant_of_an_application() {
    let server = TestServer::start(&people());
    let mut browser = server.browser();
    let code = browser.code(&ask_of_web()).await;
    let refresh_token = server.token(WEB, &redemption(&ask_of_web(), &code)).await.refresh_token();
    let form = browser.get("/logout").await.form();
    browser.submit(&form).await;
    assert_eq!(server.token(WEB, &refresh(&refresh_token)).await.status, 200);
}
