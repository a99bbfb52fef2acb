//! The playground: a page that is an ordinary client in a browser, and every step of it with its request and its answer.
//!
//! Static files, built into the program, and a small document that says where the server is and which client this is
//! (`config.json`). All else the page learns as any client does, from the server's metadata (RFC 8414).

use std::time::Duration;

use actix_web::http::header::CONTENT_SECURITY_POLICY;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::SIGNED_IN;

/// What is served: the path, the media type, the content.
const FILES: [(&str, &str, &str); 14] = [
    ("/", HTML, PAGE),
    // Where the browser comes back to: the same page reads the answer.
    (SIGNED_IN, HTML, PAGE),
    ("/style.css", "text/css; charset=utf-8", include_str!("page/style.css")),
    ("/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
    ("/main.js", SCRIPT, include_str!("page/main.js")),
    ("/clocks.js", SCRIPT, include_str!("page/clocks.js")),
    ("/steps.js", SCRIPT, include_str!("page/steps.js")),
    ("/oauth.js", SCRIPT, include_str!("page/oauth.js")),
    ("/exchange.js", SCRIPT, include_str!("page/exchange.js")),
    ("/view.js", SCRIPT, include_str!("page/view.js")),
    ("/words.js", SCRIPT, include_str!("page/words.js")),
    ("/token.js", SCRIPT, include_str!("page/token.js")),
    ("/base64url.js", SCRIPT, include_str!("page/base64url.js")),
    ("/memory.js", SCRIPT, include_str!("page/memory.js")),
];

const PAGE: &str = include_str!("page/index.html");
const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// What the page must be told.
#[derive(Debug, Clone, Serialize)]
pub struct Playground {
    /// The issuer, byte for byte.
    pub issuer: String,
    /// The `client_id` of the page.
    pub client_id: String,
    /// Where the browser comes back to.
    pub redirect_uri: String,
    /// The resource identifier of the API (RFC 8707 §2): its address.
    pub resource: String,
    /// What can be asked for.
    pub scopes: Vec<Permission>,
    /// Who can sign in.
    pub people: Vec<Person>,
    /// The password of all of them. It is good for this run alone.
    pub password: String,
    /// For how long a refresh token that was used gives the same answer again, in seconds.
    #[serde(rename = "refresh_retry_window", serialize_with = "seconds")]
    pub retry_window: Duration,
    /// Tells one run from another: what a tab remembers of an earlier one is of no use.
    pub run: String,
}

/// A scope, and what it allows.
#[derive(Debug, Clone, Serialize)]
pub struct Permission {
    /// As it stands in requests.
    pub scope: String,
    /// For people.
    pub description: String,
}

/// A demo user.
#[derive(Debug, Clone, Serialize)]
pub struct Person {
    /// What is typed in.
    pub username: String,
    /// The claim `sub` of their tokens.
    pub subject: String,
}

fn seconds<S: serde::Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(span.as_secs())
}

/// What every answer of the playground needs, made once.
pub(super) struct Pages {
    policy: String,
    config: String,
}

impl Playground {
    pub(super) fn pages(&self) -> Pages {
        // The script calls this port and the server, and nothing else; nothing of the page can be turned into a script.
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' {}; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
             trusted-types 'none'",
            origin(&self.issuer)
        );
        let config = serde_json::to_string(self).expect("strings and a number are always JSON");
        Pages { policy, config }
    }
}

/// Scheme, host and port of an issuer.
fn origin(issuer: &str) -> &str {
    let host = issuer.find("://").map_or(0, |at| at + 3);
    let end = issuer[host..].find('/').map_or(issuer.len(), |at| host + at);
    &issuer[..end]
}

pub(super) fn configure(config: &mut ServiceConfig) {
    for (path, _, _) in FILES {
        config.route(path, web::get().to(file));
    }
    config.route("/config.json", web::get().to(settings));
}

async fn file(request: HttpRequest, pages: Data<Pages>) -> HttpResponse {
    let Some((_, media_type, content)) = FILES.iter().find(|(path, _, _)| *path == request.path()) else {
        return HttpResponse::NotFound().finish();
    };
    HttpResponse::Ok()
        .content_type(*media_type)
        .insert_header((CONTENT_SECURITY_POLICY, pages.policy.as_str()))
        .body(*content)
}

async fn settings(pages: Data<Pages>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(pages.config.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_names_the_origin_of_an_issuer_without_its_path() {
        assert_eq!(origin("http://127.0.0.1:8080"), "http://127.0.0.1:8080");
        assert_eq!(origin("https://login.example.com/tenant/a"), "https://login.example.com");
    }
}
