//! The one place that mints access tokens.

use std::collections::HashMap;
use std::sync::Arc;

use metrics::Counter;

use crate::clients::Client;
use crate::foundation::clock::Timestamp;
use crate::foundation::random::Random;
use crate::keys::key_ring::{KeyRing, NotSigned};
use crate::keys::signing_key::SigningFailed;
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
    /// How many tokens each key has signed, by its `kid`: looked up once, for the recorder's list has a lock.
    minted: HashMap<String, Counter>,
}

impl TokenIssuer {
    /// An issuer that signs with these keys.
    pub fn new(issuer: Issuer, keys: Arc<KeyRing>, random: Arc<dyn Random>) -> Self {
        let minted = keys.listing(Timestamp::from_seconds(0)).map(|key| {
            let labels = [("kid", key.kid.to_owned()), ("algorithm", key.algorithm.as_str().to_owned())];
            (key.kid.to_owned(), metrics::counter!("jotsmith_access_tokens_total", &labels))
        });
        let minted = minted.collect();
        Self { issuer, keys, random, minted }
    }

    /// Mints an access token. `requested` is the scope that the client asked for, if it asked for any: the answer
    /// names the scope when it is another one (RFC 6749 §5.1).
    pub async fn issue(
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
        let access_token = self.keys.sign(algorithm, TokenType::AccessToken, now, &claims).await?;
        if let Some(minted) = self.keys.signing_kid(algorithm, now).and_then(|kid| self.minted.get(kid)) {
            minted.increment(1);
        }
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
        // A signer elsewhere that cannot be asked is like a store that cannot: it will be back.
        if let NotSigned::Failed(SigningFailed::Unavailable(unavailable)) = &reason {
            let wait = unavailable.retry_after;
            let error = Self::new(ErrorCode::TemporarilyUnavailable, "The server cannot answer now, try again later.");
            return error.retry_after(wait).because(reason);
        }
        Self::new(ErrorCode::ServerError, "The server cannot sign tokens now.").because(reason)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::keys::algorithm::Algorithm;
    use crate::keys::signer::SignerUnavailable;

    #[test]
    fn a_signer_that_is_away_asks_for_patience_and_a_missing_key_does_not() {
        let wait = Duration::from_secs(7);
        let away = SignerUnavailable { cause: "no route".to_owned(), retry_after: wait };
        let error = OAuthError::from(NotSigned::Failed(away.into()));
        assert_eq!((error.code, error.retry_after), (ErrorCode::TemporarilyUnavailable, Some(wait)));
        assert!(error.cause.contains("no route") && !error.description.contains("no route"));
        let error = OAuthError::from(NotSigned::NoKey(Algorithm::Es256));
        assert_eq!((error.code, error.retry_after), (ErrorCode::ServerError, None));
    }
}
