//! Who may ask on the demo's port, and the headers of every answer.
//!
//! The page shows the password of a throw-away account, and its API keeps notes, so no other site may read it:
//!
//! - Another name for this address (DNS rebinding) is refused: `Host` must be the address that the demo printed.
//! - A page of another origin, other ports of this machine included, may link to the pages and get nothing else: no
//!   answer has a CORS header, and where the browser says who asks (`Sec-Fetch-Site`, Fetch Metadata Request Headers §2.3)
//!   it is refused before anything is done.
//! - Nothing may frame it, and nothing of it is kept in a cache.
//!
//! Another person on the same machine can open the port as anybody can who opens a loopback port. What there is to gain is
//! an account that exists for this run alone, in a server that protects nothing but that person's trial notes.

use std::net::SocketAddr;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    CACHE_CONTROL, HOST, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse};

use super::{CALLBACK, SIGNED_IN};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Headers of every answer.
const ALWAYS: [(HeaderName, HeaderValue); 6] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
];

/// The address at which this port is spoken to.
#[derive(Debug, Clone)]
pub(super) struct Own {
    host: String,
}

impl Own {
    pub(super) fn at(address: SocketAddr) -> Self {
        Self { host: address.to_string() }
    }

    /// Whether the request names this very address, once.
    fn is_named(&self, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(HOST);
        matches!((hosts.next(), hosts.next()), (Some(host), None) if host.as_bytes() == self.host.as_bytes())
    }
}

/// Lets through what this port's own page asks for, and links to the pages; puts the headers on every answer.
pub(super) async fn keep(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<EitherBody<impl MessageBody>>, Error> {
    let mut response = match refusal(&request) {
        Some(refusal) => request.into_response(refusal).map_into_right_body(),
        None => next.call(request).await?.map_into_left_body(),
    };
    for (name, value) in ALWAYS {
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

fn refusal(request: &ServiceRequest) -> Option<HttpResponse> {
    let Some(own) = request.app_data::<Own>() else { return Some(HttpResponse::InternalServerError().finish()) };
    if !own.is_named(request.headers()) {
        let text = format!("This is the demo of Jotsmith. It answers at http://{}/ alone.\n", own.host);
        return Some(HttpResponse::MisdirectedRequest().content_type("text/plain; charset=utf-8").body(text));
    }
    let is_page = request.method() == Method::GET && ["/", CALLBACK, SIGNED_IN].contains(&request.path());
    if !is_page && is_from_elsewhere(request.headers()) {
        let text = "A page of another origin gets nothing here.\n";
        return Some(HttpResponse::Forbidden().content_type("text/plain; charset=utf-8").body(text));
    }
    None
}

/// Whether a browser says that another origin's page asks. `none` is a person who typed the address; a program that is no
/// browser says nothing.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get_all(SEC_FETCH_SITE).any(|site| site != "same-origin" && site != "none")
}
