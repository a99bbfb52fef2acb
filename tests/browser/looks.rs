//! How the pages look and read: light and dark, on a phone, enlarged, and to a screen reader.

use crate::chromium::Setup;
use crate::harness::people::ALICE;
use crate::visit::Visit;

/// Goes through every page, and has each looked at.
async fn look_at_all(visit: &Visit, name: &str) {
    let (browser, driver) = (&visit.browser, visit.browser.driver());
    visit.follow(&visit.asked().with("response_mode", "form_post")).await;
    look(visit, &format!("{name}-sign-in")).await;
    visit.sign_in_as(ALICE, "correct horse").await;
    driver.find("//*[@role=\"alert\"]").await;
    look(visit, &format!("{name}-wrong-password")).await;
    visit.sign_in().await;
    browser.wait_for_heading("Web shop asks for access").await;
    look(visit, &format!("{name}-consent")).await;
    browser.allow_scripts(false).await;
    browser.press_button("Allow").await;
    browser.wait_for_heading("Going back to").await;
    browser.allow_scripts(true).await;
    look(visit, &format!("{name}-form-post")).await;
    driver.open(&visit.server.url("/logout")).await;
    look(visit, &format!("{name}-sign-out")).await;
    browser.press_button("Sign out").await;
    browser.wait_for_heading("Signed out").await;
    look(visit, &format!("{name}-signed-out")).await;
    driver.open(&visit.server.url("/authorize?client_id=nobody")).await;
    browser.wait_for_heading("This did not work").await;
    look(visit, &format!("{name}-error")).await;
    browser.assert_well_behaved().await;
}

async fn look(visit: &Visit, name: &str) {
    visit.browser.keep_picture(name).await;
    visit.browser.assert_fits().await;
    for scheme in ["light", "dark"] {
        visit.browser.prefer(scheme).await;
        visit.browser.assert_accessible().await;
    }
    visit.browser.keep_picture(&format!("{name}-dark")).await;
    visit.browser.prefer("light").await;
}

#[tokio::test]
async fn every_page_is_accessible_in_light_and_dark_on_a_wide_screen() {
    let Some(visit) = Visit::begin().await else { return };
    look_at_all(&visit, "wide").await;
}

#[tokio::test]
async fn every_page_fits_a_phone() {
    let Some(visit) = Visit::begin().await else { return };
    visit.browser.resize(390, 844, 2).await;
    look_at_all(&visit, "phone").await;
}

#[tokio::test]
async fn every_page_fits_the_smallest_phone_with_text_of_twice_the_size() {
    let Some(visit) = Visit::begin_with(Setup { font_size: 32 }, |config| config).await else { return };
    visit.browser.resize(320, 568, 2).await;
    look_at_all(&visit, "small").await;
}

#[tokio::test]
async fn every_page_fits_when_it_is_enlarged_to_twice_its_size() {
    let Some(visit) = Visit::begin().await else { return };
    // What the browser's zoom of 200 % does to a window of 1280 pixels.
    visit.browser.resize(640, 400, 2).await;
    look_at_all(&visit, "enlarged").await;
}
