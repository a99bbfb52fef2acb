//! The names of the grant types (RFC 6749 §4, RFC 7591 §2).

use std::fmt;
use std::str::FromStr;

/// A grant type that a client may be registered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GrantType {
    /// `authorization_code` (RFC 6749 §4.1).
    AuthorizationCode,
    /// `client_credentials` (RFC 6749 §4.4).
    ClientCredentials,
    /// `implicit` (RFC 6749 §4.2): at the authorization endpoint alone.
    Implicit,
    /// `password` (RFC 6749 §4.3), which RFC 9700 §2.4 forbids: only for clients that list it.
    Password,
    /// `refresh_token` (RFC 6749 §6).
    RefreshToken,
}

/// The text names no grant type of this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such grant type")]
pub struct UnknownGrantType;

impl GrantType {
    /// Every grant type that the server has.
    pub const ALL: [Self; 5] =
        [Self::AuthorizationCode, Self::ClientCredentials, Self::Implicit, Self::Password, Self::RefreshToken];

    /// The name as it stands on the wire and in a client's `grant_types`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::Implicit => "implicit",
            Self::Password => "password",
            Self::RefreshToken => "refresh_token",
        }
    }
}

impl fmt::Display for GrantType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for GrantType {
    type Err = UnknownGrantType;

    fn from_str(text: &str) -> Result<Self, UnknownGrantType> {
        Self::ALL.into_iter().find(|known| known.as_str() == text).ok_or(UnknownGrantType)
    }
}
