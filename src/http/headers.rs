//! Header values that several answers share.

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, PRAGMA, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;
use uuid::Uuid;

/// The header that names a request as the log does.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Writes the identifier into an answer that stands in every log line about its request.
pub(super) fn name_request(headers: &mut HeaderMap, id: Uuid) {
    let mut text = Uuid::encode_buffer();
    let name = HeaderValue::from_str(id.hyphenated().encode_lower(&mut text)).expect("hexadecimal digits and hyphens");
    headers.insert(REQUEST_ID, name);
}

/// An answer that no cache may keep (RFC 6749 §5.1): both headers, for HTTP/1.0 caches too.
pub(super) const NO_STORE: [(HeaderName, HeaderValue); 2] =
    [(CACHE_CONTROL, HeaderValue::from_static("no-store")), (PRAGMA, HeaderValue::from_static("no-cache"))];

/// The type is what the header says; a browser does not guess.
pub(super) const NO_SNIFF: (HeaderName, HeaderValue) = (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));

/// An answer to a client, with the headers that each of them has.
pub(super) fn not_stored(status: StatusCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    for header in NO_STORE {
        response.insert_header(header);
    }
    response.insert_header(NO_SNIFF);
    response
}

/// An answer in JSON to a client.
///
/// # Panics
/// Never: what we answer with is always JSON.
pub(super) fn json(answer: &impl Serialize) -> HttpResponse {
    let mut body = Vec::with_capacity(USUAL_LENGTH);
    serde_json::to_writer(&mut body, answer).expect("an answer of ours is JSON");
    let mut response = not_stored(StatusCode::OK);
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json"))).body(body)
}

/// As many bytes as an answer with a token has: they are given their place at once.
const USUAL_LENGTH: usize = 1024;
