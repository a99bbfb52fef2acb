//! What is answered when the bearer token of a request does not help (RFC 6750 §3). Where it stands in the request is
//! [`crate::protocol::bearer`]'s.

pub use crate::protocol::bearer::{Presented, presented_token};

use super::verifier::{TokenRefused, VerifyError};
use crate::protocol::scope::Scope;

/// Why a request is not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// It has no token.
    #[error("there is no bearer token")]
    NoToken,
    /// It has something else in the place of one, or more than one.
    #[error("the bearer token is malformed, or there are two")]
    InvalidRequest,
    /// Its token is not accepted.
    #[error("the token is refused: {0}")]
    InvalidToken(TokenRefused),
    /// Its token is good and does not allow this.
    #[error("the token does not have the scope")]
    InsufficientScope,
    /// Nobody can tell: there are no keys.
    #[error("the issuer's keys cannot be had")]
    KeysUnavailable,
}

impl From<VerifyError> for Denial {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Token(refused) => Self::InvalidToken(refused),
            VerifyError::KeysUnavailable => Self::KeysUnavailable,
        }
    }
}

impl Denial {
    /// The HTTP status (RFC 6750 §3.1).
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidRequest => 400,
            Self::NoToken | Self::InvalidToken(_) => 401,
            Self::InsufficientScope => 403,
            Self::KeysUnavailable => 503,
        }
    }

    /// The `error`, where one is said: a request without a token learns none (RFC 6750 §3.1), and 503 is nothing that a
    /// client could mend.
    pub const fn error(self) -> Option<&'static str> {
        match self {
            Self::NoToken | Self::KeysUnavailable => None,
            Self::InvalidRequest => Some("invalid_request"),
            Self::InvalidToken(_) => Some("invalid_token"),
            Self::InsufficientScope => Some("insufficient_scope"),
        }
    }

    /// The `error_description`: constant, for the reason stands in the log.
    pub const fn description(self) -> Option<&'static str> {
        match self {
            Self::NoToken | Self::KeysUnavailable => None,
            Self::InvalidRequest => Some("The bearer token is malformed, or sent in two ways."),
            Self::InvalidToken(_) => Some("The access token is expired, revoked, malformed, or not for this resource."),
            Self::InsufficientScope => Some("The access token does not allow this."),
        }
    }
}

/// Writes the `WWW-Authenticate` header of one resource (RFC 6750 §3, RFC 9728 §5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WwwAuthenticate {
    realm: String,
    resource_metadata: Option<String>,
}

impl WwwAuthenticate {
    /// For a realm and, where there is one, the address of the metadata. What no quoted string may hold (RFC 9110
    /// §5.6.4) is left out of both.
    pub fn new(realm: &str, resource_metadata: Option<&str>) -> Self {
        let plain = |text: &str| {
            let is_plain = |character: &char| matches!(character, ' '..='~') && !matches!(character, '"' | '\\');
            text.chars().filter(is_plain).collect::<String>()
        };
        Self { realm: plain(realm), resource_metadata: resource_metadata.map(plain) }
    }

    /// The header for a denial, with the scope that is needed; what is no scope (RFC 6749 §3.3) is left out. None where
    /// there is nothing to authenticate for.
    pub fn header(&self, denial: Denial, scope: &str) -> Option<String> {
        if denial == Denial::KeysUnavailable {
            return None;
        }
        let mut header = format!("Bearer realm=\"{}\"", self.realm);
        let mut add = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                header.extend([", ", name, "=\"", value, "\""]);
            }
        };
        add("error", denial.error());
        add("error_description", denial.description());
        add("scope", Some(scope).filter(|scope| is_scope(scope)));
        add("resource_metadata", self.resource_metadata.as_deref());
        Some(header)
    }
}

/// Whether it can be written as the `scope` of a header: no quote or control character may come in with it.
fn is_scope(text: &str) -> bool {
    text.parse().is_ok_and(|scope: Scope| !scope.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_scope_does_not_come_into_the_header() {
        let written = WwwAuthenticate::new("a", None);
        for scope in ["", " ", "read\", error=\"x", "read\\", "read\r\nX: y", "read\u{1}", "ä", "read  write"] {
            let header = written.header(Denial::InsufficientScope, scope).expect("a header");
            let expected = written.header(Denial::InsufficientScope, "").expect("a header");
            assert_eq!(header, expected, "{scope:?}");
            assert!(!header.contains(", scope="), "{header}");
        }
    }

    #[test]
    fn the_header_says_what_a_client_can_mend() {
        let written = WwwAuthenticate::new("https://api.example.com", Some("https://api.example.com/.well-known/x"));
        let none = written.header(Denial::NoToken, "read");
        let metadata = r#"resource_metadata="https://api.example.com/.well-known/x""#;
        let expected = format!(r#"Bearer realm="https://api.example.com", scope="read", {metadata}"#);
        assert_eq!(none.as_deref(), Some(expected.as_str()));
        let scope = written.header(Denial::InsufficientScope, "read write").expect("a header");
        assert!(scope.contains(r#"error="insufficient_scope""#) && scope.contains(r#"scope="read write""#), "{scope}");
        assert_eq!(written.header(Denial::KeysUnavailable, "read"), None);
        let hostile = WwwAuthenticate::new("a\"\r\nX: y\\ä", None).header(Denial::NoToken, "");
        assert_eq!(hostile.as_deref(), Some("Bearer realm=\"aX: y\""));
    }
}
