//! The pictures of the pages, at addresses that change with them: `GET /logos/<digest>.<type>`.
//!
//! They come from the operator's files, yet an SVG is a document: opened by itself it runs nothing and loads nothing.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use actix_web::web::{Bytes, Data, Path};

use super::headers::NO_SNIFF;
use super::state::State;

/// `GET /logos/{name}`.
pub(super) async fn logo(name: Path<String>, state: Data<State>) -> HttpResponse {
    let live = state.live();
    let Some(logo) = live.pages.logo(&name) else {
        return HttpResponse::NotFound().insert_header((CACHE_CONTROL, "no-store")).finish();
    };
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, logo.media_type()))
        // RFC 8246 §2: what has this address never changes.
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header(NO_SNIFF)
        .insert_header((REFERRER_POLICY, "no-referrer"))
        // A drawing may have a style of its own; nothing else of it works.
        .insert_header((
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'",
        ))
        .insert_header(("cross-origin-resource-policy", "same-origin"))
        .body(Bytes::copy_from_slice(logo.content()))
}
