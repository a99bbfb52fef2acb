//! The key set (RFC 7517 §5) that resource servers verify with: rendered when it changes, not when it is asked for.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, Header as _, HeaderValue, IfNoneMatch};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};

use super::headers::NO_SNIFF;
use super::state::State;

/// Answers with the set, or with a 304 to who has it.
pub(super) fn render(request: &HttpRequest, state: &State) -> HttpResponse {
    let live = state.live();
    let set = live.keys.key_set(state.now());
    let is_known = is_known(request, set.etag());
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    // RFC 9110 §15.4.5: a 304 carries the validator and the caching headers of the 200.
    response
        .insert_header((ETAG, header(set.etag())))
        .insert_header((CACHE_CONTROL, header(set.cache_control())))
        .insert_header(NO_SNIFF);
    if is_known {
        return response.finish();
    }
    response
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json")))
        .body(set.body().clone())
}

/// Shares what was written when the set was rendered.
fn header(text: &Bytes) -> HeaderValue {
    HeaderValue::from_maybe_shared(text.clone()).expect("ASCII without control characters")
}

/// RFC 9110 §13.1.2: weak comparison with each tag, or `*`.
fn is_known(request: &HttpRequest, etag: &[u8]) -> bool {
    let Ok(tags) = IfNoneMatch::parse(request) else { return false };
    let own = etag.strip_prefix(b"\"").and_then(|etag| etag.strip_suffix(b"\""));
    match tags {
        IfNoneMatch::Any => true,
        IfNoneMatch::Items(tags) => tags.iter().any(|tag| own == Some(tag.tag().as_bytes())),
    }
}
