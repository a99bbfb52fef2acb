//! The grant types (RFC 6749 §4), one file each, and the list of them.
//!
//! No grant type sees a request object, a database or a key: it gets an authenticated client, parsed parameters and the
//! ports that it names.

pub mod client_credentials;

use crate::clients::authentication::AuthenticatedClient;
use crate::foundation::clock::Timestamp;
use crate::protocol::error::{ErrorCode, OAuthError};
use crate::protocol::grant_type::GrantType;
use crate::protocol::parameters::Parameters;
use crate::tokens::audience::ProtectedResources;
use crate::tokens::issuer::TokenIssuer;
use crate::tokens::response::TokenResponse;

use client_credentials::ClientCredentialsRequest;

/// A request to the token endpoint, parsed.
#[derive(Debug)]
pub enum TokenRequest<'a> {
    /// RFC 6749 §4.4.2.
    ClientCredentials(ClientCredentialsRequest<'a>),
}

/// What the grant types work with.
#[derive(Clone, Copy)]
pub struct Ports<'a> {
    /// The protected resources that tokens may be for.
    pub resources: &'a ProtectedResources,
    /// Mints the tokens.
    pub issuer: &'a TokenIssuer,
}

impl<'a> TokenRequest<'a> {
    /// The grant types that the token endpoint takes.
    pub const GRANT_TYPES: [GrantType; 1] = [GrantType::ClientCredentials];

    /// Reads the parameters of whichever grant type `grant_type` names.
    pub fn parse(parameters: &'a Parameters<'a>) -> Result<Self, OAuthError> {
        let name = parameters.required("grant_type")?;
        match name.parse().ok() {
            Some(GrantType::ClientCredentials) => {
                Ok(Self::ClientCredentials(ClientCredentialsRequest::parse(parameters)))
            }
            _ => Err(OAuthError::new(ErrorCode::UnsupportedGrantType, "The server does not have this grant type.")),
        }
    }

    /// The grant type that is asked for.
    pub const fn grant_type(&self) -> GrantType {
        match self {
            Self::ClientCredentials(_) => GrantType::ClientCredentials,
        }
    }

    /// Answers the request of a client that may use this grant type.
    pub fn respond(
        &self,
        client: &AuthenticatedClient,
        ports: Ports<'_>,
        now: Timestamp,
    ) -> Result<TokenResponse, OAuthError> {
        if !client.grant_types.contains(&self.grant_type()) {
            return Err(OAuthError::new(ErrorCode::UnauthorizedClient, "The client may not use this grant type."));
        }
        match self {
            Self::ClientCredentials(request) => request.respond(client, ports.resources, ports.issuer, now),
        }
    }
}
