//! Bearer tokens on the wire (RFC 6750): where a token stands in a request, and what is answered when it does not help.
//!
//! Taken is the header alone (§2.1). A token in the query would stand in logs and histories (§5.3), and one in a form is
//! not looked for.

use super::verifier::{TokenRefused, VerifyError};
use crate::protocol::scope::Scope;

/// What a request presents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presented<'a> {
    /// No bearer token.
    Nothing,
    /// One, which has the form of one (RFC 6750 §2.1).
    Token(&'a str),
    /// What is no bearer token, or more than one.
    Malformed,
}

/// Finds the bearer token of a request in its `Authorization` headers and its query.
pub fn presented_token<'a>(authorization: impl IntoIterator<Item = &'a [u8]>, query: &str) -> Presented<'a> {
    let mut authorization = authorization.into_iter();
    let Some(value) = authorization.next() else { return Presented::Nothing };
    let Some((scheme, token)) = split_scheme(value) else { return Presented::Nothing };
    // RFC 9110 §11.1: the scheme is compared without regard to case.
    if !scheme.eq_ignore_ascii_case(b"Bearer") {
        return if authorization.next().is_some() { Presented::Malformed } else { Presented::Nothing };
    }
    // RFC 6750 §2: no more than one way, and no more than one token.
    let is_one = authorization.next().is_none() && !has_token(query);
    match std::str::from_utf8(token.trim_ascii_end()) {
        Ok(token) if is_one && is_b64token(token) => Presented::Token(token),
        _ => Presented::Malformed,
    }
}

/// The scheme, and what follows after spaces (RFC 9110 §11.4).
fn split_scheme(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let value = value.trim_ascii();
    if value.is_empty() {
        return None;
    }
    let end = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    Some((scheme, rest.trim_ascii_start()))
}

/// RFC 6750 §2.3: the name is reserved for this.
fn has_token(query: &str) -> bool {
    query.split('&').any(|pair| pair.split('=').next() == Some("access_token"))
}

/// RFC 6750 §2.1: `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
fn is_b64token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

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
    fn a_token_is_taken_from_one_header_and_from_nowhere_else() {
        let token = Presented::Token("mF_9.B5f-4.1JqM");
        for (lines, query, expected) in [
            (&["Bearer mF_9.B5f-4.1JqM"][..], "", token),
            (&["bearer   mF_9.B5f-4.1JqM "], "a=b", token),
            (&[], "", Presented::Nothing),
            (&[], "access_token=mF_9.B5f-4.1JqM", Presented::Nothing),
            (&[""], "", Presented::Nothing),
            (&["Basic czZCaGRSa3F0Mzo="], "", Presented::Nothing),
            (&["Bearer"], "", Presented::Malformed),
            (&["Bearer "], "", Presented::Malformed),
            (&["Bearer a b"], "", Presented::Malformed),
            (&["Bearer a,b"], "", Presented::Malformed),
            (&["Bearer ="], "", Presented::Malformed),
            (&["Bearer a=b"], "", Presented::Malformed),
            (&["Bearer \"a\""], "", Presented::Malformed),
            (&["Bearer ä"], "", Presented::Malformed),
            (&["Bearer\ta"], "", Presented::Nothing),
            (&["Bearer mF_9.B5f-4.1JqM"], "x=1&access_token=a", Presented::Malformed),
            (&["Bearer mF_9.B5f-4.1JqM"], "access_token", Presented::Malformed),
            (&["Bearer a", "Bearer a"], "", Presented::Malformed),
            (&["Bearer a", "Basic a"], "", Presented::Malformed),
            (&["Basic a", "Bearer a"], "", Presented::Malformed),
        ] {
            assert_eq!(presented_token(lines.iter().map(|line| line.as_bytes()), query), expected, "{lines:?} {query}");
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
