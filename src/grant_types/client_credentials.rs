//! Client credentials (RFC 6749 §4.4): a client acts for itself. Nothing is stored, and there is no refresh token.

use crate::clients::authentication::AuthenticatedClient;
use crate::foundation::clock::Timestamp;
use crate::protocol::error::OAuthError;
use crate::protocol::parameters::Parameters;
use crate::tokens::audience::Audience;
use crate::tokens::granted_scope::{requested_scope, scope_of_token};
use crate::tokens::issuer::Authorization;
use crate::tokens::response::TokenResponse;

use super::Ports;

/// The parameters of RFC 6749 §4.4.2 and RFC 8707 §2.2.
#[derive(Debug)]
pub struct ClientCredentialsRequest<'a> {
    scope: Option<&'a str>,
    resource: Vec<&'a str>,
}

impl<'a> ClientCredentialsRequest<'a> {
    /// Reads the parameters.
    pub fn parse(parameters: &'a Parameters<'a>) -> Self {
        Self { scope: parameters.optional("scope"), resource: parameters.all("resource").collect() }
    }

    /// Mints an access token for the client itself.
    pub async fn respond(
        &self,
        client: &AuthenticatedClient,
        ports: &Ports<'_>,
        now: Timestamp,
    ) -> Result<TokenResponse, OAuthError> {
        let resources = ports.resources.for_request(client, self.resource.iter().copied())?;
        let audience = Audience::new(client, resources, ports.lifetimes)?;
        let asked = requested_scope(client, self.scope)?;
        let scope = scope_of_token(&asked, audience.resources())?;
        let authorization = Authorization { client, person: None, scope: &scope, audience: &audience };
        Ok(ports.issuer.issue(&authorization, self.scope.map(|_| &asked), now).await?)
    }
}
