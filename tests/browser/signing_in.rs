//! Signing in: right, wrong, by the keyboard alone, and what the back button does afterwards.

use std::time::Duration;

use crate::harness::people::{ALICE, ALICES_SUBJECT, PASSWORD};
use crate::visit::Visit;
use crate::webdriver::keys;

#[tokio::test]
async fn a_person_comes_by_a_link_signs_in_allows_and_is_back_at_the_client() {
    let Some(visit) = Visit::begin().await else { return };
    let browser = &visit.browser;
    visit.follow(&visit.asked()).await;
    browser.wait_for_heading("Sign in to continue to Web shop").await;
    assert!(browser.driver().title().await.starts_with("Sign in"));
    browser.keep_picture("sign-in").await;
    visit.sign_in().await;
    browser.wait_for_heading("Web shop asks for access").await;
    browser.keep_picture("consent").await;
    browser.press_button("Allow").await;
    let arrival = visit.back_at_client().await;
    assert_eq!((arrival.method.as_str(), arrival.get("state")), ("GET", "af0ifjsldkj"));
    assert_eq!(visit.redeem(&arrival).await["sub"], ALICES_SUBJECT);
    // A second time nobody is asked anything.
    visit.follow(&visit.asked()).await;
    assert_eq!(visit.redeem(&visit.back_at_client().await).await["sub"], ALICES_SUBJECT);
    browser.assert_well_behaved().await;
}

#[tokio::test]
async fn a_wrong_password_is_told_in_words_and_the_person_may_type_at_once() {
    let Some(visit) = Visit::begin().await else { return };
    let browser = &visit.browser;
    visit.follow(&visit.asked()).await;
    visit.sign_in_as(ALICE, "correct horse").await;
    let alert = browser.driver().find("//*[@role=\"alert\"]").await;
    assert_eq!(browser.driver().text_in(&alert).await, "Username or password is wrong.");
    browser.keep_picture("wrong-password").await;
    // The name is still there, the password is not, and the cursor is in its field.
    let (name, password) = (browser.field("Username").await, browser.field("Password").await);
    assert_eq!(browser.driver().property(&name, "value").await, ALICE);
    assert_eq!(browser.driver().property(&password, "value").await, "");
    assert_eq!(browser.driver().focused().await, password);
    browser.driver().press(&["c", "o", "r", "r", "e", "c", "t"]).await;
    assert_eq!(browser.driver().property(&password, "value").await, "correct");
    // Too often is told as well, with the page that they need afterwards.
    for _ in 1..10 {
        visit.sign_in_as(ALICE, "correct horse").await;
        // The next page, and not this one any more.
        browser.driver().find("//*[@role=\"alert\"]").await;
    }
    visit.sign_in().await;
    browser.driver().find("//*[@role=\"alert\"][contains(., \"too many attempts\")]").await;
    browser.keep_picture("too-many-attempts").await;
    visit.advance(Duration::from_mins(5));
    visit.sign_in().await;
    browser.wait_for_heading("Web shop asks for access").await;
    browser.assert_well_behaved().await;
}

#[tokio::test]
async fn the_keyboard_alone_is_enough_and_goes_from_top_to_bottom() {
    let Some(visit) = Visit::begin().await else { return };
    let (browser, driver) = (&visit.browser, visit.browser.driver());
    visit.follow(&visit.asked()).await;
    let (name, password) = (browser.field("Username").await, browser.field("Password").await);
    assert_eq!(driver.focused().await, name, "who comes may type");
    driver.press(&letters(ALICE)).await;
    driver.press(&[keys::TAB]).await;
    assert_eq!(driver.focused().await, password);
    driver.press(&letters(PASSWORD)).await;
    driver.press(&[keys::TAB]).await;
    assert_eq!(driver.focused().await, browser.find("button", "Sign in").await);
    driver.press(&[keys::ENTER]).await;
    browser.wait_for_heading("Web shop asks for access").await;
    let (allow, deny) = (browser.find("button", "Allow").await, browser.find("button", "Do not allow").await);
    // No key is a yes before somebody has chosen the button.
    driver.press(&[keys::ENTER]).await;
    assert!(visit.client.arrivals().is_empty());
    let order = tab_through(&visit).await;
    let (at_allow, at_deny) = (order.iter().position(|at| *at == allow), order.iter().position(|at| *at == deny));
    assert!(at_allow.is_some() && at_allow < at_deny, "{at_allow:?} {at_deny:?}");
    // Round about to the first one again.
    while driver.focused().await != allow {
        driver.press(&[keys::TAB]).await;
    }
    browser.keep_picture("consent-by-keyboard").await;
    driver.press(&[keys::SPACE]).await;
    assert_eq!(visit.redeem(&visit.back_at_client().await).await["sub"], ALICES_SUBJECT);
}

/// Every element that gets the keyboard, in order, until the page is left.
async fn tab_through(visit: &Visit) -> Vec<crate::webdriver::Element> {
    let driver = visit.browser.driver();
    let mut order = Vec::new();
    for _ in 0..10 {
        driver.press(&[keys::TAB]).await;
        order.push(driver.focused().await);
    }
    order
}

fn letters(text: &str) -> Vec<&str> {
    text.split("").filter(|letter| !letter.is_empty()).collect()
}

#[tokio::test]
async fn the_back_button_loses_nothing() {
    let Some(visit) = Visit::begin().await else { return };
    let (browser, driver) = (&visit.browser, visit.browser.driver());
    visit.follow(&visit.asked()).await;
    visit.sign_in().await;
    browser.wait_for_heading("Web shop asks for access").await;
    // Back to where the password was typed: who is signed in is not asked for it again.
    driver.back().await;
    browser.wait_for_heading("Web shop asks for access").await;
    browser.keep_picture("back-after-sign-in").await;
    browser.press_button("Allow").await;
    let first = visit.back_at_client().await;
    // Back from the client, where the answer has been given: it is given again, by another code.
    driver.back().await;
    let again = visit.back_at_client().await;
    assert_ne!(first.get("code"), again.get("code"));
    assert_eq!(visit.redeem(&again).await["sub"], ALICES_SUBJECT);
    browser.assert_well_behaved().await;
}

#[tokio::test]
async fn back_from_the_client_leads_to_the_question_and_to_none_of_the_browsers() {
    let Some(visit) = Visit::begin().await else { return };
    let (browser, driver) = (&visit.browser, visit.browser.driver());
    visit.follow(&visit.asked()).await;
    visit.sign_in().await;
    browser.press_button("Allow").await;
    let first = visit.back_at_client().await;
    // The page before was the question: it has an address, so nothing has to be sent again. It stays a question, whatever was
    // answered: out of the history nothing is given.
    driver.back().await;
    browser.wait_for_heading("Web shop asks for access").await;
    browser.press_button("Allow").await;
    let again = visit.back_at_client().await;
    assert_ne!(first.get("code"), again.get("code"));
    assert_eq!(visit.redeem(&again).await["sub"], ALICES_SUBJECT);
    browser.assert_well_behaved().await;
}

#[tokio::test]
async fn a_reload_of_the_question_sends_no_password_again() {
    let Some(visit) = Visit::begin().await else { return };
    let browser = &visit.browser;
    visit.follow(&visit.asked()).await;
    visit.sign_in().await;
    browser.wait_for_heading("Web shop asks for access").await;
    browser.driver().reload().await;
    browser.wait_for_heading("Web shop asks for access").await;
    browser.press_button("Do not allow").await;
    assert_eq!(visit.back_at_client().await.get("error"), "access_denied");
    browser.assert_well_behaved().await;
}
