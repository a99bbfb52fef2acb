//! The way of a person through our pages, up to the answer for the client.

use std::collections::BTreeMap;

use url::Url;

use super::browser::Browser;
use super::people::{ALICE, PASSWORD};
use super::requests::{Parameters, redemption};
use super::{Answer, TestServer};

impl Browser {
    /// Opens the authorization endpoint as a client asks it to.
    pub(crate) async fn authorize(&mut self, asked: &Parameters) -> Answer {
        self.get(&format!("/authorize?{}", asked.encoded())).await
    }

    /// Signs in on the login page that was answered.
    pub(crate) async fn sign_in(&mut self, page: &Answer) -> Answer {
        self.sign_in_as(page, ALICE, PASSWORD).await
    }

    /// Tries to sign in on the login page that was answered.
    pub(crate) async fn sign_in_as(&mut self, page: &Answer, username: &str, password: &str) -> Answer {
        self.submit(&page.form().fill("username", username).fill("password", password)).await
    }

    /// Allows what the page that was answered asks.
    pub(crate) async fn allow(&mut self, page: &Answer) -> Answer {
        self.submit(&page.form().press("allow")).await
    }

    /// Does whatever the pages ask for until the client has its answer.
    pub(crate) async fn consent(&mut self, asked: &Parameters) -> Answer {
        let mut answer = self.authorize(asked).await;
        if answer.is_login() {
            answer = self.sign_in(&answer).await;
        }
        if answer.is_consent() {
            answer = self.allow(&answer).await;
        }
        answer
    }

    /// A code for a request.
    pub(crate) async fn code(&mut self, asked: &Parameters) -> String {
        self.consent(asked).await.code()
    }
}

impl Answer {
    /// Whether it is the page that asks for a password.
    pub(crate) fn is_login(&self) -> bool {
        self.status != 302 && self.status != 303 && self.page().text.contains("Sign in to continue")
    }

    /// Whether it is the page that asks for consent.
    pub(crate) fn is_consent(&self) -> bool {
        self.status != 302 && self.status != 303 && self.page().text.contains("asks for access")
    }

    /// Where the browser is sent.
    pub(crate) fn location(&self) -> Url {
        assert!(self.status == 302 || self.status == 303, "{} {}", self.status, self.body);
        self.header("location").parse().expect("an address")
    }

    /// What is sent back to the client in the query, and that every parameter is there once.
    pub(crate) fn sent_back(&self) -> BTreeMap<String, String> {
        let location = self.location();
        assert_eq!(location.fragment(), None, "{location}");
        each_once(location.query().unwrap_or_default())
    }

    /// What is sent back to the client in the fragment, and that the query has none of it.
    pub(crate) fn sent_in_fragment(&self) -> BTreeMap<String, String> {
        let location = self.location();
        assert_eq!(location.query(), None, "{location}");
        each_once(location.fragment().unwrap_or_default())
    }

    /// What the page that was answered posts to `redirect_uri`.
    pub(crate) fn posted_to(&self, redirect_uri: &str) -> BTreeMap<String, String> {
        assert_eq!(self.status, 200, "{}", self.body);
        let form = self.form();
        assert_eq!(form.action, redirect_uri);
        each_once(&form.encoded())
    }

    /// The code that is sent back to the client.
    pub(crate) fn code(&self) -> String {
        let sent = self.sent_back();
        sent.get("code").unwrap_or_else(|| panic!("no code: {sent:?}")).clone()
    }

    /// Asserts that the client gets this error, at its own address, with its state and our name.
    pub(crate) fn assert_sent_back(&self, server: &TestServer, asked: &Parameters, error: &str) {
        let sent = self.sent_back();
        let part = |name| sent.get(name).map(String::as_str);
        assert_eq!(part("error"), Some(error), "{sent:?}");
        assert_eq!((part("state"), part("iss")), (asked.get("state"), Some(server.issuer.as_str())), "{sent:?}");
        assert!(part("error_description").is_some_and(|text| text.ends_with('.')), "{sent:?}");
        assert_eq!(sent.len(), 3 + usize::from(asked.get("state").is_some()), "{sent:?}");
        let redirect_uri = asked.get("redirect_uri").expect("a redirect URI");
        assert_eq!(self.header("location").split_once('?').map(|(before, _)| before), Some(redirect_uri));
        assert_eq!(self.body, "");
    }

    /// The refresh token of an answer that has one.
    pub(crate) fn refresh_token(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.body);
        self.json()["refresh_token"].as_str().expect("a refresh token").to_owned()
    }
}

fn each_once(encoded: &str) -> BTreeMap<String, String> {
    let pairs: Vec<_> = form_urlencoded::parse(encoded.as_bytes()).into_owned().collect();
    let sent: BTreeMap<_, _> = pairs.iter().cloned().collect();
    assert_eq!(sent.len(), pairs.len(), "{encoded}");
    sent
}

impl TestServer {
    /// A code for a request, by a browser that was never here.
    pub(crate) async fn code_for(&self, asked: &Parameters) -> String {
        self.browser().code(asked).await
    }

    /// The first tokens for a request, by a browser that was never here.
    pub(crate) async fn tokens_for(&self, asked: &Parameters) -> Answer {
        let code = self.code_for(asked).await;
        let answer = self.token(asked.get("client_id").expect("a client"), &redemption(asked, &code)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer
    }
}
