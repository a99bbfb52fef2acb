//! Custom claims: what a configuration may add to access tokens, and what it may not.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

/// Claims that the server sets, or that a verifier gives a meaning of its own (RFC 7519 §4.1, RFC 9068 §2.2,
/// RFC 7800 §3, RFC 8693 §4, RFC 9396 §9). A configuration that could set them could forge what a token says.
const RESERVED: [&str; 19] = [
    "acr",
    "act",
    "amr",
    "aud",
    "auth_time",
    "authorization_details",
    "azp",
    "client_id",
    "cnf",
    "exp",
    "iat",
    "iss",
    "jti",
    "may_act",
    "nbf",
    "nonce",
    "scope",
    "status",
    "sub",
];

/// Claims of a client or a person that go into access tokens as they are. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct CustomClaims(Arc<Map<String, Value>>);

/// A claim of this name means something to verifiers, so a configuration may not set it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the claim {0} has a registered meaning and cannot be set")]
pub struct ReservedClaim(pub String);

impl CustomClaims {
    /// Takes claims whose names are all free.
    pub fn new(claims: Map<String, Value>) -> Result<Self, ReservedClaim> {
        match claims.keys().find(|name| RESERVED.contains(&name.as_str())) {
            Some(name) => Err(ReservedClaim(name.clone())),
            None => Ok(Self(Arc::new(claims))),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These claims and those of `other`, which win where both have one.
    #[must_use]
    pub fn overridden_by(&self, other: &Self) -> Self {
        match (self.is_empty(), other.is_empty()) {
            (_, true) => self.clone(),
            (true, false) => other.clone(),
            (false, false) => {
                let own = self.0.iter().chain(other.0.iter());
                Self(Arc::new(own.map(|(name, value)| (name.clone(), value.clone())).collect()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(value: &Value) -> Result<CustomClaims, ReservedClaim> {
        CustomClaims::new(value.as_object().expect("an object").clone())
    }

    #[test]
    fn a_registered_claim_is_refused_and_a_free_one_is_not() {
        let refused = claims(&serde_json::json!({ "tenant": "acme", "aud": "https://elsewhere.example" }));
        assert_eq!(refused, Err(ReservedClaim("aud".to_owned())));
        assert!(claims(&serde_json::json!({ "tenant": "acme", "https://acme.example/role": [1] })).is_ok());
    }

    #[test]
    fn the_later_claims_win() {
        let client = claims(&serde_json::json!({ "tenant": "acme", "tier": 1 })).expect("free names");
        let person = claims(&serde_json::json!({ "tier": 2 })).expect("free names");
        let both = serde_json::to_value(client.overridden_by(&person)).expect("JSON");
        assert_eq!(both, serde_json::json!({ "tenant": "acme", "tier": 2 }));
    }
}
