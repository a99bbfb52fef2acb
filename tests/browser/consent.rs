//! Consent: given, refused, partly given; and that it is somebody else who sits here.

use crate::chromium::Setup;
use crate::harness::people::{ALICES_SUBJECT, BOB, BOBS_PASSWORD, BOBS_SUBJECT, WEB, with_bob, with_client};
use crate::visit::Visit;

#[tokio::test]
async fn who_refuses_goes_back_and_the_client_is_told() {
    let Some(visit) = Visit::begin().await else { return };
    let browser = &visit.browser;
    visit.follow(&visit.asked()).await;
    visit.sign_in().await;
    browser.wait_for_heading("Web shop asks for access").await;
    for words in ["See your orders", "Place orders for you", "localhost"] {
        browser.assert_says(words).await;
    }
    browser.press_button("Do not allow").await;
    let arrival = visit.back_at_client().await;
    assert_eq!((arrival.get("error"), arrival.get("state")), ("access_denied", "af0ifjsldkj"));
    assert_eq!(arrival.parameters.get("code"), None);
    // A no is not remembered as a yes.
    visit.follow(&visit.asked()).await;
    browser.wait_for_heading("Web shop asks for access").await;
    browser.assert_well_behaved().await;
}

#[tokio::test]
async fn who_leaves_something_out_grants_the_rest() {
    let optional = |config: String| with_client(&config, WEB, "optional_scope = \"write\"");
    let Some(visit) = Visit::begin_with(Setup::default(), optional).await else { return };
    let browser = &visit.browser;
    visit.follow(&visit.asked()).await;
    visit.sign_in().await;
    browser.wait_for_heading("Web shop asks for access").await;
    let orders = browser.find("checkbox", "Place orders for you").await;
    assert_eq!(browser.driver().property(&orders, "checked").await, true);
    browser.driver().click(&orders).await;
    browser.keep_picture("consent-in-part").await;
    browser.assert_accessible().await;
    browser.press_button("Allow").await;
    let claims = visit.redeem(&visit.back_at_client().await).await;
    assert_eq!(claims["scope"], "read");
    assert_eq!(claims["sub"], ALICES_SUBJECT);
    browser.assert_well_behaved().await;
}

#[tokio::test]
async fn who_is_somebody_else_says_so_and_signs_in() {
    let Some(visit) = Visit::begin_with(Setup::default(), |config| with_bob(&config)).await else { return };
    let browser = &visit.browser;
    visit.follow(&visit.asked()).await;
    visit.sign_in().await;
    browser.assert_says("You are signed in as alice.").await;
    browser.press_button("Not you? Use another account").await;
    browser.wait_for_heading("Sign in to continue to Web shop").await;
    visit.advance(std::time::Duration::from_secs(1));
    visit.sign_in_as(BOB, BOBS_PASSWORD).await;
    browser.wait_for_heading("Web shop asks for access").await;
    browser.assert_says("You are signed in as bob.").await;
    browser.press_button("Allow").await;
    assert_eq!(visit.redeem(&visit.back_at_client().await).await["sub"], BOBS_SUBJECT);
    browser.assert_well_behaved().await;
}
