//! How an error looks on the wire: the only place that chooses a status (RFC 6749 §5.2).
//!
//! The body is JSON with the code, a constant sentence, and an `error_id` that stands in the log beside the true cause.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use crate::foundation::request_scope::RequestScope;
use crate::protocol::error::{ErrorCode, OAuthError};

use super::headers::not_stored;
use super::notes::Notes;

/// Why a request is refused before it is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The body is not `application/x-www-form-urlencoded`.
    NotAForm,
    /// The body is longer than 64 KiB.
    TooLong,
    /// The body ended before its end.
    BrokenOff,
}

impl Refusal {
    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::NotAForm => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BrokenOff => StatusCode::BAD_REQUEST,
        }
    }

    pub(super) const fn error(self) -> OAuthError {
        let description = match self {
            Self::NotAForm => "The body is not application/x-www-form-urlencoded.",
            Self::TooLong => "The body is longer than 64 KiB.",
            Self::BrokenOff => "The body ended before its end.",
        };
        OAuthError::new(ErrorCode::InvalidRequest, description)
    }
}

/// Renders an error of an endpoint that answers in JSON, and logs it once with its cause.
pub(super) fn render(request: &HttpRequest, error: &OAuthError) -> HttpResponse {
    answer(request, error, status(error))
}

/// Renders the refusal of a body that was not read.
pub(super) fn render_refusal(request: &HttpRequest, refusal: Refusal) -> HttpResponse {
    answer(request, &refusal.error(), refusal.status())
}

/// Renders a 405, which names the methods that are there (RFC 9110 §15.5.6).
pub(super) fn method_not_allowed(request: &HttpRequest, allow: &'static str) -> HttpResponse {
    let error = OAuthError::new(ErrorCode::InvalidRequest, "The endpoint does not take this method.");
    let mut response = answer(request, &error, StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}

fn status(error: &OAuthError) -> StatusCode {
    match error.code {
        ErrorCode::InvalidClient => StatusCode::UNAUTHORIZED,
        ErrorCode::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        // Too many wrong passwords: the only invalid_grant that says when to come back.
        ErrorCode::InvalidGrant if error.retry_after.is_some() => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::BAD_REQUEST,
    }
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    error_description: &'a str,
    error_id: String,
}

/// Logs an error once, with its cause and the identifier that the answer shows, and gives that identifier.
pub(super) fn log(request: &HttpRequest, error: &OAuthError, status: StatusCode) -> String {
    let error_id = request_id();
    let (code, cause) = (error.code.as_str(), &*error.cause);
    if status.is_server_error() {
        tracing::error!(error.id = %error_id, error.code = code, error.cause = cause, "request failed");
    } else {
        tracing::info!(error.id = %error_id, error.code = code, error.cause = cause, "request refused");
    }
    Notes::add(request, |notes| notes.error = Some(error.code));
    error_id
}

/// The status of a page that shows an error to a person.
pub(super) fn status_of_page(error: &OAuthError) -> StatusCode {
    match error.code {
        ErrorCode::TemporarilyUnavailable | ErrorCode::ServerError => status(error),
        _ => StatusCode::BAD_REQUEST,
    }
}

/// RFC 9110 §10.2.3: whole seconds; rounded up, so that whoever waits has waited enough.
pub(super) fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

fn answer(request: &HttpRequest, error: &OAuthError, status: StatusCode) -> HttpResponse {
    let error_id = log(request, error, status);
    let mut response = not_stored(status);
    if status == StatusCode::UNAUTHORIZED {
        // RFC 6749 §5.2 asks for it where the header was used, RFC 9110 §15.5.2 with every 401.
        response.insert_header((WWW_AUTHENTICATE, r#"Basic realm="jotsmith", charset="UTF-8""#));
    }
    if let Some(wait) = error.retry_after {
        response.insert_header((RETRY_AFTER, whole_seconds(wait)));
    }
    response.json(Body { error: error.code.as_str(), error_description: error.description, error_id })
}

/// The identifier of the request, which stands in every log line about it and in the header `x-request-id`.
pub(super) fn request_id() -> String {
    RequestScope::current().map(|scope| scope.id().to_string()).unwrap_or_default()
}
