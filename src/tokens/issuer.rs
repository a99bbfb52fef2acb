//! The one place that mints access tokens.

use std::sync::Arc;

use crate::clients::Client;
use crate::foundation::clock::Timestamp;
use crate::foundation::random::Random;
use crate::keys::key_ring::{KeyRing, NotSigned};
use crate::keys::token_type::TokenType;
use crate::login::account::Account;
use crate::protocol::error::{ErrorCode, OAuthError};
use crate::protocol::issuer::Issuer;
use crate::protocol::scope::Scope;

use super::access_token::{AccessTokenClaims, new_jti};
use super::audience::Audience;
use super::grant::Grant;
use super::response::TokenResponse;

/// Who may do what, where: what an access token is minted from.
#[derive(Debug)]
pub struct Authorization<'a> {
    /// The client that the token is for.
    pub client: &'a Client,
    /// The person who allowed it; `None`: the client acts for itself.
    pub person: Option<Person<'a>>,
    /// What is allowed.
    pub scope: &'a Scope,
    /// Where it is allowed.
    pub audience: &'a Audience,
}

/// A person in whose name a client acts, and by what right.
#[derive(Debug, Clone, Copy)]
pub struct Person<'a> {
    /// Who it is, as the directory knows them now.
    pub account: &'a Account,
    /// When they signed in.
    pub auth_time: Timestamp,
    /// What they allowed, where it is kept; `None`: the token is all that there is (RFC 6749 §4.2).
    pub grant: Option<&'a Grant>,
}

/// Mints access tokens in an issuer's name.
pub struct TokenIssuer {
    issuer: Issuer,
    keys: Arc<KeyRing>,
    random: Arc<dyn Random>,
}

impl TokenIssuer {
    /// An issuer that signs with these keys.
    pub fn new(issuer: Issuer, keys: Arc<KeyRing>, random: Arc<dyn Random>) -> Self {
        Self { issuer, keys, random }
    }

    /// Mints an access token. `requested` is the scope that the client asked for, if it asked for any: the answer
    /// names the scope when it is another one (RFC 6749 §5.1).
    pub fn issue(
        &self,
        authorization: &Authorization<'_>,
        requested: Option<&Scope>,
        now: Timestamp,
    ) -> Result<TokenResponse, NotSigned> {
        let Authorization { client, person, scope, audience } = *authorization;
        let grant = person.and_then(|person| person.grant);
        // A token never outlives what it stands on.
        let end = now + audience.lifetime();
        let end = grant.map_or(end, |grant| end.min(grant.absolute_expires_at));
        let (iat, exp) = (now.as_seconds(), end.as_seconds());
        let claims = AccessTokenClaims {
            iss: self.issuer.as_str(),
            sub: person.map_or(client.id.as_str(), |person| person.account.subject()),
            aud: audience,
            client_id: client.id.as_str(),
            exp,
            iat,
            jti: &new_jti(grant.map(|grant| grant.id), &*self.random),
            scope,
            auth_time: person.map(|person| person.auth_time.as_seconds()),
            custom: match person {
                Some(person) => client.claims.overridden_by(person.account.claims()),
                None => client.claims.clone(),
            },
        };
        let algorithm = audience.algorithm();
        let access_token = self.keys.sign(algorithm, TokenType::AccessToken, now, &claims)?;
        metrics::counter!("jotsmith_access_tokens_total", "algorithm" => algorithm.as_str()).increment(1);
        Ok(TokenResponse {
            access_token,
            token_type: "Bearer",
            expires_in: exp.saturating_sub(iat),
            refresh_token: None,
            scope: (requested != Some(scope)).then(|| scope.clone()).filter(|scope| !scope.is_empty()),
        })
    }
}

impl From<NotSigned> for OAuthError {
    fn from(reason: NotSigned) -> Self {
        Self::new(ErrorCode::ServerError, "The server cannot sign tokens now.").because(reason)
    }
}
