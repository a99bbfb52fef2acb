//! What the authorization endpoint answers with, and how (RFC 6749 §3.1.1; OAuth 2.0 Multiple Response Type Encoding
//! Practices §2.1; OAuth 2.0 Form Post Response Mode §2).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::{ErrorCode, OAuthError};

/// A response type that a client may be registered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ResponseType {
    /// `code`: an authorization code (RFC 6749 §4.1.1).
    Code,
    /// `token`: an access token, and nothing that could renew it (RFC 6749 §4.2.1).
    Token,
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
    /// Every response type that the server knows.
    pub const ALL: [Self; 2] = [Self::Code, Self::Token];

    /// The name as it stands on the wire and in a client's `response_types`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Token => "token",
        }
    }

    /// How the answer travels where the request does not say (Multiple Response Type Encoding Practices §2.1).
    pub fn default_mode(self) -> ResponseMode {
        ResponseMode::default_for(self.as_str())
    }

    /// Whether the answer may travel so.
    pub fn allows(self, mode: ResponseMode) -> bool {
        mode.is_good_for(self.as_str())
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ResponseMode {
    /// `query`: in the query of the redirect URI, the default for a code.
    Query,
    /// `fragment`: behind the `#` of the redirect URI, which browsers send to nobody; the default for a token.
    Fragment,
    /// `form_post`: in a form that the browser posts to the redirect URI.
    FormPost,
}

/// The text names no response mode of this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such response mode")]
pub struct UnknownResponseMode;

impl ResponseMode {
    /// Every response mode that the server has.
    pub const ALL: [Self; 3] = [Self::Query, Self::Fragment, Self::FormPost];

    /// The name as it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Fragment => "fragment",
            Self::FormPost => "form_post",
        }
    }

    /// How the answer to a `response_type` travels where the request does not say, for one that is unknown too: the
    /// client that sent it looks for the error there (OpenID Connect Core §3.3.2.6).
    pub fn default_for(response_type: &str) -> Self {
        if names_a_token(response_type) { Self::Fragment } else { Self::Query }
    }

    /// Whether the answer to a `response_type` may travel so. A token in a query would stand in logs, histories and
    /// `Referer` headers (RFC 6750 §5.3).
    pub fn is_good_for(self, response_type: &str) -> bool {
        self != Self::Query || !names_a_token(response_type)
    }
}

fn names_a_token(response_type: &str) -> bool {
    response_type.split(' ').any(|part| matches!(part, "token" | "id_token"))
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
    fn code_and_token_are_the_response_types() {
        assert_eq!("code".parse(), Ok(ResponseType::Code));
        assert_eq!("token".parse(), Ok(ResponseType::Token));
        for text in ["", "Token", "Code", "code token", "token token", "id_token", "none"] {
            assert_eq!(text.parse::<ResponseType>(), Err(UnknownResponseType), "{text}");
        }
        assert_eq!(OAuthError::from(UnknownResponseType).code, ErrorCode::UnsupportedResponseType);
    }

    #[test]
    fn a_response_mode_is_one_of_three() {
        for mode in ResponseMode::ALL {
            assert_eq!(mode.as_str().parse(), Ok(mode));
        }
        for text in ["", "Query", "web_message", "jwt", "query.jwt", "form-post"] {
            assert_eq!(text.parse::<ResponseMode>(), Err(UnknownResponseMode), "{text}");
        }
    }

    #[test]
    fn whatever_would_carry_a_token_goes_in_the_fragment_and_never_in_the_query() {
        for (response_type, default) in [
            ("code", ResponseMode::Query),
            ("", ResponseMode::Query),
            ("tokens", ResponseMode::Query),
            ("token", ResponseMode::Fragment),
            ("id_token", ResponseMode::Fragment),
            ("code token", ResponseMode::Fragment),
        ] {
            assert_eq!(ResponseMode::default_for(response_type), default, "{response_type}");
            assert_eq!(ResponseMode::Query.is_good_for(response_type), default == ResponseMode::Query);
            assert!(ResponseMode::Fragment.is_good_for(response_type));
            assert!(ResponseMode::FormPost.is_good_for(response_type));
        }
    }
}
