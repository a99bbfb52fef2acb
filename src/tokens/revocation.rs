//! Revocation (RFC 7009): a client gives up a token, and the grant behind it is dead with every token of it.
//!
//! Whatever is no token any more, or never was one, is no error (§2.2): the client has nothing to do about it. Refused
//! are another client's token (§2.1), and an access token that no grant stands behind: it is signed and nowhere stored,
//! so nobody could take it back (§2.2.1, `unsupported_token_type`).

use crate::clients::Client;
use crate::foundation::clock::Timestamp;
use crate::protocol::error::{ErrorCode, OAuthError};
use crate::protocol::parameters::{InvalidParameters, Parameters};

use super::presented_token::{NotOurToken, PresentedToken, TokenReader};
use super::store::GrantStore;

/// The parameters of RFC 7009 §2.1. `token_type_hint` is not among them: the token says what it is.
#[derive(Debug)]
pub struct RevocationRequest<'a> {
    token: &'a str,
}

/// What became of a token that was given up. All of it is one and the same answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// Its grant is dead now.
    Revoked,
    /// Its grant had been taken back before, or was over.
    AlreadyOver,
    /// Its grant is not there any more.
    Forgotten,
    /// It is no token of ours, or none any more.
    NoToken(NotOurToken),
}

/// Why a token is not taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RevocationRefused {
    /// It is another client's, who is not harmed.
    #[error("the token is another client's")]
    OtherClient,
    /// No grant stands behind it, so it is good until it expires.
    #[error("an access token without a grant cannot be revoked")]
    NoGrant,
}

impl From<RevocationRefused> for OAuthError {
    fn from(reason: RevocationRefused) -> Self {
        match reason {
            RevocationRefused::OtherClient => {
                Self::new(ErrorCode::InvalidGrant, "The token was not issued to this client.")
            }
            RevocationRefused::NoGrant => Self::new(
                ErrorCode::UnsupportedTokenType,
                "An access token that no grant stands behind cannot be revoked: it ends when it expires.",
            ),
        }
        .because(reason)
    }
}

impl<'a> RevocationRequest<'a> {
    /// Reads the parameters.
    pub fn parse(parameters: &'a Parameters<'a>) -> Result<Self, InvalidParameters> {
        Ok(Self { token: parameters.required("token")? })
    }

    /// Takes back what stands behind the token, in the name of `client`.
    pub async fn respond(
        &self,
        client: &Client,
        tokens: TokenReader<'_>,
        grants: &dyn GrantStore,
        now: Timestamp,
    ) -> Result<Revocation, OAuthError> {
        let id = match tokens.read(self.token, now) {
            Ok(PresentedToken::Refresh(handle)) => handle.id,
            Ok(PresentedToken::Access(token)) if token.client_id != client.id.as_str() => {
                return Err(refused(RevocationRefused::OtherClient));
            }
            Ok(PresentedToken::Access(token)) => token.grant.ok_or_else(|| refused(RevocationRefused::NoGrant))?,
            Err(reason) => return Ok(count(Revocation::NoToken(reason))),
        };
        let Some(grant) = grants.read_grant(id).await? else { return Ok(count(Revocation::Forgotten)) };
        if grant.client_id != client.id {
            return Err(refused(RevocationRefused::OtherClient));
        }
        // Also where the grant is over: an access token that was made shortly before may still be shown to somebody.
        let was_live = grants.revoke_grant(id, now).await?;
        tracing::info!(grant.id = %id, grant.was_live = was_live, "a client gave its grant up");
        Ok(count(if was_live { Revocation::Revoked } else { Revocation::AlreadyOver }))
    }
}

fn count(revocation: Revocation) -> Revocation {
    let outcome = match revocation {
        Revocation::Revoked => "revoked",
        Revocation::AlreadyOver => "already_over",
        Revocation::Forgotten => "forgotten",
        Revocation::NoToken(_) => "no_token",
    };
    metrics::counter!("jotsmith_revocations_total", "outcome" => outcome).increment(1);
    if let Revocation::NoToken(cause) = revocation {
        tracing::debug!(%cause, "nothing to revoke");
    }
    revocation
}

fn refused(reason: RevocationRefused) -> OAuthError {
    let outcome = match reason {
        RevocationRefused::OtherClient => "other_client",
        RevocationRefused::NoGrant => "no_grant",
    };
    metrics::counter!("jotsmith_revocations_total", "outcome" => outcome).increment(1);
    reason.into()
}
