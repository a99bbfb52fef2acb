//! What redemption and refresh share: a person stands behind the tokens, and what they granted is cut to what client,
//! resource and person may have now.

use std::sync::Arc;

use crate::clients::Client;
use crate::clients::authentication::AuthenticatedClient;
use crate::foundation::clock::Timestamp;
use crate::foundation::secret::ExposeSecret as _;
use crate::login::account::Account;
use crate::protocol::error::{ErrorCode, OAuthError};
use crate::protocol::grant_type::GrantType;
use crate::protocol::scope::Scope;
use crate::tokens::audience::{Audience, ProtectedResource};
use crate::tokens::grant::Grant;
use crate::tokens::granted_scope::{ScopeRefused, scope_of_grant};
use crate::tokens::handle::{Handle, HandleKind};
use crate::tokens::issuer::{Authorization, Person};
use crate::tokens::response::TokenResponse;

use super::Ports;

/// A request for tokens from a grant.
pub(super) struct GrantRequest<'a> {
    /// Who asks.
    pub(super) client: &'a AuthenticatedClient,
    /// What was granted.
    pub(super) grant: &'a Grant,
    /// The scope that is asked for; all that was granted where none is named.
    pub(super) scope: Option<&'a str>,
    /// The resources that are asked for.
    pub(super) resource: &'a [&'a str],
}

/// What the request may have, decided before anything changes.
pub(super) struct Permitted<'a> {
    client: &'a Client,
    account: Account,
    scope: Scope,
    audience: Audience,
}

impl<'a> GrantRequest<'a> {
    /// Cuts what was granted to what may be had now. Changes nothing.
    pub(super) async fn permit(&self, ports: &Ports<'_>) -> Result<Permitted<'a>, OAuthError> {
        let client: &'a Client = self.client;
        let resources = ports.resources.for_grant(client, &self.grant.resources, self.resource.iter().copied())?;
        let audience = Audience::new(client, resources, ports.lifetimes)?;
        let scope = self.scope_for(audience.resources(), ports)?;
        let account = ports.directory.by_subject(&self.grant.subject).await?.ok_or_else(|| {
            OAuthError::new(ErrorCode::InvalidGrant, "The grant is not usable any more.")
                .because("the subject has no account any more")
        })?;
        Ok(Permitted { client, account, scope, audience })
    }

    fn scope_for(&self, resources: &[Arc<ProtectedResource>], ports: &Ports<'_>) -> Result<Scope, OAuthError> {
        let scope_for = |resources| scope_of_grant(&self.grant.scope, self.scope, self.client, resources);
        match scope_for(resources) {
            Err(ScopeRefused::NothingLeft) if !self.resource.is_empty() => {
                // With all that was granted there is some scope left: then the grant is good, and what was named is not.
                let all = ports.resources.for_grant(self.client, &self.grant.resources, [])?;
                match scope_for(&all) {
                    Ok(_) | Err(ScopeRefused::NothingInCommon) => Err(ScopeRefused::NotOfResource.into()),
                    Err(refused) => Err(refused.into()),
                }
            }
            judged => Ok(judged?),
        }
    }
}

impl Permitted<'_> {
    /// Mints the access token. Before anything is spent: where no key can sign now, the client may ask again.
    pub(super) async fn mint(
        &self,
        grant: &Grant,
        ports: &Ports<'_>,
        now: Timestamp,
    ) -> Result<TokenResponse, OAuthError> {
        let authorization = Authorization {
            client: self.client,
            person: Some(Person { account: &self.account, auth_time: grant.auth_time, grant: Some(grant) }),
            scope: &self.scope,
            audience: &self.audience,
        };
        Ok(ports.issuer.issue(&authorization, None, now).await?)
    }

    /// The answer to the request: what was minted, and the refresh token of the grant's generation where the client may
    /// refresh.
    pub(super) fn answer(&self, minted: TokenResponse, grant: &Grant, ports: &Ports<'_>) -> TokenResponse {
        let mut response = minted;
        if self.client.grant_types.contains(&GrantType::RefreshToken) {
            let handle = Handle { kind: HandleKind::Refresh, id: grant.id, generation: grant.generation };
            // Sealed as of the rotation, not as of now: a retry gives the same bytes.
            let token = handle.seal(ports.sealing, grant.rotated_at);
            response.refresh_token = Some(token.expose_secret().to_owned());
        }
        response
    }
}
