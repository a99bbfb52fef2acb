//! The one place that mints access tokens.

use std::sync::Arc;
use std::time::Duration;

use crate::clients::Client;
use crate::foundation::clock::Timestamp;
use crate::foundation::random::Random;
use crate::keys::key_ring::{KeyRing, NotSigned};
use crate::keys::token_type::TokenType;
use crate::protocol::error::{ErrorCode, OAuthError};
use crate::protocol::issuer::Issuer;
use crate::protocol::scope::Scope;

use super::access_token::{AccessTokenClaims, new_jti};
use super::audience::ProtectedResource;
use super::response::TokenResponse;

/// Who may do what, where: what an access token is minted from.
#[derive(Debug)]
pub struct Authorization<'a> {
    /// The client that the token is for.
    pub client: &'a Client,
    /// The person who allowed it; `None`: the client acts for itself.
    pub subject: Option<&'a str>,
    /// What is allowed.
    pub scope: &'a Scope,
    /// Where it is allowed.
    pub resource: &'a ProtectedResource,
}

/// Mints access tokens in an issuer's name.
pub struct TokenIssuer {
    issuer: Issuer,
    keys: Arc<KeyRing>,
    access_token_lifetime: Duration,
    random: Arc<dyn Random>,
}

impl TokenIssuer {
    /// An issuer whose access tokens live for `access_token_lifetime` where neither client nor resource says otherwise.
    pub fn new(issuer: Issuer, keys: Arc<KeyRing>, access_token_lifetime: Duration, random: Arc<dyn Random>) -> Self {
        Self { issuer, keys, access_token_lifetime, random }
    }

    /// Mints an access token. `requested` is the scope that the client asked for, if it asked for any: the answer
    /// names the scope when it is another one (RFC 6749 §5.1).
    pub fn issue(
        &self,
        authorization: &Authorization<'_>,
        requested: Option<&Scope>,
        now: Timestamp,
    ) -> Result<TokenResponse, NotSigned> {
        let Authorization { client, subject, scope, resource } = *authorization;
        let lifetime = self.lifetime(client, resource);
        let iat = now.as_seconds();
        let claims = AccessTokenClaims {
            iss: self.issuer.as_str(),
            sub: subject.unwrap_or(client.id.as_str()),
            aud: resource.identifier.as_str(),
            client_id: client.id.as_str(),
            exp: iat.saturating_add(lifetime.as_secs()),
            iat,
            jti: &new_jti(None, &*self.random),
            scope,
            auth_time: None,
            custom: &client.claims,
        };
        let access_token = self.keys.sign(resource.algorithm, TokenType::AccessToken, now, &claims)?;
        metrics::counter!("jotsmith_access_tokens_total", "algorithm" => resource.algorithm.as_str()).increment(1);
        Ok(TokenResponse {
            access_token,
            token_type: "Bearer",
            expires_in: lifetime.as_secs(),
            scope: (requested != Some(scope)).then(|| scope.clone()).filter(|scope| !scope.is_empty()),
        })
    }

    /// What the client or the resource sets replaces the server's lifetime; where both do, the shorter one holds.
    fn lifetime(&self, client: &Client, resource: &ProtectedResource) -> Duration {
        let own = client.access_token_lifetime.into_iter().chain(resource.access_token_lifetime);
        own.min().unwrap_or(self.access_token_lifetime)
    }
}

impl From<NotSigned> for OAuthError {
    fn from(reason: NotSigned) -> Self {
        Self::new(ErrorCode::ServerError, "The server cannot sign tokens now.").because(reason)
    }
}
