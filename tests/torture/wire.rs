//! What goes over the wire: the requests of one client, and the flaws that a run may be given on purpose.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, RequestBuilder, Response, redirect};
use tokio::sync::Notify;
use url::Url;

use crate::server::{CALLBACK, CLIENT, PASSWORD, SECRET, Server};

/// How long an answer is waited for, so that a run ends also where a server hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// What is wrong with a server on purpose, so that a run is seen to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Nothing.
    None,
    /// After a kill it has the store of the start before.
    Forgets,
    /// It says that a grant is dead, and lets it live.
    NeverKills,
    /// One request in a hundred gets `503`.
    RefusesSome,
}

/// Why a request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intent {
    /// To go on.
    GoOn,
    /// So that the grant dies.
    Kill,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Tokens, the refresh token among them.
    Token(String),
    /// `invalid_grant`.
    InvalidGrant,
    /// Nothing, for the server was killed.
    NoAnswer,
    /// What no step of the protocol explains.
    Wrong(String),
}

/// Whether something was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was.
    Yes,
    /// That is not known, for the server was killed.
    NoAnswer,
}

/// The client, from one start of the server to the next.
pub(crate) struct Wire<'a> {
    server: &'a Server,
    http: Client,
    flaw: Flaw,
    session: String,
    answers: AtomicUsize,
    looks: AtomicUsize,
    /// The number of answers after which somebody waits to be told.
    mark: usize,
    reached: Notify,
    has_given_up: AtomicBool,
    random: Mutex<fastrand::Rng>,
}

impl<'a> Wire<'a> {
    /// A client of a server that runs; `session` is the cookie of a person who is signed in.
    pub(crate) fn new(server: &'a Server, flaw: Flaw, session: String, mark: usize, random: fastrand::Rng) -> Self {
        let (answers, looks, has_given_up) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
        let (http, reached, random) = (client(), Notify::new(), Mutex::new(random));
        Self { server, http, flaw, session, answers, looks, mark, reached, has_given_up, random }
    }

    /// Waits until as many answers came as the mark says.
    pub(crate) async fn until_marked(&self) {
        self.reached.notified().await;
    }

    /// A rule was broken: nobody needs to go on.
    pub(crate) fn give_up(&self) {
        self.has_given_up.store(true, Ordering::SeqCst);
        self.reached.notify_one();
    }

    /// Whether nobody needs to go on.
    pub(crate) fn is_over(&self) -> bool {
        self.server.is_down() || self.has_given_up.load(Ordering::SeqCst)
    }

    /// How many answers came.
    pub(crate) fn answers(&self) -> usize {
        self.answers.load(Ordering::SeqCst)
    }

    /// A grant was looked at, and is as it must be.
    pub(crate) fn count_look(&self) {
        self.looks.fetch_add(1, Ordering::SeqCst);
    }

    /// How many times a grant was looked at.
    pub(crate) fn looks(&self) -> usize {
        self.looks.load(Ordering::SeqCst)
    }

    /// A number below `end`.
    pub(crate) fn below(&self, end: usize) -> usize {
        self.random.lock().expect("unpoisoned").usize(..end)
    }

    /// A new code; `None` where no answer came.
    pub(crate) async fn code(&self) -> Result<Option<String>, String> {
        match self.code_of(&self.session).await? {
            None => Ok(None),
            Some(code) => code.map(Some).ok_or_else(|| "no code but a page".to_owned()),
        }
    }

    /// A new code of this session, or a page instead; `None` where no answer came.
    pub(crate) async fn code_of(&self, session: &str) -> Result<Option<Option<String>>, String> {
        let request = self.http.get(authorization(self.server)).header(COOKIE, session);
        let Some(response) = self.send(request).await? else { return Ok(None) };
        let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        let code = location.and_then(|location| Url::parse(location).ok()).and_then(|location| {
            location.query_pairs().find(|(name, _)| name == "code").map(|(_, code)| code.into_owned())
        });
        match (code, response.status().as_u16()) {
            (Some(code), _) => Ok(Some(Some(code))),
            (None, 200) => Ok(Some(None)),
            (None, status) => Err(format!("an authorization request got {status}")),
        }
    }

