//! The playground of `jotsmith demo`, as a newcomer clicks through it, with the program that they start.

use serde_json::json;

use crate::chromium::{Chromium, Setup};
use crate::harness::program::Running;
use crate::harness::{Site, free_port};
use crate::webdriver::keys;

/// A demo that runs, and a browser at its page.
struct Playground {
    browser: Chromium,
    /// Where the page is.
    origin: String,
    _demo: Running,
    _site: Site,
}

impl Playground {
    /// `None` where there is no browser, which was said.
    async fn begin() -> Option<Self> {
        let site = Site::new();
        let issuer = format!("http://127.0.0.1:{}", free_port());
        let port = issuer.rsplit_once(':').expect("a port").1;
        let mut demo = Running::start(site.folder(), &["demo", "--port", port]);
        let printed = demo.wait_for_output("/health/ready");
        let origin = printed[0].split(' ').nth(1).and_then(|address| address.strip_suffix('/')).expect("an address");
        let browser = Chromium::start(Setup::default(), &[&issuer, origin]).await?;
        browser.driver().open(&format!("{origin}/")).await;
        Some(Self { browser, origin: origin.to_owned(), _demo: demo, _site: site })
    }

    /// Presses a button as soon as it can be pressed.
    async fn press(&self, id: &str) {
        let button = self.browser.driver().find(&format!("//button[@id=\"{id}\" and not(@disabled)]")).await;
        self.browser.driver().click(&button).await;
    }

    /// Waits until a step says this.
    async fn wait_for(&self, step: &str, words: &str) {
        self.browser
            .driver()
            .find(&format!("//*[@id=\"out-{step}\"]//*[contains(normalize-space(.), \"{words}\")]"))
            .await;
    }

    async fn text_in(&self, id: &str) -> String {
        let element = self.browser.driver().find(&format!("//*[@id=\"{id}\"]")).await;
        self.browser.driver().text_in(&element).await
    }

    /// The password that the page shows.
    async fn password(&self) -> String {
        self.text_in("password").await
    }

    /// Signs in on the server's page.
    async fn sign_in(&self, username: &str, password: &str) {
        self.browser.fill("Username", username).await;
        self.browser.fill("Password", password).await;
        self.browser.press_button("Sign in").await;
        self.browser.wait_for_heading("Playground asks for access").await;
    }

    /// From the first page to the tokens.
    async fn get_tokens(&self) {
        let password = self.password().await;
        self.press("authorize").await;
        self.sign_in("alice", &password).await;
        self.browser.press_button("Allow").await;
        self.wait_for("callback", "The code may be used.").await;
        self.press("redeem").await;
        self.wait_for("redeem", "The app has an access token").await;
    }

    /// The id of the element that has the keyboard.
    async fn focused(&self) -> String {
        let id = self.browser.driver().execute("return document.activeElement.id;", json!([])).await;
        id.as_str().unwrap_or_default().to_owned()
    }
}

#[tokio::test]
async fn a_newcomer_clicks_from_the_first_step_to_the_last() {
    let Some(playground) = Playground::begin().await else { return };
    let Playground { browser, origin, .. } = &playground;
    playground.get_tokens().await;
    // No code stays in the address, nor in the history of the tab.
    assert_eq!(browser.driver().url().await, format!("{origin}/"));

    let token = playground.text_in("out-token").await;
    for said in ["at+jwt", "ES256", "alice", "demo-playground", "read write"] {
        assert!(token.contains(said), "{said}: {token}");
    }
    assert!(playground.text_in("token-countdown").await.starts_with("It ends in "));
    playground.press("verify").await;
    playground.wait_for("verify", "The signature is good.").await;
    playground.press("verify-altered").await;
    playground.wait_for("verify", "The signature does not belong to these bytes.").await;
    browser.keep_picture("playground-token").await;

    for (button, status, meaning) in [
        ("api-no-token", "401 Unauthorized", "No token, no notes."),
        ("api-altered", "401 Unauthorized", "is not what was signed"),
        ("api-delete", "403 Forbidden", "has not the scope delete"),
        ("api-write", "201 Created", "has the scope write"),
        ("api-read", "200 OK", "has the scope read"),
    ] {
        playground.press(button).await;
        playground.wait_for("api", meaning).await;
        assert!(playground.text_in("out-api").await.contains(status), "{button}");
    }
    assert!(playground.text_in("out-api").await.contains("Buy milk"));

    playground.press("refresh").await;
    playground.wait_for("refresh", "Each refresh gives a new refresh token").await;
    playground.press("replay").await;
    playground.wait_for("replay", "The same refresh token came back: refresh token 2").await;
    // As a person, who sees the time run.
    browser.driver().find("//*[@id=\"window-countdown\"][contains(., \"The retry window is closed\")]").await;
    playground.press("replay").await;
    playground.wait_for("replay", "So the whole grant is dead.").await;
    playground.press("newest").await;
    playground.wait_for("replay", "It was never used, and it is dead too.").await;
    browser.keep_picture("playground-replay").await;

    // A new grant, and its end. The server still knows who it is.
    playground.press("fresh").await;
    browser.press_button("Allow").await;
    playground.press("revoke").await;
    playground.wait_for("revoke", "The server has ended the grant.").await;
    playground.press("refresh-revoked").await;
    playground.wait_for("revoke", "No more access tokens will come of this grant.").await;
    playground.press("api-revoked").await;
    playground.wait_for("revoke", "Still 200").await;
    browser.assert_fits().await;
    browser.assert_accessible().await;
    browser.assert_well_behaved().await;
}

