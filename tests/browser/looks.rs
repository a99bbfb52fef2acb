//! How the pages look and read: light and dark, on a phone, enlarged, and to a screen reader.

use crate::chromium::Setup;
use crate::harness::people::{ALICE, WEB, with_client};
use crate::visit::Visit;

/// Goes through every page, and has each looked at.
async fn look_at_all(visit: &Visit, with: With, name: &str) {
    let (browser, driver) = (&visit.browser, visit.browser.driver());
    visit.follow(&visit.asked().with("response_mode", "form_post")).await;
    look(visit, with, &format!("{name}-sign-in")).await;
    visit.sign_in_as(ALICE, "correct horse").await;
    driver.find("//*[@role=\"alert\"]").await;
    look(visit, with, &format!("{name}-wrong-password")).await;
    visit.sign_in().await;
    browser.wait_for_heading("Web shop asks for access").await;
    look(visit, with, &format!("{name}-consent")).await;
    browser.allow_scripts(false).await;
    browser.press_button("Allow").await;
    browser.wait_for_heading("Going back to").await;
    browser.allow_scripts(true).await;
    look(visit, with, &format!("{name}-form-post")).await;
    driver.open(&visit.server.url("/logout")).await;
    look(visit, with, &format!("{name}-sign-out")).await;
    browser.press_button("Sign out").await;
    browser.wait_for_heading("Signed out").await;
    look(visit, with, &format!("{name}-signed-out")).await;
    driver.open(&visit.server.url("/authorize?client_id=nobody")).await;
    browser.wait_for_heading("This did not work").await;
    look(visit, with, &format!("{name}-error")).await;
    browser.assert_well_behaved().await;
}

/// What is looked at besides the width, which always must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum With {
    /// All of axe-core's rules, in light and dark.
    Rules,
    Nothing,
}

async fn look(visit: &Visit, with: With, name: &str) {
    let browser = &visit.browser;
    for (scheme, suffix) in [("light", ""), ("dark", "-dark")] {
        browser.prefer(scheme).await;
        browser.keep_picture(&format!("{name}{suffix}")).await;
        if with == With::Rules {
            browser.assert_accessible().await;
        }
    }
    browser.prefer("light").await;
    browser.assert_fits().await;
}

#[tokio::test]
async fn every_page_is_accessible_in_light_and_dark_on_a_wide_screen() {
    let Some(visit) = Visit::begin().await else { return };
    look_at_all(&visit, With::Rules, "wide").await;
}

#[tokio::test]
async fn every_page_fits_a_phone() {
    let Some(visit) = Visit::begin().await else { return };
    visit.browser.resize(390, 844, 2).await;
    look_at_all(&visit, With::Rules, "phone").await;
}

#[tokio::test]
async fn every_page_fits_the_smallest_phone_with_text_of_twice_the_size() {
    let Some(visit) = Visit::begin_with(Setup { font_size: 32, ..Setup::default() }, |config| config).await else {
        return;
    };
    visit.browser.resize(320, 568, 2).await;
    look_at_all(&visit, With::Nothing, "small").await;
}

#[tokio::test]
async fn every_page_fits_when_it_is_enlarged_to_twice_its_size() {
    let Some(visit) = Visit::begin().await else { return };
    // What the browser's zoom of 200 % does to a window of 1280 pixels.
    visit.browser.resize(640, 400, 2).await;
    look_at_all(&visit, With::Nothing, "enlarged").await;
}

/// A name and scope tokens as long as anybody may register, without a space to break at.
#[tokio::test]
async fn long_words_are_broken_and_push_nothing_out_of_a_phone() {
    let name = "Donaudampfschifffahrtsgesellschaftskapitaen".repeat(2);
    let change = |config: String| with_client(&config, WEB, &format!("client_name = \"{name}\""));
    let Some(visit) = Visit::begin_with(Setup::default(), change).await else { return };
    visit.browser.resize(320, 568, 2).await;
    visit.follow(&visit.asked()).await;
    visit.browser.wait_for_heading("Sign in to continue").await;
    visit.browser.keep_picture("long-name").await;
    visit.browser.assert_fits().await;
    visit.sign_in().await;
    visit.browser.wait_for_heading("asks for access").await;
    visit.browser.keep_picture("long-name-consent").await;
    visit.browser.assert_fits().await;
}