    /// Takes a refresh token back.
    pub(crate) async fn revoke(&self, refresh_token: &str) -> Result<Ended, String> {
        if self.flaw == Flaw::NeverKills {
            return Ok(Ended::Yes);
        }
        let form = [("token", refresh_token)];
        self.ended(self.post("/revoke", &form)).await
    }

    /// Has an operator end all of a person.
    pub(crate) async fn end_all_of(&self, subject: &str) -> Result<Ended, String> {
        if self.flaw == Flaw::NeverKills {
            return Ok(Ended::Yes);
        }
        let admin = format!("{}/admin", self.server.origin());
        let form = [("grant_type", "client_credentials"), ("scope", "jotsmith:admin"), ("resource", admin.as_str())];
        let Some(response) = self.send(self.post("/token", &form)).await? else { return Ok(Ended::NoAnswer) };
        let Ok(body) = response.bytes().await else { return self.not_known() };
        let json: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let token = json["access_token"].as_str().ok_or_else(|| format!("an operator got {json}"))?;
        let url = format!("{}/admin/grants?subject={subject}", self.server.admin_origin());
        self.ended(self.http.delete(url).bearer_auth(token)).await
    }

    /// Signs a session out.
    pub(crate) async fn sign_out(&self, session: &str) -> Result<Ended, String> {
        let url = format!("{}/logout", self.server.origin());
        let Some(page) = self.send(self.http.get(&url).header(COOKIE, session)).await? else {
            return Ok(Ended::NoAnswer);
        };
        let Ok(html) = page.text().await else { return self.not_known() };
        let csrf = value(&html, "csrf").ok_or("a session that nobody has ended got no form to sign out")?;
        let request = from_our_page(self.http.post(url), &[("csrf", &csrf)]);
        self.ended(request.header(COOKIE, session)).await
    }

    /// Signs a person in: the cookie of the session; `None` where no answer came.
    pub(crate) async fn sign_in_as(&self, username: &str) -> Result<Option<String>, String> {
        let Some(page) = self.send(self.http.get(authorization(self.server))).await? else { return Ok(None) };
        let before = cookie(&page);
        let Ok(html) = page.text().await else { return self.not_known().map(|_| None) };
        let request = login(&self.http, self.server, username, &before, &html);
        let Some(answer) = self.send(request).await? else { return Ok(None) };
        Ok(Some(cookie(&answer)).filter(|session| !session.is_empty()))
    }

    async fn ended(&self, request: RequestBuilder) -> Result<Ended, String> {
        match self.send(request).await? {
            None => Ok(Ended::NoAnswer),
            Some(response) if response.status() == 200 => Ok(Ended::Yes),
            Some(response) => Err(format!("what was to end got {}", response.status())),
        }
    }

    fn not_known(&self) -> Result<Ended, String> {
        if self.server.is_down() {
            Ok(Ended::NoAnswer)
        } else {
            Err("an answer of a server that runs was cut".to_owned())
        }
    }