#[tokio::test]
async fn a_no_and_half_a_yes_are_answers_too_and_somebody_else_may_sign_in() {
    let Some(playground) = Playground::begin().await else { return };
    let Playground { browser, .. } = &playground;
    let password = playground.password().await;
    playground.press("again-silent").await;
    playground.wait_for("callback", "login_required").await;
    playground.press("again").await;
    playground.sign_in("alice", &password).await;
    browser.press_button("Do not allow").await;
    playground.wait_for("callback", "access_denied").await;
    assert!(playground.text_in("out-redeem").await.is_empty());
    playground.press("again-login").await;
    playground.sign_in("bob", &password).await;
    // Without what is optional.
    let choice = browser.driver().find("//label[contains(., \"Change your notes\")]//input").await;
    browser.driver().click(&choice).await;
    browser.press_button("Allow").await;
    playground.press("redeem").await;
    playground.wait_for("redeem", "The app has an access token").await;
    let token = playground.text_in("out-token").await;
    assert!(token.contains("bob") && !token.contains("read write"), "{token}");
    playground.press("api-write").await;
    playground.wait_for("api", "has not the scope write").await;
    browser.assert_well_behaved().await;
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_changes_nothing() {
    let Some(playground) = Playground::begin().await else { return };
    let Playground { browser, origin, .. } = &playground;
    playground.get_tokens().await;
    let token = playground.text_in("out-token").await;
    browser.driver().open(&format!("{origin}/signed-in?code=jsc_x&state=another")).await;
    playground.wait_for("callback", "The app uses nothing of this answer").await;
    assert_eq!(browser.driver().url().await, format!("{origin}/"));
    assert_eq!(playground.text_in("out-token").await, token);
    let redeem = browser.driver().find("//*[@id=\"redeem\"]").await;
    assert_eq!(browser.driver().property(&redeem, "disabled").await, json!(true));
    playground.press("verify").await;
    playground.wait_for("verify", "The signature is good.").await;
    playground.press("reset").await;
    browser.driver().find("//button[@id=\"authorize\" and not(@disabled)]").await;
    assert!(playground.text_in("out-token").await.is_empty(), "all is forgotten");
    browser.assert_well_behaved().await;
}

#[tokio::test]
async fn the_keyboard_is_enough_and_a_screen_reader_hears_what_happens() {
    let Some(playground) = Playground::begin().await else { return };
    let Playground { browser, .. } = &playground;
    let password = playground.password().await;
    playground.press("authorize").await;
    playground.sign_in("alice", &password).await;
    browser.press_button("Allow").await;
    playground.wait_for("callback", "The code may be used.").await;
    assert_eq!(playground.focused().await, "title-callback", "the reading goes on where the answer is");
    for (button, lands) in [("redeem", "out-redeem"), ("verify", "verify"), ("api-read", "api-read")] {
        for _ in 0..20 {
            if playground.focused().await == button {
                break;
            }
            browser.driver().press(&[keys::TAB]).await;
        }
        assert_eq!(playground.focused().await, button);
        browser.driver().press(&[keys::ENTER]).await;
        let expected = if button == "verify" { "made this signature" } else { "200 OK" };
        browser.driver().find(&format!("//*[@role=\"status\"][contains(., \"{expected}\")]")).await;
        // A button that can do no more has passed the keyboard on.
        browser.driver().find(&format!("//button[@id=\"{button}\" and not(@aria-busy)]")).await;
        assert_eq!(playground.focused().await, lands, "after {button}");
    }
    browser.assert_well_behaved().await;
}

#[tokio::test]
async fn it_fits_a_phone_and_is_readable_in_the_dark() {
    let Some(playground) = Playground::begin().await else { return };
    let Playground { browser, .. } = &playground;
    playground.get_tokens().await;
    playground.press("verify-altered").await;
    playground.wait_for("verify", "The signature does not belong").await;
    playground.press("refresh").await;
    playground.wait_for("refresh", "Each refresh gives").await;
    browser.driver().execute("document.querySelectorAll('details').forEach(d => d.open = true);", json!([])).await;
    for scheme in ["light", "dark"] {
        browser.prefer(scheme).await;
        for (width, height) in [(1280, 800), (390, 844), (320, 568)] {
            browser.resize(width, height, 1).await;
            browser.assert_fits().await;
            browser.assert_accessible().await;
            browser.keep_picture(&format!("playground-{scheme}-{width}")).await;
        }
    }
    browser.assert_well_behaved().await;
}
