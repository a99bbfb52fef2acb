//! What must be there before it can be measured: a person who is signed in, their codes, and refresh tokens.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Client;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use serde_json::Value;

use super::servers::SECRET;

pub(crate) const USERNAME: &str = "alice";
pub(crate) const PASSWORD: &str = "correct horse battery staple";
/// The client of people.
pub(crate) const APP: &str = "app";
pub(crate) const REDIRECT_URI: &str = "https://client.example.com/callback";
/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// How long a connection may wait for its next request: less than a server waits.
const IDLE: Duration = Duration::from_secs(1);

/// How many ask at once.
const AT_ONCE: usize = 32;

/// A browser in which Alice is signed in.
pub(crate) struct SignedIn {
    http: Client,
    pub(crate) issuer: String,
    session: String,
    runtime: tokio::runtime::Runtime,
}

/// What a redemption says beside the code.
pub(crate) fn redemption_form() -> String {
    format!("&client_id={APP}&client_secret={SECRET}&redirect_uri={REDIRECT_URI}&code_verifier={VERIFIER}")
}

/// What a refresh says beside the token.
pub(crate) fn refresh_form() -> String {
    format!("&client_id={APP}&client_secret={SECRET}")
}

impl SignedIn {
    /// Signs Alice in.
    pub(crate) fn at(issuer: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let http = Client::builder().redirect(Policy::none()).pool_idle_timeout(IDLE).build().expect("a client");
        let session = runtime.block_on(sign_in(&http, issuer));
        Self { http, issuer: issuer.to_owned(), session, runtime }
    }

    /// So many codes.
    pub(crate) fn codes(&self, count: usize) -> Vec<String> {
        self.many(count, |_| self.code())
    }

    /// So many refresh tokens, each of a grant of its own.
    pub(crate) fn refresh_tokens(&self, count: usize) -> Vec<String> {
        self.many(count, async |_| {
            let code = self.code().await;
            let form = format!("grant_type=authorization_code&code={code}{}", redemption_form());
            member(&self.http, &self.issuer, form, "refresh_token").await
        })
    }

    /// An access token of client credentials with this `resource`.
    pub(crate) fn machine_token(&self, resource: &str) -> String {
        let form = format!(
            "grant_type=client_credentials&client_id=machine&client_secret={SECRET}&scope=read&resource={resource}"
        );
        self.runtime.block_on(member(&self.http, &self.issuer, form, "access_token"))
    }

    /// What is at an address.
    pub(crate) fn get(&self, url: &str) -> String {
        self.runtime.block_on(async { self.http.get(url).send().await.expect("answered").text().await.expect("text") })
    }

    fn many<F: Future<Output = String>>(&self, count: usize, one: impl Fn(usize) -> F) -> Vec<String> {
        self.runtime.block_on(async {
            let mut left: VecDeque<usize> = (0..count).collect();
            let mut all = Vec::with_capacity(count);
            while !left.is_empty() {
                let some = left.drain(..left.len().min(AT_ONCE)).map(&one);
                all.extend(join_all(some).await);
            }
            all
        })
    }

    async fn code(&self) -> String {
        let request = self.http.get(authorization(&self.issuer)).header(COOKIE, &self.session);
        let answer = request.send().await.expect("answered");
        let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let location = location.unwrap_or_else(|| panic!("no redirect: {}", answer.status()));
        let (_, after) = location.split_once("code=").expect("a code");
        after.split('&').next().unwrap_or_default().to_owned()
    }
}

fn authorization(issuer: &str) -> String {
    format!(
        "{issuer}/authorize?response_type=code&client_id={APP}&redirect_uri={REDIRECT_URI}&scope=read&\
         code_challenge={CHALLENGE}&code_challenge_method=S256"
    )
}

async fn member(http: &Client, issuer: &str, form: String, name: &str) -> String {
    let request = http.post(format!("{issuer}/token")).header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(form).send().await.expect("answered").bytes().await.expect("a body");
    let answer: Value = serde_json::from_slice(&answer).expect("JSON");
    answer[name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

async fn sign_in(http: &Client, issuer: &str) -> String {
    let page = http.get(authorization(issuer)).send().await.expect("answered");
    let mark = cookies(&page);
    let page = page.text().await.expect("a page");
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("request", hidden(&page, "request"))
        .append_pair("csrf", hidden(&page, "csrf"))
        .append_pair("username", USERNAME)
        .append_pair("password", PASSWORD)
        .finish();
    let request = http.post(format!("{issuer}/login")).header("content-type", "application/x-www-form-urlencoded");
    cookies(&request.header(COOKIE, mark).body(form).send().await.expect("answered"))
}

fn hidden<'a>(page: &'a str, name: &str) -> &'a str {
    let start = format!("name=\"{name}\" value=\"");
    let (_, after) = page.split_once(&start).unwrap_or_else(|| panic!("no {name} in {page}"));
    after.split('"').next().unwrap_or_default()
}

fn cookies(answer: &reqwest::Response) -> String {
    let values = answer.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs: Vec<_> =
        values.filter_map(|value| value.split(';').next()).filter(|pair| !pair.ends_with('=')).collect();
    pairs.join("; ")
}
