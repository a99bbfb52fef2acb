//! Authorization code (RFC 6749 §4.1.3): a code that a person's browser carried becomes a grant and its first tokens.
//!
//! In this order: the handle's MAC, the record, everything that never changes (client, redirect URI, verifier, scope,
//! resource, person), and then the store's verb, which alone decides who redeems. What fails before it consumes nothing.

use crate::authorize::code::{AuthorizationCode, CodeBinding, RedemptionRequest};
use crate::authorize::store::Redemption;
use crate::clients::Client;
use crate::clients::authentication::AuthenticatedClient;
use crate::foundation::clock::Timestamp;
use crate::protocol::error::{ErrorCode, OAuthError};
use crate::protocol::grant_type::GrantType;
use crate::protocol::parameters::{InvalidParameters, Parameters};
use crate::protocol::pkce::CodeVerifier;
use crate::tokens::grant::Grant;
use crate::tokens::handle::{Handle, HandleKind, HandleRefused};
use crate::tokens::response::TokenResponse;

use super::Ports;
use super::person::GrantRequest;

/// The parameters of RFC 6749 §4.1.3, RFC 7636 §4.5 and RFC 8707 §2.2.
#[derive(Debug)]
pub struct AuthorizationCodeRequest<'a> {
    code: &'a str,
    redirect_uri: Option<&'a str>,
    code_verifier: Option<&'a str>,
    resource: Vec<&'a str>,
}

/// Why a code is not redeemed, where `authorize::code` does not say it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeRejected {
    /// We made no such code.
    #[error("the code is {0}")]
    Handle(#[from] HandleRefused),
    /// There is no such code, or there was one long ago.
    #[error("the code is unknown")]
    Unknown,
    /// It was not redeemed in time.
    #[error("the code has expired")]
    Expired,
    /// It was redeemed before; the grant that came of it is dead now.
    #[error("the code was redeemed before; its grant is revoked")]
    Replayed,
}

impl From<CodeRejected> for OAuthError {
    fn from(reason: CodeRejected) -> Self {
        // The sentence of `RedemptionRefused`: whoever tries codes learns nothing from the difference.
        Self::new(ErrorCode::InvalidGrant, "The code is unknown, used up, too old, or not for this request.")
            .because(reason)
    }
}

impl<'a> AuthorizationCodeRequest<'a> {
    /// Reads the parameters.
    pub fn parse(parameters: &'a Parameters<'a>) -> Result<Self, InvalidParameters> {
        Ok(Self {
            code: parameters.required("code")?,
            redirect_uri: parameters.optional("redirect_uri"),
            code_verifier: parameters.optional("code_verifier"),
            resource: parameters.all("resource").collect(),
        })
    }

    /// Redeems the code: a grant, its first access token, and a refresh token where the client may refresh.
    pub async fn respond(
        &self,
        client: &AuthenticatedClient,
        ports: &Ports<'_>,
        now: Timestamp,
    ) -> Result<TokenResponse, OAuthError> {
        let verifier = self.code_verifier.map(CodeVerifier::parse).transpose()?;
        let presented = RedemptionRequest { redirect_uri: self.redirect_uri, code_verifier: verifier.as_ref() };
        let handle = Handle::open(self.code, HandleKind::Code, ports.sealing).map_err(CodeRejected::from)?;
        let Some(code) = ports.codes.read_code(handle.id).await? else {
            return Err(replayed(handle, client, &presented, ports, now).await?.into());
        };
        code.binding().check(client, &presented)?;
        let grant = grant_of(&code, client, ports, now);
        let request = GrantRequest { client, grant: &grant, scope: None, resource: &self.resource };
        let permitted = request.permit(ports).await?;
        let minted = permitted.mint(&grant, ports, now).await?;
        match ports.codes.redeem(grant.clone(), now).await? {
            Redemption::Redeemed => Ok(permitted.answer(minted, &grant, ports)),
            Redemption::Expired => Err(CodeRejected::Expired.into()),
            Redemption::Unknown => Err(CodeRejected::Unknown.into()),
            // Another request was faster. This one is as valid, so one of the two is a thief's (RFC 6749 §4.1.2).
            Redemption::AlreadyRedeemed(grant) => Err(revoke(&grant, ports, now).await?.into()),
        }
    }
}

/// A code that is not there: never made, long over, or redeemed. A redeemed one that is otherwise valid ends its grant
/// (RFC 6749 §4.1.2), at any age; one that is not harms nobody.
async fn replayed(
    handle: Handle,
    client: &Client,
    presented: &RedemptionRequest<'_>,
    ports: &Ports<'_>,
    now: Timestamp,
) -> Result<CodeRejected, OAuthError> {
    let Some(grant) = ports.grants.read_grant(handle.id).await? else { return Ok(CodeRejected::Unknown) };
    let binding = CodeBinding {
        client_id: &grant.client_id,
        redirect_uri: grant.redirect_uri.as_deref(),
        code_challenge: grant.code_challenge.as_ref(),
    };
    binding.check(client, presented)?;
    revoke(&grant, ports, now).await
}

async fn revoke(grant: &Grant, ports: &Ports<'_>, now: Timestamp) -> Result<CodeRejected, OAuthError> {
    let was_live = ports.grants.revoke_grant(grant.id, now).await?;
    tracing::warn!(grant.id = %grant.id, grant.was_live = was_live, "a code was presented again");
    metrics::counter!("jotsmith_codes_replayed_total").increment(1);
    Ok(CodeRejected::Replayed)
}

/// The grant that a code becomes. A client that may not refresh gets one too, for as long as its access token lives: it
/// is how a code that is presented again is recognised.
fn grant_of(code: &AuthorizationCode, client: &Client, ports: &Ports<'_>, now: Timestamp) -> Grant {
    let absolute_expires_at = now + ports.lifetimes.refresh_token_absolute;
    let life = if client.grant_types.contains(&GrantType::RefreshToken) {
        ports.lifetimes.refresh_token_idle
    } else {
        let lifetimes = code.resources.iter().filter_map(|identifier| ports.resources.find(identifier));
        lifetimes.map(|resource| ports.lifetimes.of_access_token(client, resource)).max().unwrap_or_default()
    };
    Grant {
        id: code.id,
        client_id: code.client_id.clone(),
        subject: code.subject.clone(),
        scope: code.scope.clone(),
        resources: code.resources.clone(),
        auth_time: code.auth_time,
        created_at: now,
        expires_at: (now + life).min(absolute_expires_at),
        absolute_expires_at,
        generation: 0,
        rotated_at: now,
        code_challenge: code.code_challenge,
        redirect_uri: code.redirect_uri.clone(),
        is_resynchronised: false,
        revoked_at: None,
    }
}
