//! The pages that people meet: plain HTML, with one stylesheet in the page itself. One page has a script, which presses
//! its button.
//!
//! Everything that a page shows is escaped by the template engine. The policy of each page allows that stylesheet by its
//! digest, and that script where it is, and nothing else; it has no `form-action`, for browsers apply that to every later hop of the redirect too.

use std::sync::LazyLock;
use std::time::Duration;

use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, X_FRAME_OPTIONS};
use actix_web::{HttpResponse, HttpResponseBuilder};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::Environment;
use serde::Serialize;

use crate::foundation::digest;

use super::headers::{NO_SNIFF, NO_STORE};

const STYLE: &str = include_str!("style.css");

/// The only script: constant, so that its digest allows it and nothing that a request sends.
const FORM_POST_SCRIPT: &str = include_str!("form_post.js");

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    for (name, source) in [
        ("frame.html", include_str!("frame.html")),
        ("login.html", include_str!("login.html")),
        ("consent.html", include_str!("consent.html")),
        ("form_post.html", include_str!("form_post.html")),
        ("logout.html", include_str!("logout.html")),
        ("message.html", include_str!("message.html")),
        ("way_back.html", include_str!("way_back.html")),
    ] {
        templates.add_template(name, source).expect("the templates in this folder parse");
    }
    for (name, source) in [("style", STYLE), ("form_post_script", FORM_POST_SCRIPT)] {
        templates.add_global(name, minijinja::Value::from_safe_string(source.to_owned()));
    }
    templates
});

static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| policy(""));

static POLICY_WITH_SCRIPT: LazyLock<HeaderValue> =
    LazyLock::new(|| policy(&format!(" script-src '{}';", source_digest(FORM_POST_SCRIPT))));

fn policy(more: &str) -> HeaderValue {
    let style = source_digest(STYLE);
    let policy = format!("default-src 'none'; style-src '{style}';{more} base-uri 'none'; frame-ancestors 'none'");
    HeaderValue::try_from(policy).expect("ASCII")
}

/// What stands for an inline element in a policy (Content Security Policy Level 3 §2.3.1, `hash-source`).
fn source_digest(source: &str) -> String {
    format!("sha256-{}", STANDARD.encode(digest::sha256(source)))
}

/// Asks for username and password.
#[derive(Debug, Serialize)]
pub(super) struct LoginPage<'a> {
    /// Where the form goes.
    pub(super) action: &'a str,
    /// The name of the client that sent the person here.
    pub(super) client_name: &'a str,
    /// The sealed request.
    pub(super) request: &'a str,
    /// Binds the form to this browser.
    pub(super) csrf: &'a str,
    /// What stands in the field already.
    pub(super) username: &'a str,
    /// Why the last attempt failed.
    pub(super) problem: Option<&'a str>,
}

/// Asks for consent.
#[derive(Debug, Serialize)]
pub(super) struct ConsentPage<'a> {
    /// Where the form goes.
    pub(super) action: &'a str,
    /// Who asks.
    pub(super) client_name: &'a str,
    /// Where the answer goes.
    pub(super) redirect_host: &'a str,
    /// What is asked for, in words.
    pub(super) permissions: Vec<&'a str>,
    /// Where: the resources that are asked for, where they are not the one that is always meant.
    pub(super) resources: Vec<&'a str>,
    /// For how long, in words (RFC 6749 §10.2).
    pub(super) lifetime: &'a str,
    /// Why the page is shown again.
    pub(super) problem: Option<&'a str>,
    /// The sealed request.
    pub(super) request: &'a str,
    /// Binds the form to this session.
    pub(super) csrf: &'a str,
}

/// Posts an answer to a client (OAuth 2.0 Form Post Response Mode §2), by itself or by a press of its button.
#[derive(Serialize)]
pub(super) struct FormPostPage<'a> {
    /// The redirect URI.
    pub(super) action: &'a str,
    /// What a person knows it by.
    pub(super) redirect_host: &'a str,
    /// The answer.
    pub(super) fields: Vec<PostedField<'a>>,
}

