//! The answer of the token endpoint (RFC 6749 §5.1).

use std::fmt;

use serde::Serialize;

use crate::protocol::scope::Scope;

/// A successful answer. It holds the tokens themselves, so `Debug` shows none of them.
#[derive(Serialize)]
pub struct TokenResponse {
    /// The access token.
    pub access_token: String,
    /// How the access token is used: always `Bearer` (RFC 6750).
    pub token_type: &'static str,
    /// How long the access token lives, in seconds.
    pub expires_in: u64,
    /// What gets the next access token, where the client may refresh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// What the access token allows, where that is not what was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResponse")
            .field("token_type", &self.token_type)
            .field("expires_in", &self.expires_in)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}
