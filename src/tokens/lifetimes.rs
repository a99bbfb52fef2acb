//! How long things live.

use std::time::Duration;

/// The server's lifetimes; a client or a resource may set some for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifetimes {
    /// From the redirect to the redemption of a code.
    pub authorization_code: Duration,
    /// Of an access token, where neither client nor resource sets it.
    pub access_token: Duration,
    /// Of a refresh token that nobody uses.
    pub refresh_token_idle: Duration,
    /// Of a grant, however often it is refreshed.
    pub refresh_token_absolute: Duration,
    /// How long a lost answer to a refresh may be asked for again; `None`: as the kind of client suggests.
    pub refresh_retry_window: Option<Duration>,
    /// Of a sign-in.
    pub session: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        const HOUR: u64 = 60 * 60;
        Self {
            authorization_code: Duration::from_secs(60),
            access_token: Duration::from_secs(5 * 60),
            refresh_token_idle: Duration::from_secs(30 * 24 * HOUR),
            refresh_token_absolute: Duration::from_secs(365 * 24 * HOUR),
            refresh_retry_window: None,
            session: Duration::from_secs(12 * HOUR),
        }
    }
}
