//! The error codes that cross the wire, and the error that carries one inward-out.
//!
//! The text a client sees is constant; what really happened travels beside it as a cause for the log, never for the
//! wire. Which HTTP status an error gets is decided in `http::error_response` alone.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::foundation::storage::StoreUnavailable;

/// An `error` value as a client receives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// A parameter is missing, repeated or malformed (RFC 6749 §4.1.2.1 and §5.2).
    InvalidRequest,
    /// Client authentication failed (RFC 6749 §5.2).
    InvalidClient,
    /// The code, refresh token or password is not usable, or not by this client (RFC 6749 §5.2).
    InvalidGrant,
    /// The client may not use this grant type (RFC 6749 §5.2) or response type (§4.1.2.1).
    UnauthorizedClient,
    /// The server has no such grant type (RFC 6749 §5.2).
    UnsupportedGrantType,
    /// The scope is unknown, malformed, or more than may be had (RFC 6749 §5.2).
    InvalidScope,
    /// The resource is unknown, malformed, or not for this client (RFC 8707 §2).
    InvalidTarget,
    /// The token is of a kind that cannot be revoked (RFC 7009 §2.2.1).
    UnsupportedTokenType,
    /// The person, or the server, said no (RFC 6749 §4.1.2.1).
    AccessDenied,
    /// The server has no such response type (RFC 6749 §4.1.2.1).
    UnsupportedResponseType,
    /// Something is wrong with the server itself (RFC 6749 §4.1.2.1).
    ServerError,
    /// The server cannot answer now and may later (RFC 6749 §4.1.2.1; at `/token` our extension).
    TemporarilyUnavailable,
    /// `prompt=none` and nobody is signed in (OpenID Connect Core §3.1.2.6).
    LoginRequired,
    /// `prompt=none` and the person has not consented (OpenID Connect Core §3.1.2.6).
    ConsentRequired,
    /// `prompt=none` and something must be shown (OpenID Connect Core §3.1.2.6).
    InteractionRequired,
    /// The server does not take the request as a JWT (RFC 9101 §7).
    RequestNotSupported,
    /// The server does not fetch the request from an address (RFC 9101 §7).
    RequestUriNotSupported,
}

impl ErrorCode {
    /// The code as it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::AccessDenied => "access_denied",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::InteractionRequired => "interaction_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error with a code for the client, a constant sentence for its developer, and a cause for our log.
///
/// Each step has a reason enum of its own with `impl From<Reason> for OAuthError` beside it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{code}: {cause}")]
pub struct OAuthError {
    /// What the client acts on.
    pub code: ErrorCode,
    /// What the client's developer reads: constant, without a quotation mark or backslash (RFC 6749 §5.2).
    pub description: &'static str,
    /// What the operator reads in the log; holds no secret.
    pub cause: Cow<'static, str>,
    /// When to come back, where that is known: too many failures, or the store away.
    pub retry_after: Option<Duration>,
}

impl OAuthError {
    /// An error whose cause is its description.
    ///
    /// # Panics
    /// In a debug build, where the description has a character that RFC 6749 §5.2 does not allow.
    pub const fn new(code: ErrorCode, description: &'static str) -> Self {
        debug_assert!(is_error_text(code.as_str()) && is_error_text(description), "a character that no client expects");
        Self { code, description, cause: Cow::Borrowed(description), retry_after: None }
    }

    /// The same error with what really happened, for the log alone.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Cow::Owned(cause.to_string());
        self
    }

    /// The same error with the time to wait before trying again.
    #[must_use]
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

// RFC 6749 appendices A.7 and A.8: 1*NQSCHAR, NQSCHAR = %x20-21 / %x23-5B / %x5D-7E.
const fn is_error_text(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !matches!(bytes[at], 0x20 | 0x21 | 0x23..=0x5B | 0x5D..=0x7E) {
            return false;
        }
        at += 1;
    }
    !bytes.is_empty()
}

impl From<StoreUnavailable> for OAuthError {
    fn from(reason: StoreUnavailable) -> Self {
        Self::new(ErrorCode::TemporarilyUnavailable, "The server cannot answer now, try again later.")
            .retry_after(reason.retry_after)
            .because(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_written_in_the_characters_of_rfc_6749_appendix_a() {
        for text in ["", "a \"word\"", "back\\slash", "line\nbreak", "caf\u{e9}", "\u{7f}"] {
            assert!(!is_error_text(text), "{text:?}");
        }
        assert!(is_error_text(" !#[]~"));
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "a character that no client expects")]
    fn a_description_that_no_client_could_read_is_found_by_every_test_that_meets_it() {
        let _ = OAuthError::new(ErrorCode::InvalidRequest, "The parameter \"scope\" is missing.");
    }
}
