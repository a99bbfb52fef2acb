//! How long things live.

use std::time::Duration;

use crate::clients::Client;

use super::audience::ProtectedResource;

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

impl Lifetimes {
    /// How long an access token of this client for this resource lives: what either sets replaces the server's
    /// lifetime; where both do, the shorter one holds.
    pub fn of_access_token(&self, client: &Client, resource: &ProtectedResource) -> Duration {
        let own = client.access_token_lifetime.into_iter().chain(resource.access_token_lifetime);
        own.min().unwrap_or(self.access_token)
    }

    /// How long a lost answer to a refresh of this client may be asked for again. A public client's tokens are easier to
    /// steal, so its window is shorter where nothing is set.
    pub fn refresh_retry_window(&self, client: &Client) -> Duration {
        let by_kind = if client.is_public() { Duration::from_secs(10) } else { Duration::from_secs(30) };
        client.refresh_retry_window.or(self.refresh_retry_window).unwrap_or(by_kind)
    }
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            authorization_code: Duration::from_mins(1),
            access_token: Duration::from_mins(5),
            refresh_token_idle: Duration::from_hours(30 * 24),
            refresh_token_absolute: Duration::from_hours(365 * 24),
            refresh_retry_window: None,
            session: Duration::from_hours(12),
        }
    }
}