    /// Redeems a code.
    pub(crate) async fn redeem(&self, intent: Intent, code: &str) -> Outcome {
        let form = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK)];
        self.token(intent, &form).await
    }

    /// Refreshes.
    pub(crate) async fn refresh(&self, intent: Intent, refresh_token: &str) -> Outcome {
        self.token(intent, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }

    async fn token(&self, intent: Intent, form: &[(&str, &str)]) -> Outcome {
        if self.flaw == Flaw::NeverKills && intent == Intent::Kill {
            return Outcome::InvalidGrant;
        }
        if self.flaw == Flaw::RefusesSome && self.below(100) == 0 {
            return read(503, br#"{"error":"temporarily_unavailable"}"#);
        }
        match self.send(self.post("/token", form)).await {
            Err(wrong) => Outcome::Wrong(wrong),
            Ok(None) => Outcome::NoAnswer,
            Ok(Some(response)) => self.read(response).await,
        }
    }

    async fn read(&self, response: Response) -> Outcome {
        let status = response.status();
        // An answer that was cut short is none.
        match response.bytes().await {
            Ok(body) => read(status.as_u16(), &body),
            Err(_) => self.no_answer(),
        }
    }

    fn no_answer(&self) -> Outcome {
        if self.server.is_down() {
            Outcome::NoAnswer
        } else {
            Outcome::Wrong("no answer from a server that runs".to_owned())
        }
    }

    fn post(&self, path: &str, form: &[(&str, &str)]) -> RequestBuilder {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.http.post(format!("{}{path}", self.server.origin())).body(body);
        request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").basic_auth(CLIENT, Some(SECRET))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Option<Response>, String> {
        match request.send().await {
            Ok(response) => {
                if self.answers.fetch_add(1, Ordering::SeqCst) + 1 == self.mark {
                    self.reached.notify_one();
                }
                Ok(Some(response))
            }
            Err(_) if self.server.is_down() => Ok(None),
            Err(error) => Err(format!("no answer from a server that runs: {error}")),
        }
    }
}

/// What a whole answer of the token endpoint says.
fn read(status: u16, body: &[u8]) -> Outcome {
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    match (status, json["refresh_token"].as_str(), json["error"].as_str()) {
        (200, Some(token), _) => Outcome::Token(token.to_owned()),
        (400, _, Some("invalid_grant")) => Outcome::InvalidGrant,
        _ => Outcome::Wrong(format!("{status} {}", String::from_utf8_lossy(body))),
    }
}

/// Signs the person in: the cookie of the session.
pub(crate) async fn sign_in(server: &Server) -> String {
    let http = client();
    let page = http.get(authorization(server)).send().await.expect("a page");
    let before = cookie(&page);
    let html = page.text().await.expect("a page");
    let answer = login(&http, server, "alice", &before, &html).send().await;
    cookie(&answer.expect("an answer"))
}

/// The form of a login page, filled in.
fn login(http: &Client, server: &Server, username: &str, before: &str, html: &str) -> RequestBuilder {
    let field = |name: &str| value(html, name).unwrap_or_else(|| panic!("no {name}: {html}"));
    let (sealed, csrf) = (field("request"), field("csrf"));
    let form = [("request", &*sealed), ("csrf", &*csrf), ("username", username), ("password", PASSWORD)];
    let request = http.post(format!("{}/login", server.origin())).header(COOKIE, before);
    from_our_page(request, &form)
}

/// As a browser sends the form of a page.
fn from_our_page(request: RequestBuilder, form: &[(&str, &str)]) -> RequestBuilder {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = request.body(body).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    request.header("origin", "null").header("sec-fetch-site", "same-origin")
}

/// What stands in a hidden field of a page.
fn value(html: &str, name: &str) -> Option<String> {
    let (_, rest) = html.split_once(&format!("name=\"{name}\" value=\""))?;
    rest.split('"').next().map(str::to_owned)
}

/// The cookies that an answer sets and does not end.
fn cookie(answer: &Response) -> String {
    let values = answer.headers().get_all(SET_COOKIE).iter().map(|value| value.to_str().expect("ASCII"));
    let live = values.filter(|value| !value.contains("Max-Age=0"));
    live.filter_map(|value| value.split(';').next()).collect::<Vec<_>>().join("; ")
}

pub(crate) fn client() -> Client {
    Client::builder().redirect(redirect::Policy::none()).timeout(PATIENCE).build().expect("an HTTP client")
}

pub(crate) fn authorization(server: &Server) -> String {
    let query = [("response_type", "code"), ("client_id", CLIENT), ("redirect_uri", CALLBACK)];
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    format!("{}/authorize?{query}", server.origin())
}
