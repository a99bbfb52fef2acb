//! The language of the pages: what the browser and the client ask for, and that a page says which one it is in.

use reqwest::header::ACCEPT_LANGUAGE;

use crate::harness::people::{WEB, people, with_client};
use crate::harness::requests::{Parameters, ask_of_web};
use crate::harness::{Answer, TestServer};

async fn authorize(server: &TestServer, languages: &[&str], asked: &Parameters) -> Answer {
    let mut request = server.http().get(server.url(&format!("/authorize?{}", asked.encoded())));
    for value in languages {
        request = request.header(ACCEPT_LANGUAGE, *value);
    }
    Answer::of(request).await
}

/// The language that the page says it is in, by its element and by its header.
fn language(answer: &Answer) -> String {
    let page = answer.page();
    assert_eq!(page.attributes("lang")[0], answer.header("content-language"));
    assert_eq!(answer.header("vary"), "Accept-Language");
    page.attributes("lang")[0].to_owned()
}

#[tokio::test]
async fn the_browser_says_which_language_a_page_has() {
    let server = TestServer::start(&people());
    for (languages, expected, words) in [
        (&[][..], "en", "Sign in to continue to Web shop"),
        (&["zh-CN,zh;q=0.9,en;q=0.8"], "zh-Hans", "登录以继续使用“Web shop”"),
        (&["de", "zh;q=0.5"], "zh-Hans", "密码"),
        (&["zh-TW,zh;q=0.9,en-US;q=0.8"], "en", "Password"),
        (&["fr"], "en", "Password"),
    ] {
        let answer = authorize(&server, languages, &ask_of_web()).await;
        assert_eq!(language(&answer), expected, "{languages:?}");
        answer.page().assert_says(words);
    }
}

#[tokio::test]
async fn what_the_client_asks_for_comes_first_and_lasts_as_long_as_the_request() {
    let config = format!(
        "{}\n[scopes.read]\ndescription = {{ en = \"Read your orders\", zh-Hans = \"读取您的订单\" }}\n\
         [scopes.write]\ndescription = {{ de = \"Bestellen\" }}\n",
        people()
    );
    let server = TestServer::start(&config);
    let mut browser = server.browser();
    let asked = ask_of_web().with("ui_locales", "fr zh-CN en").with("scope", "read write");
    let login = browser.authorize(&asked).await;
    assert_eq!(language(&login), "zh-Hans");
    let wrong = browser.sign_in_as(&login, "alice", "wrong").await;
    assert_eq!(language(&wrong), "zh-Hans");
    wrong.page().assert_says("用户名或密码不正确。");
    let consent = browser.sign_in(&wrong).await;
    let page = consent.page();
    page.assert_says("“Web shop”请求访问权限");
    page.assert_says("读取您的订单");
    page.assert_says("授权最长持续 365 天。");
    // What has no words in this language is in another one, and says so.
    page.assert_says("Bestellen");
    assert_eq!(page.attributes("lang"), ["zh-Hans", "de"]);
    let posting = browser.authorize(&asked.clone().with("response_mode", "form_post").with("prompt", "consent")).await;
    let posting = browser.allow(&posting).await;
    assert_eq!(language(&posting), "zh-Hans");
    posting.page().assert_says("正在返回 web.example.com");
    // Without a request the browser alone is asked.
    assert_eq!(language(&browser.get("/logout").await), "en");
    let nonsense = ask_of_web().with("ui_locales", "<b> nonsense");
    assert_eq!(language(&server.browser().authorize(&nonsense).await), "en");
}

#[tokio::test]
async fn an_error_is_told_in_the_language_of_the_browser_with_the_same_id() {
    let server = TestServer::start(&people());
    let unknown = ask_of_web().with("client_id", "nobody");
    for (languages, words) in [(["en"], "The application is not registered here."), (["zh"], "此应用未在这里注册。")]
    {
        let answer = authorize(&server, &languages, &unknown).await;
        assert_eq!(answer.status, 400);
        answer.page().assert_says(words);
        answer.page().assert_says(answer.header("x-request-id"));
    }
    let no_form = server.http().post(server.url("/consent")).header(ACCEPT_LANGUAGE, "zh-Hans").body("x");
    let no_form = Answer::of(no_form).await;
    assert_eq!((no_form.status.as_u16(), language(&no_form).as_str()), (415, "zh-Hans"));
}

#[tokio::test]
async fn a_client_that_may_send_people_learns_which_languages_there_are() {
    let server = TestServer::start(&with_client(&people(), WEB, "color = \"#0b6e4f\""));
    let document = server.get("/.well-known/oauth-authorization-server").await.json();
    assert_eq!(document["ui_locales_supported"], serde_json::json!(["en", "zh-Hans"]));
}
