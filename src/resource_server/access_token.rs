//! What a verified access token says (RFC 9068 §2.2).
//!
//! Refused is a token that lacks a claim which that section requires, and one that is bound to a key (`cnf`, RFC 7800
//! §3.1): whoever presents it as a bearer token has not shown the key.

use std::fmt;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};

use super::verifier::TokenRefused;
use crate::foundation::clock::Timestamp;
use crate::keys::jws::JwsRefused;
use crate::protocol::scope::Scope;

/// A verified access token. `Debug` shows its `jti` and its client, not what it says about a person.
#[derive(Clone)]
pub struct AccessToken {
    claims: Claims,
    json: Box<[u8]>,
}

#[derive(Clone, Deserialize)]
struct Claims {
    sub: String,
    client_id: String,
    jti: String,
    #[serde(deserialize_with = "seconds")]
    iat: Timestamp,
    #[serde(deserialize_with = "seconds")]
    exp: Timestamp,
    #[serde(default = "Scope::empty")]
    scope: Scope,
    #[serde(default, deserialize_with = "some_seconds")]
    auth_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "is_present")]
    cnf: bool,
}

impl AccessToken {
    /// Reads the claims of a token whose signature, times, issuer and audience are verified.
    pub(super) fn of_verified(json: Vec<u8>) -> Result<Self, TokenRefused> {
        let claims: Claims = serde_json::from_slice(&json).map_err(|_| JwsRefused::MalformedClaims)?;
        if claims.cnf {
            return Err(TokenRefused::BoundToAKey);
        }
        Ok(Self { claims, json: json.into() })
    }

    /// `sub`: the person who allowed it, or the client's id where it acts for itself.
    pub fn subject(&self) -> &str {
        &self.claims.sub
    }

    /// `client_id`: who asked for it.
    pub fn client_id(&self) -> &str {
        &self.claims.client_id
    }

    /// `jti`: the name of this token, for logs.
    pub fn id(&self) -> &str {
        &self.claims.jti
    }

    /// `scope`: what it allows; nothing where the token has none.
    pub const fn scope(&self) -> &Scope {
        &self.claims.scope
    }

    /// `iat`: when it was made.
    pub const fn issued_at(&self) -> Timestamp {
        self.claims.iat
    }

    /// `exp`: when it ends.
    pub const fn expires_at(&self) -> Timestamp {
        self.claims.exp
    }

    /// `auth_time`: when the person signed in, where one took part.
    pub const fn authenticated_at(&self) -> Option<Timestamp> {
        self.claims.auth_time
    }

    /// Whether it allows `scope`: every one of its tokens, which have one space between each two. No token allows what is
    /// no scope, the empty text included: a scope that was computed and came out empty lets nobody in.
    pub fn allows(&self, scope: &str) -> bool {
        // The token's own scope is well formed, so nothing that is not is in it.
        scope.split(' ').all(|token| self.claims.scope.contains(token))
    }

    /// All claims, or those that `C` names, such as custom ones.
    ///
    /// # Errors
    /// When they do not have the form of `C`.
    pub fn claims<C: DeserializeOwned>(&self) -> serde_json::Result<C> {
        serde_json::from_slice(&self.json)
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("jti", &self.id())
            .field("client_id", &self.client_id())
            .finish_non_exhaustive()
    }
}

/// Whole seconds of a `NumericDate`, whose form has been checked where it decides.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded down, and none lies before 1970")]
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    f64::deserialize(deserializer).map(|seconds| Timestamp::from_seconds(seconds.max(0.0) as u64))
}

fn some_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    seconds(deserializer).map(Some)
}

/// Whatever its value, `null` included.
fn is_present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn claims() -> Value {
        json!({ "sub": "alice", "client_id": "app", "jti": "j", "iat": 1_800_000_000, "exp": 1_800_000_300.5,
                "scope": "write read", "tenant": "acme" })
    }

    fn read(claims: &Value) -> Result<AccessToken, TokenRefused> {
        AccessToken::of_verified(claims.to_string().into_bytes())
    }

    #[test]
    fn every_claim_that_rfc_9068_requires_must_be_there() {
        let token = read(&claims()).expect("sound");
        assert_eq!((token.subject(), token.client_id(), token.id()), ("alice", "app", "j"));
        assert_eq!(token.expires_at(), Timestamp::from_seconds(1_800_000_300));
        assert_eq!(token.claims::<Value>().expect("JSON"), claims());
        for name in ["sub", "client_id", "jti", "iat", "exp"] {
            let mut claims = claims();
            claims.as_object_mut().expect("an object").remove(name);
            assert_eq!(read(&claims).err(), Some(JwsRefused::MalformedClaims.into()), "{name}");
        }
        for scope in [json!(["read"]), json!("read  write"), json!(1)] {
            let mut claims = claims();
            claims["scope"] = scope;
            assert_eq!(read(&claims).err(), Some(JwsRefused::MalformedClaims.into()), "{claims}");
        }
    }

    #[test]
    fn a_token_that_is_bound_to_a_key_is_no_bearer_token() {
        for cnf in [json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" }), Value::Null] {
            let mut claims = claims();
            claims["cnf"] = cnf;
            assert_eq!(read(&claims).err(), Some(TokenRefused::BoundToAKey));
        }
    }

    #[test]
    fn all_of_a_scope_is_needed_and_no_part_of_a_word_counts() {
        let token = read(&claims()).expect("sound");
        for scope in ["read", "read write", "write read"] {
            assert!(token.allows(scope), "{scope:?}");
        }
        for scope in ["admin", "read admin", "rea", "Read", "read,write"] {
            assert!(!token.allows(scope), "{scope:?}");
        }
        assert!(!format!("{token:?}").contains("alice"));
    }

    #[test]
    fn what_is_no_scope_is_allowed_by_no_token() {
        let mut nothing = claims();
        nothing["scope"] = json!("");
        for token in [read(&claims()).expect("sound"), read(&nothing).expect("sound")] {
            for scope in ["", " ", "  ", "read  write", " read", "read ", "read\t", "read\"", "\n"] {
                assert!(!token.allows(scope), "{scope:?}");
            }
        }
    }
}
