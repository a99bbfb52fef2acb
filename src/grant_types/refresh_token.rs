//! Refresh (RFC 6749 §6), with rotation (RFC 9700 §4.14.2): each use gives a new refresh token, a lost answer is given
//! again, and a refresh token that was used before ends the grant.
//!
//! In this order: the handle's MAC, the record, everything that never changes (client, scope, resource, person), and then
//! the store's verb, which alone decides on generation, expiry and revocation. What fails before it changes nothing.

use crate::clients::authentication::AuthenticatedClient;
use crate::foundation::clock::Timestamp;
use crate::protocol::error::{ErrorCode, OAuthError};
use crate::protocol::parameters::{InvalidParameters, Parameters};
use crate::tokens::handle::{Handle, HandleKind, HandleRefused};
use crate::tokens::refresh_rotation::RotationPolicy;
use crate::tokens::response::TokenResponse;
use crate::tokens::store::Rotation;

use super::Ports;
use super::person::GrantRequest;

/// The parameters of RFC 6749 §6 and RFC 8707 §2.2.
#[derive(Debug)]
pub struct RefreshTokenRequest<'a> {
    refresh_token: &'a str,
    scope: Option<&'a str>,
    resource: Vec<&'a str>,
}

/// Why a refresh token is not taken. The client learns `invalid_grant`: it must ask the person again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefreshRejected {
    /// We made no such refresh token.
    #[error("the refresh token is {0}")]
    Handle(#[from] HandleRefused),
    /// Its grant is not there any more.
    #[error("the grant is unknown")]
    Unknown,
    /// It is another client's, who is not harmed.
    #[error("the refresh token is another client's")]
    OtherClient,
    /// Its grant was taken back.
    #[error("the grant is revoked")]
    Revoked,
    /// Its grant is over.
    #[error("the grant has expired")]
    Expired,
    /// It had been used before.
    #[error("the refresh token was used before; its grant is revoked")]
    Reused,
    /// The store has not seen it made.
    #[error("the refresh token is ahead of the store; its grant is revoked")]
    Ahead,
    /// The clock stands before the last rotation.
    #[error("the clock stands before the last rotation")]
    ClockBehind,
    /// It was rotated as often as can be counted.
    #[error("the grant has no further generation")]
    Exhausted,
}

impl From<RefreshRejected> for OAuthError {
    fn from(reason: RefreshRejected) -> Self {
        Self::new(ErrorCode::InvalidGrant, "The refresh token is unknown, used up, too old, or not for this client.")
            .because(reason)
    }
}

impl<'a> RefreshTokenRequest<'a> {
    /// Reads the parameters.
    pub fn parse(parameters: &'a Parameters<'a>) -> Result<Self, InvalidParameters> {
        Ok(Self {
            refresh_token: parameters.required("refresh_token")?,
            scope: parameters.optional("scope"),
            resource: parameters.all("resource").collect(),
        })
    }

    /// Rotates the refresh token and mints an access token.
    pub async fn respond(
        &self,
        client: &AuthenticatedClient,
        ports: &Ports<'_>,
        now: Timestamp,
    ) -> Result<TokenResponse, OAuthError> {
        let handle = Handle::open(self.refresh_token, HandleKind::Refresh, ports.sealing);
        let handle = handle.map_err(RefreshRejected::from)?;
        let grant = ports.grants.read_grant(handle.id).await?.ok_or(RefreshRejected::Unknown)?;
        if grant.client_id != client.id {
            return Err(RefreshRejected::OtherClient.into());
        }
        let request = GrantRequest { client, grant: &grant, scope: self.scope, resource: &self.resource };
        let permitted = request.permit(ports).await?;
        // No generation changes what an access token of the grant says.
        let minted = permitted.mint(&grant, ports, now).await?;
        let policy = RotationPolicy {
            retry_window: ports.lifetimes.refresh_retry_window(client),
            idle: ports.lifetimes.refresh_token_idle,
        };
        let rejected = match ports.grants.rotate(handle.id, handle.generation, now, policy).await? {
            Rotation::Rotated(grant) => return Ok(permitted.answer(minted, &grant, ports)),
            Rotation::Retried(grant) => {
                tracing::info!(grant.id = %grant.id, "a lost answer was asked for again");
                return Ok(permitted.answer(minted, &grant, ports));
            }
            Rotation::Reused(grant) => {
                tracing::warn!(grant.id = %grant.id, "a refresh token was used again; its grant is revoked");
                RefreshRejected::Reused
            }
            Rotation::Ahead(grant) => {
                tracing::error!(grant.id = %grant.id, "a refresh token is ahead of the store: restored, rewound, or forged");
                metrics::counter!("jotsmith_refresh_ahead_of_store_total").increment(1);
                RefreshRejected::Ahead
            }
            Rotation::Revoked => RefreshRejected::Revoked,
            Rotation::Expired => RefreshRejected::Expired,
            Rotation::ClockBehind => RefreshRejected::ClockBehind,
            Rotation::Exhausted => RefreshRejected::Exhausted,
            Rotation::Unknown => RefreshRejected::Unknown,
        };
        Err(rejected.into())
    }
}
