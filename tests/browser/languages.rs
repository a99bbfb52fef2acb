//! The pages in both languages: as the browser asks for one, and as the client does.

use crate::chromium::Setup;
use crate::harness::people::{ALICE, PASSWORD};
use crate::visit::Visit;

#[tokio::test]
async fn who_reads_chinese_signs_in_and_consents_in_chinese() {
    let setup = Setup { languages: "zh-CN,zh", ..Setup::default() };
    let Some(visit) = Visit::begin_with(setup, |config| config).await else { return };
    let (browser, driver) = (&visit.browser, visit.browser.driver());
    visit.follow(&visit.asked()).await;
    browser.wait_for_heading("登录以继续使用").await;
    let root = driver.find("/html").await;
    assert_eq!(driver.property(&root, "lang").await, "zh-Hans");
    browser.keep_picture("chinese-sign-in").await;
    browser.fill("用户名", ALICE).await;
    browser.fill("密码", "不对").await;
    browser.press_button("登录").await;
    driver.find("//*[@role=\"alert\"][contains(., \"用户名或密码不正确\")]").await;
    browser.keep_picture("chinese-wrong-password").await;
    browser.fill("密码", PASSWORD).await;
    browser.press_button("登录").await;
    browser.wait_for_heading("请求访问权限").await;
    browser.keep_picture("chinese-consent").await;
    browser.assert_accessible().await;
    browser.resize(320, 568, 2).await;
    browser.assert_fits().await;
    browser.press_button("允许").await;
    assert!(visit.back_at_client().await.get("code").starts_with("jsc_"));
    browser.assert_well_behaved().await;
}

#[tokio::test]
async fn what_the_client_asks_for_comes_before_what_the_browser_does() {
    let Some(visit) = Visit::begin().await else { return };
    visit.follow(&visit.asked().with("ui_locales", "zh-Hans en")).await;
    visit.browser.wait_for_heading("登录以继续使用").await;
    visit.follow(&visit.asked().with("ui_locales", "tlh")).await;
    visit.browser.wait_for_heading("Sign in to continue").await;
}
