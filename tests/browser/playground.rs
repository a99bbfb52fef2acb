//! The playground of `jotsmith demo`, from its first button to its last, as somebody plays it who has just started it.

use crate::chromium::{Chromium, Setup};
use crate::harness::program::Running;
use crate::harness::{Site, free_port};

/// Presses a button as soon as it can be, and waits until its step says this.
async fn play(browser: &Chromium, button: &str, step: &str, words: &str) {
    let driver = browser.driver();
    let enabled = format!("//section[@id=\"step-{step}\"]//button[not(@disabled)][normalize-space(.)=\"{button}\"]");
    let button = driver.find(&enabled).await;
    driver.click(&button).await;
    driver.find(&format!("//*[@id=\"out-{step}\"][contains(normalize-space(.), \"{words}\")]")).await;
}

#[tokio::test]
async fn the_playground_is_played_from_start_to_end() {
    let site = Site::new();
    let port = free_port().to_string();
    let mut demo = Running::start(site.folder(), &["demo", "--port", &port]);
    let printed = demo.wait_for_output("/health/ready");
    let address = printed[0].split(' ').nth(1).expect("an address").to_owned();
    let all = printed.join("\n");
    let (_, password) = all.split_once("as alice with password ").expect("a password");
    let password = password.lines().next().expect("a line");
    let issuer = format!("http://127.0.0.1:{port}");
    let at_home = [issuer.as_str(), address.trim_end_matches('/')];
    let Some(browser) = Chromium::start(Setup::default(), &at_home).await else { return };
    let driver = browser.driver();

    driver.open(&address).await;
    browser.wait_for_heading("Jotsmith playground").await;
    let go = driver.find("//button[@id=\"authorize\"][not(@disabled)]").await;
    browser.keep_picture("playground").await;
    browser.assert_fits().await;
    browser.assert_accessible().await;
    driver.click(&go).await;
    browser.wait_for_heading("Sign in to continue").await;
    browser.fill("Username", "alice").await;
    browser.fill("Password", password).await;
    browser.press_button("Sign in").await;
    browser.wait_for_heading("asks for access").await;
    browser.keep_picture("playground-consent").await;
    browser.press_button("Allow").await;
    browser.wait_for_heading("Jotsmith playground").await;
    driver.find("//*[@id=\"out-callback\"][contains(., \"This is the answer to the question\")]").await;
    play(&browser, "Redeem the code", "redeem", "The app has an access token").await;
    play(&browser, "Verify the signature", "verify", "The signature is good.").await;
    browser.keep_picture("playground-verified").await;
    play(&browser, "Read the notes", "api", "200").await;
    play(&browser, "Read without a token", "api", "401").await;
    play(&browser, "Refresh", "refresh", "Each refresh gives a new refresh token").await;
    play(&browser, "Send the old token again", "replay", "200").await;
    play(&browser, "Revoke the refresh token", "revoke", "The server has ended the grant").await;
    play(&browser, "Refresh with it", "revoke", "No more access tokens").await;
    browser.keep_picture("playground-revoked").await;
    for scheme in ["light", "dark"] {
        browser.prefer(scheme).await;
        browser.assert_accessible().await;
    }
    browser.keep_picture("playground-revoked-dark").await;
    browser.assert_fits().await;
    browser.resize(390, 844, 2).await;
    browser.assert_fits().await;
    browser.keep_picture("playground-phone-dark").await;
    browser.assert_well_behaved().await;
}
