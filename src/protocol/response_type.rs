//! What the authorization endpoint answers with, and how (RFC 6749 §3.1.1; OAuth 2.0 Multiple Response Type Encoding
//! Practices §2.1).

use std::fmt;
use std::str::FromStr;

use super::error::{ErrorCode, OAuthError};

/// A response type that a client may be registered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResponseType {
    /// `code`: an authorization code (RFC 6749 §4.1.1).
    Code,
}

/// The text names no response type of this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such response type")]
pub struct UnknownResponseType;

impl From<UnknownResponseType> for OAuthError {
    fn from(reason: UnknownResponseType) -> Self {
        Self::new(ErrorCode::UnsupportedResponseType, "The server has no such response_type.").because(reason)
    }
}

impl ResponseType {
    /// Every response type that the server has.
    pub const ALL: [Self; 1] = [Self::Code];

    /// The name as it stands on the wire and in a client's `response_types`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
        }
    }
}

impl fmt::Display for ResponseType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ResponseType {
    type Err = UnknownResponseType;

    fn from_str(text: &str) -> Result<Self, UnknownResponseType> {
        Self::ALL.into_iter().find(|known| known.as_str() == text).ok_or(UnknownResponseType)
    }
}

/// How an answer travels to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResponseMode {
    /// `query`: in the query of the redirect URI, the default for a code.
    Query,
}

/// The text names no response mode of this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such response mode")]
pub struct UnknownResponseMode;

impl From<UnknownResponseMode> for OAuthError {
    fn from(reason: UnknownResponseMode) -> Self {
        Self::new(ErrorCode::InvalidRequest, "The server has no such response_mode.").because(reason)
    }
}

impl ResponseMode {
    /// Every response mode that the server has.
    pub const ALL: [Self; 1] = [Self::Query];

    /// The name as it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
        }
    }
}

impl FromStr for ResponseMode {
    type Err = UnknownResponseMode;

    fn from_str(text: &str) -> Result<Self, UnknownResponseMode> {
        Self::ALL.into_iter().find(|known| known.as_str() == text).ok_or(UnknownResponseMode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_the_only_response_type() {
        assert_eq!("code".parse(), Ok(ResponseType::Code));
        for text in ["", "token", "Code", "code token", "none"] {
            assert_eq!(text.parse::<ResponseType>(), Err(UnknownResponseType), "{text}");
        }
        assert_eq!(OAuthError::from(UnknownResponseType).code, ErrorCode::UnsupportedResponseType);
    }

    #[test]
    fn query_is_the_only_response_mode() {
        assert_eq!("query".parse(), Ok(ResponseMode::Query));
        assert_eq!("fragment".parse::<ResponseMode>(), Err(UnknownResponseMode));
        assert_eq!(OAuthError::from(UnknownResponseMode).code, ErrorCode::InvalidRequest);
    }
}