/// A parameter of an answer.
#[derive(Debug, Serialize)]
pub(super) struct PostedField<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Its value, which may be a secret.
    pub(super) value: &'a str,
}

/// Says that a request waited too long, and offers the way back to its client.
#[derive(Debug, Serialize)]
pub(super) struct WayBackPage<'a> {
    /// Whose request it was.
    pub(super) client_name: &'a str,
    /// Where the way leads.
    pub(super) redirect_host: &'a str,
    /// The redirect URI: with the answer in it, or for the fields.
    pub(super) action: &'a str,
    /// The answer, where it is posted.
    pub(super) fields: Vec<PostedField<'a>>,
}

/// Offers to sign out.
#[derive(Debug, Serialize)]
pub(super) struct LogoutPage<'a> {
    /// Where the form goes.
    pub(super) action: &'a str,
    /// Binds the form to this session.
    pub(super) csrf: &'a str,
}

/// Says something and asks nothing.
#[derive(Debug, Serialize)]
pub(super) struct MessagePage<'a> {
    /// What it is about.
    pub(super) title: &'a str,
    /// What happened, and what to do.
    pub(super) text: &'a str,
    /// What to tell the operator.
    pub(super) error_id: Option<&'a str>,
}

impl LoginPage<'_> {
    pub(super) fn render(&self, status: StatusCode) -> Page {
        Page::new("login.html", self, status)
    }
}

impl ConsentPage<'_> {
    pub(super) fn render(&self, status: StatusCode) -> Page {
        Page::new("consent.html", self, status)
    }
}

impl WayBackPage<'_> {
    pub(super) fn render(&self, status: StatusCode) -> Page {
        Page::new("way_back.html", self, status)
    }
}

impl FormPostPage<'_> {
    pub(super) fn render(&self) -> Page {
        let mut page = Page::new("form_post.html", self, StatusCode::OK);
        page.response.insert_header((CONTENT_SECURITY_POLICY, POLICY_WITH_SCRIPT.clone()));
        page
    }
}

impl LogoutPage<'_> {
    pub(super) fn render(&self) -> Page {
        Page::new("logout.html", self, StatusCode::OK)
    }
}

impl MessagePage<'_> {
    pub(super) fn render(&self, status: StatusCode) -> Page {
        Page::new("message.html", self, status)
    }
}

/// A span of time in the largest unit of which it has one, rounded up: "365 days", "5 minutes".
pub(super) fn in_words(span: Duration) -> String {
    let seconds = span.as_secs().max(1);
    let units = [(24 * 60 * 60, "day"), (60 * 60, "hour"), (60, "minute"), (1, "second")];
    let (length, unit) = units.into_iter().find(|(length, _)| seconds >= *length).expect("there is a second");
    let count = seconds.div_ceil(length);
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// A rendered page, and what goes with it.
pub(super) struct Page {
    body: String,
    response: HttpResponseBuilder,
}

impl Page {
    fn new(template: &str, values: &impl Serialize, status: StatusCode) -> Self {
        let template = TEMPLATES.get_template(template).expect("a template of this folder");
        let body = template.render(minijinja::value::Serde(values)).expect("a template renders what its page gives it");
        let mut response = HttpResponse::build(status);
        for header in NO_STORE {
            response.insert_header(header);
        }
        response
            .insert_header(NO_SNIFF)
            .insert_header((CONTENT_SECURITY_POLICY, POLICY.clone()))
            .insert_header((REFERRER_POLICY, "no-referrer"))
            .insert_header((X_FRAME_OPTIONS, "DENY"))
            .content_type("text/html; charset=utf-8");
        Self { body, response }
    }

    /// The same page with a cookie.
    pub(super) fn with_cookie(mut self, cookie: Cookie<'_>) -> Self {
        self.response.cookie(cookie);
        self
    }

    /// The same page with the time to wait, in seconds.
    pub(super) fn with_retry_after(mut self, seconds: Option<u64>) -> Self {
        if let Some(seconds) = seconds {
            self.response.insert_header((actix_web::http::header::RETRY_AFTER, seconds));
        }
        self
    }

    pub(super) fn finish(mut self) -> HttpResponse {
        self.response.body(self.body)
    }
}
