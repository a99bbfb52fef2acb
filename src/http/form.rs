//! The body of a POST: `application/x-www-form-urlencoded`, bounded (RFC 6749 §4.1.3, §4.3.2, §4.4.2).

use std::future::poll_fn;
use std::pin::Pin;

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::{Bytes, Payload};
use futures_core::Stream as _;

use super::error_response::Refusal;

/// The longest body, in bytes.
const LONGEST_BODY: usize = 64 * 1024;

/// Reads the body of a form, or refuses it with the status that HTTP has for the case.
pub(super) async fn read(request: &HttpRequest, body: Payload) -> Result<Bytes, Refusal> {
    if !is_form(request) {
        return Err(Refusal::NotAForm);
    }
    collect(body).await
}

/// Nearly every form comes in one piece, which is taken as it is.
async fn collect(mut body: Payload) -> Result<Bytes, Refusal> {
    let (mut first, mut rest) = (Bytes::new(), Vec::new());
    while let Some(piece) = poll_fn(|context| Pin::new(&mut body).poll_next(context)).await {
        let piece = piece.map_err(|_| Refusal::BrokenOff)?;
        if first.len() + rest.len() + piece.len() > LONGEST_BODY {
            return Err(Refusal::TooLong);
        }
        if first.is_empty() {
            first = piece;
        } else {
            rest.extend_from_slice(&piece);
        }
    }
    Ok(if rest.is_empty() { first } else { [&*first, &*rest].concat().into() })
}

/// Parameters of the media type, such as a charset, make no difference: the encoding is UTF-8 (RFC 6749 appendix B).
fn is_form(request: &HttpRequest) -> bool {
    let mut values = request.headers().get_all(header::CONTENT_TYPE);
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let essence = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}
