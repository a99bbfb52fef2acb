//! Consent: given, refused.

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
