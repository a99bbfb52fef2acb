//! Client credentials (RFC 6749 §4.4): a client acts for itself. Nothing is stored, and there is no refresh token.

use crate::clients::authentication::AuthenticatedClient;
use crate::foundation::clock::Timestamp;
use crate::protocol::error::OAuthError;
use crate::protocol::parameters::Parameters;
use crate::tokens::audience::ProtectedResources;
use crate::tokens::granted_scope::{requested_scope, scope_of_resource};
use crate::tokens::issuer::{Authorization, TokenIssuer};
use crate::tokens::response::TokenResponse;

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
        resources: &ProtectedResources,
        issuer: &TokenIssuer,
        now: Timestamp,
    ) -> Result<TokenResponse, OAuthError> {
        let resource = resources.for_request(client, self.resource.iter().copied())?;
        let asked = requested_scope(client, self.scope)?;
        let scope = scope_of_resource(&asked, resource)?;
        let authorization = Authorization { client, person: None, scope: &scope, resource };
        Ok(issuer.issue(&authorization, self.scope.map(|_| &asked), now).await?)
    }
}
