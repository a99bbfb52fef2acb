//! The same thing twice: double clicks, and two tabs.

use std::time::Duration;

use crate::chromium::Setup;
use crate::harness::people::{ALICE, ALICES_SUBJECT, BOB, BOBS_PASSWORD, BOBS_SUBJECT, PASSWORD, with_bob};
use crate::visit::Visit;

#[tokio::test]
async fn a_double_click_on_any_button_ends_in_one_answer_that_is_good() {
    let Some(visit) = Visit::begin().await else { return };
    let (browser, driver) = (&visit.browser, visit.browser.driver());
    visit.follow(&visit.asked()).await;
    browser.fill("Username", ALICE).await;
    browser.fill("Password", PASSWORD).await;
    driver.double_click(&browser.find("button", "Sign in").await).await;
    browser.wait_for_heading("Web shop asks for access").await;
    driver.double_click(&browser.find("button", "Allow").await).await;
    let arrival = visit.back_at_client().await;
    let last = visit.client.arrivals().pop().unwrap_or(arrival);
    assert_eq!(visit.redeem(&last).await["sub"], ALICES_SUBJECT);
    browser.assert_well_behaved().await;
}

#[tokio::test]
async fn two_tabs_sign_in_one_after_the_other_and_both_end_at_the_client() {
    let Some(visit) = Visit::begin().await else { return };
    let (browser, driver) = (&visit.browser, visit.browser.driver());
    visit.follow(&visit.asked().with("state", "first")).await;
    let first = driver.tab().await;
    let second = driver.open_tab().await;
    visit.follow(&visit.asked().with("state", "second")).await;
    browser.wait_for_heading("Sign in to continue").await;
    driver.switch_to(&first).await;
    visit.sign_in().await;
    browser.wait_for_heading("Web shop asks for access").await;
    // The other tab still shows its form.
    driver.switch_to(&second).await;
    visit.sign_in().await;
    browser.wait_for_heading("Web shop asks for access").await;
    browser.press_button("Allow").await;
    assert_eq!(visit.back_at_client().await.get("state"), "second");
    // The first was asked in a session that is not the browser's any more: it is asked again, and nothing is lost.
    driver.switch_to(&first).await;
    browser.press_button("Allow").await;
    let alert = driver.find("//*[@role=\"alert\"]").await;
    assert!(driver.text_in(&alert).await.contains("signed in again"));
    browser.keep_picture("asked-again").await;
    browser.press_button("Allow").await;
    assert_eq!(visit.back_at_client().await.get("state"), "first");
    browser.assert_well_behaved().await;
}

#[tokio::test]
async fn a_consent_that_one_person_was_asked_for_is_never_given_by_another() {
    let Some(visit) = Visit::begin_with(Setup::default(), |config| with_bob(&config)).await else { return };
    let (browser, driver) = (&visit.browser, visit.browser.driver());
    visit.follow(&visit.asked().with("state", "alice's")).await;
    visit.sign_in().await;
    browser.wait_for_heading("Web shop asks for access").await;
    let first = driver.tab().await;
    driver.open_tab().await;
    visit.advance(Duration::from_secs(1));
    visit.follow(&visit.asked().with("state", "bob's").with("prompt", "login")).await;
    visit.sign_in_as(BOB, BOBS_PASSWORD).await;
    browser.wait_for_heading("Web shop asks for access").await;
    driver.switch_to(&first).await;
    browser.press_button("Allow").await;
    driver.find("//*[@role=\"alert\"]").await;
    assert!(visit.client.arrivals().is_empty(), "nothing was given");
    browser.press_button("Allow").await;
    let arrival = visit.back_at_client().await;
    assert_eq!(arrival.get("state"), "alice's");
    assert_eq!(visit.redeem(&arrival).await["sub"], BOBS_SUBJECT);
    browser.assert_well_behaved().await;
}

#[tokio::test]
async fn a_form_that_waited_too_long_says_whose_it_was_and_leads_back() {
    let Some(visit) = Visit::begin().await else { return };
    let browser = &visit.browser;
    visit.follow(&visit.asked()).await;
    browser.wait_for_heading("Sign in to continue").await;
    visit.advance(Duration::from_mins(31));
    visit.sign_in().await;
    browser.wait_for_heading("This took too long").await;
    browser.keep_picture("too-late").await;
    browser.assert_accessible().await;
    let back = browser.find("link", "Back to Web shop").await;
    browser.driver().click(&back).await;
    let arrival = visit.back_at_client().await;
    assert_eq!((arrival.get("error"), arrival.get("state")), ("access_denied", "af0ifjsldkj"));
    browser.assert_well_behaved().await;
}
