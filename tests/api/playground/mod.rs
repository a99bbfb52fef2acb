//! The playground of `jotsmith demo`: who may read its port, what its client may do, and its API, with real tokens.

mod api;
mod client;
mod files;
mod guard;
mod opening;
mod script;

use jotsmith::foundation::{base64url, digest};
use reqwest::header::ORIGIN;
use reqwest::{Client, RequestBuilder, redirect};
use serde_json::Value;

use crate::harness::browser::Browser;
use crate::harness::program::Running;
use crate::harness::{Answer, Site, free_port};

/// A verifier of our own (RFC 7636 §4.1).
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// A demo that runs, and what its page was told.
struct Demo {
    http: Client,
    /// Where the page is.
    origin: String,
    config: Value,
    /// The `client_secret` of the machine.
    machine_secret: String,
    _running: Running,
    _site: Site,
}

/// What a person let the playground have.
struct Tokens {
    access_token: String,
    refresh_token: String,
}

impl Demo {
    async fn start(arguments: &[&str]) -> Self {
        let site = Site::new();
        let port = free_port().to_string();
        let mut running = Running::start(site.folder(), &[&["demo", "--port", &port], arguments].concat());
        let printed = running.wait_for_output("/health/ready");
        let origin = printed[0].split(' ').nth(1).and_then(|address| address.strip_suffix('/')).expect("an address");
        let machine_secret = printed.iter().find_map(|line| line.split("its client_secret ").nth(1)).expect("a secret");
        let http = Client::builder().redirect(redirect::Policy::none()).build().expect("an HTTP client");
        let config = Answer::of(http.get(format!("{origin}/config.json"))).await.json();
        Self {
            http,
            origin: origin.to_owned(),
            config,
            machine_secret: machine_secret.to_owned(),
            _running: running,
            _site: site,
        }
    }

    fn told(&self, name: &str) -> &str {
        self.config[name].as_str().expect("a text")
    }

    /// A request to the port of the page.
    fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.origin))
    }

    /// A note that the page sends to its API.
    fn write(&self, token: &str, body: &Value) -> RequestBuilder {
        let request = self.http.post(format!("{}/api/notes", self.origin)).bearer_auth(token);
        request.header("content-type", "application/json").body(body.to_string())
    }

    /// A form that the page sends to the server.
    async fn post(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let request = self.http.post(format!("{}{path}", self.told("issuer"))).body(body).header(ORIGIN, &self.origin);
        Answer::of(request.header("content-type", "application/x-www-form-urlencoded")).await
    }

    /// The path of the authorization request of the playground.
    fn asks(&self, redirect_uri: &str, scope: &str) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("response_type", "code")
            .append_pair("client_id", self.told("client_id"))
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", scope)
            .append_pair("resource", self.told("resource"))
            .append_pair("state", "af0ifjsldkj")
            .append_pair("code_challenge", &base64url::encode(digest::sha256(VERIFIER)))
            .append_pair("code_challenge_method", "S256")
            .finish();
        format!("/authorize?{query}")
    }

    /// What comes of a person's yes.
    async fn tokens(&self, username: &str, scope: &str) -> Tokens {
        let mut browser = Browser::new(&self.http, self.told("issuer"));
        let login = browser.get(&self.asks(self.told("redirect_uri"), scope)).await.form();
        let filled = login.fill("username", username).fill("password", self.told("password"));
        let consent = browser.submit(&filled).await;
        let back = browser.submit(&consent.form().press("allow")).await;
        let (address, query) = back.header("location").split_once('?').expect("a query");
        assert_eq!(address, self.told("redirect_uri"));
        let parameters: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let of = |name: &str| &*parameters.iter().find(|(own, _)| own == name).expect("a parameter").1;
        assert_eq!((of("iss"), of("state")), (self.told("issuer"), "af0ifjsldkj"));
        let answer = self
            .post(
                "/token",
                &[
                    ("grant_type", "authorization_code"),
                    ("client_id", self.told("client_id")),
                    ("redirect_uri", self.told("redirect_uri")),
                    ("code", of("code")),
                    ("code_verifier", VERIFIER),
                ],
            )
            .await;
        Tokens::of(&answer)
    }

    async fn refresh(&self, refresh_token: &str) -> Answer {
        let client_id = self.told("client_id");
        let form = [("grant_type", "refresh_token"), ("client_id", client_id), ("refresh_token", refresh_token)];
        self.post("/token", &form).await
    }
}

impl Tokens {
    fn of(answer: &Answer) -> Self {
        let refresh_token = answer.json()["refresh_token"].as_str().expect("a refresh token").to_owned();
        Self { access_token: answer.access_token(), refresh_token }
    }
}
