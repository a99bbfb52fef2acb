//! Public keys as JSON (RFC 7517) and their thumbprints (RFC 7638).

pub use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::jwk::{PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm as JoseAlgorithm, DecodingKey};

use super::algorithm::Algorithm;

/// The JWK of a public key as aws-lc-rs gives it: an uncompressed point, an `RSAPublicKey` (RFC 8017), or the 32 bytes
/// of Ed25519. It has `use` and `alg`, and its thumbprint as `kid` where none is given.
pub(super) fn public_jwk(algorithm: Algorithm, public_key: &[u8], kid: Option<String>) -> Jwk {
    let (key, algorithm) = match algorithm {
        Algorithm::Es256 => (DecodingKey::from_ec_der(public_key), JoseAlgorithm::ES256),
        Algorithm::Rs256 => (DecodingKey::from_rsa_der(public_key), JoseAlgorithm::RS256),
        Algorithm::EdDsa => (DecodingKey::from_ed_der(public_key), JoseAlgorithm::EdDSA),
    };
    let mut jwk = Jwk::from_decoding_key(&key, Some(algorithm)).expect("the public half of a parsed key pair");
    jwk.common.public_key_use = Some(PublicKeyUse::Signature);
    jwk.common.key_id = Some(kid.unwrap_or_else(|| thumbprint(&jwk)));
    jwk
}

/// The SHA-256 thumbprint over the members that make the key, in the order of their names (RFC 7638 §3).
fn thumbprint(jwk: &Jwk) -> String {
    jwk.thumbprint(ThumbprintHash::SHA256).expect("a key of one of our algorithms")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwk(json: &str) -> Jwk {
        serde_json::from_str(json).expect("a JWK")
    }

    #[test]
    fn the_rsa_key_of_rfc_7638_section_3_1_has_its_thumbprint() {
        let key = jwk(r#"{"kty": "RSA", "alg": "RS256", "kid": "2011-04-29", "e": "AQAB", "n":
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}"#);
        assert_eq!(thumbprint(&key), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn the_ed25519_key_of_rfc_8037_appendix_a_3_has_its_thumbprint() {
        let key = jwk(r#"{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#);
        assert_eq!(thumbprint(&key), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}
