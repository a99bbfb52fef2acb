//! The answer to a client as a form: pressed by the only script there is, or by a person.

use crate::visit::Visit;

#[tokio::test]
async fn the_script_that_the_policy_allows_by_its_digest_posts_the_answer() {
    let Some(visit) = Visit::begin().await else { return };
    visit.follow(&visit.asked().with("response_mode", "form_post")).await;
    visit.sign_in().await;
    visit.browser.press_button("Allow").await;
    let arrival = visit.back_at_client().await;
    assert_eq!((arrival.method.as_str(), arrival.get("state")), ("POST", "af0ifjsldkj"));
    assert_eq!(arrival.get("iss"), visit.server.issuer);
    // The page that posts is no page of the client's, and says no more than that.
    assert_eq!(arrival.headers.get("origin").map(String::as_str), Some("null"));
    assert_eq!(arrival.headers.get("referer"), None);
    assert_eq!(visit.redeem(&arrival).await["client_id"], "web");
    visit.browser.assert_well_behaved().await;
}

#[tokio::test]
async fn without_scripts_a_person_signs_in_consents_and_presses_the_button() {
    let Some(visit) = Visit::begin().await else { return };
    let browser = &visit.browser;
    browser.allow_scripts(false).await;
    visit.follow(&visit.asked().with("response_mode", "form_post")).await;
    visit.sign_in().await;
    browser.press_button("Allow").await;
    browser.wait_for_heading("Going back to").await;
    assert!(visit.client.arrivals().is_empty());
    browser.keep_picture("form-post-without-script").await;
    browser.press_button("Continue").await;
    let arrival = visit.back_at_client().await;
    assert_eq!(arrival.method, "POST");
    assert_eq!(visit.redeem(&arrival).await["client_id"], "web");
    browser.assert_well_behaved().await;
}
