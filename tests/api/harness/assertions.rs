//! Assertions of clients, made by hand so that anything can be wrong with them.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use jotsmith::foundation::base64url;
use jotsmith::foundation::clock::Timestamp;
use serde_json::{Value, json};

use super::log;
use super::requests::Parameters;

pub(crate) const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client's key pair for ES256.
pub(crate) struct ClientKey {
    pair: EcdsaKeyPair,
    kid: String,
}

impl ClientKey {
    pub(crate) fn new(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key pair");
        Self { pair, kid: kid.to_owned() }
    }

    /// The public half: `kid` and what makes the key.
    pub(crate) fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (base64url::encode(&point[1..33]), base64url::encode(&point[33..]));
        json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": self.kid })
    }

    /// What makes the key, as bytes that somebody may take for a secret.
    pub(crate) fn public_bytes(&self) -> Vec<u8> {
        self.pair.public_key().as_ref().to_vec()
    }

    /// The header of an honest assertion.
    pub(crate) fn header(&self) -> Value {
        json!({ "alg": "ES256", "kid": self.kid })
    }

    /// A JWS of whatever header and claims.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// The same from texts that need not be JSON.
    pub(crate) fn sign_text(&self, header: &str, claims: &str) -> String {
        let input = signing_input(header, claims);
        let signature = self.pair.sign(&SystemRandom::new(), input.as_bytes()).expect("a signature");
        format!("{input}.{}", base64url::encode(signature))
    }

    /// An assertion with an honest header.
    pub(crate) fn assertion(&self, claims: &Value) -> String {
        self.sign(&self.header(), claims)
    }
}

/// What is signed (RFC 7515 §5.1).
pub(crate) fn signing_input(header: &str, claims: &str) -> String {
    format!("{}.{}", base64url::encode(header), base64url::encode(claims))
}

/// The claims of an honest assertion that lives for a minute, with a `jti` of its own.
pub(crate) fn honest(client_id: &str, audience: &str, now: Timestamp) -> Value {
    let seconds = now.as_seconds();
    json!({ "iss": client_id, "sub": client_id, "aud": audience, "iat": seconds, "exp": seconds + 60,
        "jti": log::secret() })
}

/// The same claims with another value, or without it where that is null.
pub(crate) fn changed(claims: &Value, name: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    if value.is_null() {
        claims.as_object_mut().expect("an object").remove(name);
    } else {
        claims[name] = value;
    }
    claims
}

/// A request for client credentials with an assertion.
pub(crate) fn with_assertion(assertion: &str) -> Parameters {
    Parameters::new([
        ("grant_type", "client_credentials"),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", assertion),
    ])
}

/// The entry of a client that signs; what is appended to it belongs to the client.
pub(crate) fn signing_client(client_id: &str, jwks: &[Value]) -> String {
    let table = |jwk: &Value| {
        let members = jwk.as_object().expect("an object").iter().map(|(name, value)| format!("{name:?} = {value}"));
        format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
    };
    let keys = jwks.iter().map(table).collect::<Vec<_>>().join(", ");
    format!(
        "[[clients]]\nclient_id = \"{client_id}\"\ntoken_endpoint_auth_method = \"private_key_jwt\"\n\
         grant_types = [\"client_credentials\"]\nresponse_types = []\nscope = \"read write\"\n\
         jwks = {{ keys = [{keys}] }}\n"
    )
}
