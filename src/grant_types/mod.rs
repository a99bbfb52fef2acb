//! The grant types (RFC 6749 §4), one file each, and the list of them.
//!
//! No grant type sees a request object, a database or a key: it gets an authenticated client, parsed parameters and the
//! ports that it names.

pub mod authorization_code;
pub mod client_credentials;
pub mod implicit;
pub mod password;
mod person;
pub mod refresh_token;

use crate::authorize::store::CodeStore;
use crate::clients::authentication::AuthenticatedClient;
use crate::foundation::clock::Timestamp;
use crate::foundation::network::Network;
use crate::foundation::random::Random;
use crate::keys::sealing_ring::SealingRing;
use crate::login::directory::Directory;
use crate::login::password::PasswordLogin;
use crate::protocol::error::{ErrorCode, OAuthError};
use crate::protocol::grant_type::GrantType;
use crate::protocol::parameters::Parameters;
use crate::tokens::audience::ProtectedResources;
use crate::tokens::issuer::TokenIssuer;
use crate::tokens::lifetimes::Lifetimes;
use crate::tokens::response::TokenResponse;
use crate::tokens::store::GrantStore;

use authorization_code::AuthorizationCodeRequest;
use client_credentials::ClientCredentialsRequest;
use password::PasswordRequest;
use refresh_token::RefreshTokenRequest;

/// A request to the token endpoint, parsed.
#[derive(Debug)]
pub enum TokenRequest<'a> {
    /// RFC 6749 §4.1.3.
    AuthorizationCode(AuthorizationCodeRequest<'a>),
    /// RFC 6749 §4.4.2.
    ClientCredentials(ClientCredentialsRequest<'a>),
    /// RFC 6749 §4.3.2.
    Password(PasswordRequest<'a>),
    /// RFC 6749 §6.
    RefreshToken(RefreshTokenRequest<'a>),
}

/// What the grant types work with.
#[derive(Clone, Copy)]
pub struct Ports<'a> {
    /// The protected resources that tokens may be for.
    pub resources: &'a ProtectedResources,
    /// Mints the tokens.
    pub issuer: &'a TokenIssuer,
    /// Who may sign in.
    pub directory: &'a dyn Directory,
    /// Verifies usernames and passwords.
    pub login: &'a PasswordLogin,
    /// Where the request comes from.
    pub network: Network,
    /// Codes that wait for their redemption.
    pub codes: &'a dyn CodeStore,
    /// Grants.
    pub grants: &'a dyn GrantStore,
    /// Opens and seals codes and refresh tokens.
    pub sealing: &'a SealingRing,
    /// How long grants live.
    pub lifetimes: &'a Lifetimes,
    /// Gives unpredictable bytes.
    pub random: &'a dyn Random,
}

impl<'a> TokenRequest<'a> {
    /// The grant types that the token endpoint takes.
    pub const GRANT_TYPES: [GrantType; 4] =
        [GrantType::AuthorizationCode, GrantType::ClientCredentials, GrantType::Password, GrantType::RefreshToken];

    /// Reads the parameters of whichever grant type `grant_type` names.
    pub fn parse(parameters: &'a Parameters<'a>) -> Result<Self, OAuthError> {
        let name = parameters.required("grant_type")?;
        match name.parse().ok() {
            Some(GrantType::AuthorizationCode) => {
                Ok(Self::AuthorizationCode(AuthorizationCodeRequest::parse(parameters)?))
            }
            Some(GrantType::Password) => Ok(Self::Password(PasswordRequest::parse(parameters)?)),
            Some(GrantType::RefreshToken) => Ok(Self::RefreshToken(RefreshTokenRequest::parse(parameters)?)),
            Some(GrantType::ClientCredentials) => {
                Ok(Self::ClientCredentials(ClientCredentialsRequest::parse(parameters)))
            }
            // The implicit grant has no token request (RFC 6749 §4.2).
            Some(GrantType::Implicit) | None => {
                Err(OAuthError::new(ErrorCode::UnsupportedGrantType, "The server does not have this grant type."))
            }
        }
    }

    /// The grant type that is asked for.
    pub const fn grant_type(&self) -> GrantType {
        match self {
            Self::AuthorizationCode(_) => GrantType::AuthorizationCode,
            Self::ClientCredentials(_) => GrantType::ClientCredentials,
            Self::Password(_) => GrantType::Password,
            Self::RefreshToken(_) => GrantType::RefreshToken,
        }
    }

    /// Answers the request of a client that may use this grant type.
    pub async fn respond(
        &self,
        client: &AuthenticatedClient,
        ports: &Ports<'_>,
        now: Timestamp,
    ) -> Result<TokenResponse, OAuthError> {
        if !client.grant_types.contains(&self.grant_type()) {
            return Err(OAuthError::new(ErrorCode::UnauthorizedClient, "The client may not use this grant type."));
        }
        // Those that wait for the store or for a password hash hold much more meanwhile, which the others need no room for.
        match self {
            Self::AuthorizationCode(request) => Box::pin(request.respond(client, ports, now)).await,
            Self::Password(request) => Box::pin(request.respond(client, ports, now)).await,
            Self::RefreshToken(request) => Box::pin(request.respond(client, ports, now)).await,
            Self::ClientCredentials(request) => request.respond(client, ports, now).await,
        }
    }
}
