//! Resource owner password credentials (RFC 6749 §4.3): a client that was told a person's password asks with it.
//!
//! RFC 9700 §2.4 forbids it, for the client sees what opens everything of that person. So it is for clients alone whose
//! entry lists it, and the configuration warns of each. The password is tried as on the login page: the same tables
//! throttle it, and the same bounds hold.
//!
//! In this order: what costs nothing (resource, scope), the password, the tokens, and last the grant. What fails before
//! the password was tried counts as no attempt.

use std::fmt;

use crate::clients::Client;
use crate::clients::authentication::AuthenticatedClient;
use crate::foundation::clock::Timestamp;
use crate::foundation::id;
use crate::foundation::secret::ExposeSecret as _;
use crate::login::account::Account;
use crate::login::password::LoginRefused;
use crate::login::throttle::Guesser;
use crate::protocol::error::OAuthError;
use crate::protocol::grant_type::GrantType;
use crate::protocol::parameters::{InvalidParameters, Parameters};
use crate::protocol::resource::ResourceIndicator;
use crate::protocol::scope::Scope;
use crate::tokens::audience::Audience;
use crate::tokens::grant::{Grant, check_length};
use crate::tokens::granted_scope::{requested_scope, scope_of_resources, scope_of_token};
use crate::tokens::handle::{Handle, HandleKind};
use crate::tokens::issuer::{Authorization, Person};
use crate::tokens::response::TokenResponse;

use super::Ports;

/// The parameters of RFC 6749 §4.3.2 and RFC 8707 §2.2. `Debug` shows neither username nor password: people mistake one
/// field for the other.
pub struct PasswordRequest<'a> {
    username: &'a str,
    password: &'a str,
    scope: Option<&'a str>,
    resource: Vec<&'a str>,
}

impl fmt::Debug for PasswordRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scope, resource, .. } = self;
        f.debug_struct("PasswordRequest").field("scope", scope).field("resource", resource).finish_non_exhaustive()
    }
}

impl<'a> PasswordRequest<'a> {
    /// Reads the parameters.
    pub fn parse(parameters: &'a Parameters<'a>) -> Result<Self, InvalidParameters> {
        Ok(Self {
            username: parameters.required("username")?,
            password: parameters.required("password")?,
            scope: parameters.optional("scope"),
            resource: parameters.all("resource").collect(),
        })
    }

    /// Signs the person in for this one request: an access token, and a refresh token where the client may refresh.
    pub async fn respond(
        &self,
        client: &AuthenticatedClient,
        ports: &Ports<'_>,
        now: Timestamp,
    ) -> Result<TokenResponse, OAuthError> {
        let resources = ports.resources.for_request(client, self.resource.iter().copied())?;
        let audience = Audience::new(client, resources, ports.lifetimes)?;
        let asked = requested_scope(client, self.scope)?;
        let granted = scope_of_resources(&asked, audience.resources())?;
        let scope = scope_of_token(&granted, audience.resources())?;
        let identifiers: Vec<_> = audience.resources().iter().map(|resource| resource.identifier.clone()).collect();
        check_length(&granted, &identifiers)?;
        let account = self.sign_in(ports, now).await?;
        let may_refresh = client.grant_types.contains(&GrantType::RefreshToken);
        let grant = may_refresh.then(|| grant_of(&account, client, &granted, identifiers, ports, now));
        let person = Some(Person { account: &account, auth_time: now, grant: grant.as_ref() });
        let authorization = Authorization { client, person, scope: &scope, audience: &audience };
        let mut response = ports.issuer.issue(&authorization, self.scope.map(|_| &asked), now).await?;
        if let Some(grant) = grant {
            let handle = Handle { kind: HandleKind::Refresh, id: grant.id, generation: grant.generation };
            let token = handle.seal(ports.sealing, grant.rotated_at);
            ports.grants.put_grant(grant).await?;
            response.refresh_token = Some(token.expose_secret().to_owned());
        }
        Ok(response)
    }

    async fn sign_in(&self, ports: &Ports<'_>, now: Timestamp) -> Result<Account, OAuthError> {
        let verdict =
            ports.login.verify(&Guesser::stranger(self.username, ports.network), self.password.as_bytes(), now).await;
        let outcome = verdict.as_ref().map_or_else(LoginRefused::outcome, |_| "signed_in");
        metrics::counter!("jotsmith_logins_total", "outcome" => outcome).increment(1);
        Ok(verdict?)
    }
}

/// What the person's password grants, where a refresh token stands on it: an access token alone ends by itself.
fn grant_of(
    account: &Account,
    client: &Client,
    scope: &Scope,
    resources: Vec<ResourceIndicator>,
    ports: &Ports<'_>,
    now: Timestamp,
) -> Grant {
    let absolute_expires_at = now + ports.lifetimes.refresh_token_absolute;
    Grant {
        id: id::uuid_v7(now, ports.random),
        client_id: client.id.clone(),
        subject: account.subject().clone(),
        scope: scope.clone(),
        resources,
        auth_time: now,
        created_at: now,
        expires_at: (now + ports.lifetimes.refresh_token_idle).min(absolute_expires_at),
        absolute_expires_at,
        generation: 0,
        rotated_at: now,
        code_challenge: None,
        redirect_uri: None,
        is_resynchronised: false,
        revoked_at: None,
    }
}
