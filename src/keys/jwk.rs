//! Public keys: as JSON (RFC 7517), by their thumbprints (RFC 7638), and verifying with the one algorithm of each.
//!
//! jsonwebtoken, which the rooms of keys alone import, knows how these keys are written. A key is parsed once, when its set is read:
//! jsonwebtoken would parse it again for every signature.

use std::fmt;
use std::ops::RangeInclusive;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use jsonwebtoken::Algorithm as JoseAlgorithm;
#[cfg(feature = "server")]
use jsonwebtoken::DecodingKey;
#[cfg(feature = "server")]
use jsonwebtoken::jwk::ThumbprintHash;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, KeyAlgorithm, KeyOperations, PublicKeyUse};
pub use jsonwebtoken::jwk::{Jwk, JwkSet};
use serde::Deserialize;
use serde_json::Value;

use super::algorithm::Algorithm;
use crate::foundation::base64url;

/// The JWK of a public key as aws-lc-rs gives it: an uncompressed point, an `RSAPublicKey` (RFC 8017), or the 32 bytes
/// of Ed25519. It has `use` and `alg`, and its thumbprint as `kid` where none is given.
#[cfg(feature = "server")]
pub(super) fn public_jwk(algorithm: Algorithm, public_key: &[u8], kid: Option<String>) -> Jwk {
    let key = match algorithm {
        Algorithm::Es256 => DecodingKey::from_ec_der(public_key),
        Algorithm::Rs256 => DecodingKey::from_rsa_der(public_key),
        Algorithm::EdDsa => DecodingKey::from_ed_der(public_key),
    };
    let mut jwk = Jwk::from_decoding_key(&key, Some(jose(algorithm))).expect("the public half of a parsed key pair");
    jwk.common.public_key_use = Some(PublicKeyUse::Signature);
    jwk.common.key_id = Some(kid.unwrap_or_else(|| thumbprint(&jwk)));
    jwk
}

/// The SHA-256 thumbprint over the members that make the key, in the order of their names (RFC 7638 §3).
#[cfg(feature = "server")]
pub(super) fn thumbprint(jwk: &Jwk) -> String {
    jwk.thumbprint(ThumbprintHash::SHA256).expect("a key of one of our algorithms")
}

/// Public keys to verify with, ready for use.
#[derive(Debug, Clone, Default)]
pub struct VerificationKeys(pub(super) Vec<VerificationKey>);

/// A public key and the one algorithm that it verifies.
#[derive(Clone)]
pub(super) struct VerificationKey {
    /// Its name.
    pub(super) kid: String,
    /// The one that its kind of key is for.
    pub(super) algorithm: Algorithm,
    key: ParsedPublicKey,
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kid, algorithm, .. } = self;
        f.debug_struct("VerificationKey").field("kid", kid).field("algorithm", algorithm).finish_non_exhaustive()
    }
}

/// A JWK Set of which each key is read by itself.
#[derive(Deserialize)]
struct AnyKeySet {
    keys: Vec<Value>,
}

/// The text is not a JWK Set (RFC 7517 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a JWK Set: a JSON object with `keys`")]
pub struct InvalidKeySet;

impl VerificationKeys {
    /// Reads a JWK Set. Keys that are not for signatures of one of our algorithms are left out, as are keys without a
    /// `kid` (RFC 7517 §5).
    pub fn from_json(json: &[u8]) -> Result<Self, InvalidKeySet> {
        let set: AnyKeySet = serde_json::from_slice(json).map_err(|_| InvalidKeySet)?;
        // RFC 7517 §5: a key that is not understood, or that lacks a member, takes none of the others with it.
        let jwks: Vec<Jwk> = set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect();
        Ok(jwks.iter().collect())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key, where there is one alone.
    #[cfg(feature = "server")]
    pub(super) fn sole(&self) -> Option<&VerificationKey> {
        if let [key] = &self.0[..] { Some(key) } else { None }
    }

    /// The key of that name.
    pub(super) fn find(&self, kid: &str) -> Option<&VerificationKey> {
        self.0.iter().find(|key| key.kid == kid)
    }
}

impl<'a> FromIterator<&'a Jwk> for VerificationKeys {
    fn from_iter<I: IntoIterator<Item = &'a Jwk>>(jwks: I) -> Self {
        Self(jwks.into_iter().filter_map(VerificationKey::from_jwk).collect())
    }
}

impl VerificationKey {
    /// The algorithm of a kind of key. The kind alone says what a key may verify, so that nothing can make an RSA key a
    /// MAC's secret.
    pub(super) fn algorithm_of(jwk: &Jwk) -> Option<Algorithm> {
        match &jwk.algorithm {
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Some(Algorithm::Es256),
            AlgorithmParameters::RSA(_) => Some(Algorithm::Rs256),
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => Some(Algorithm::EdDsa),
            _ => None,
        }
    }

    /// The key of a JWK that has a name and is a sound one for signatures of one of our algorithms.
    pub(super) fn from_jwk(jwk: &Jwk) -> Option<Self> {
        let algorithm = Self::algorithm_of(jwk)?;
        let common = &jwk.common;
        let is_for_it = common.key_algorithm.is_none_or(|said| said == KeyAlgorithm::from(jose(algorithm)));
        let is_for_signatures = common.public_key_use.as_ref().is_none_or(|said| *said == PublicKeyUse::Signature);
        // RFC 7517 §4.3.
        let verifies = common.key_operations.as_ref().is_none_or(|said| said.contains(&KeyOperations::Verify));
        if !is_for_it || !is_for_signatures || !verifies {
            return None;
        }
        Some(Self { kid: common.key_id.clone()?, algorithm, key: parsed(&jwk.algorithm)? })
    }

    /// Whether a signature in base64url is one of this key over `signing_input` (RFC 7515 §5.2).
    pub(super) fn has_signed(&self, signing_input: &str, signature: &str) -> bool {
        let Ok(signature) = base64url::decode(signature) else { return false };
        self.key.verify_sig(signing_input.as_bytes(), &signature).is_ok()
    }
}

/// The key that these parameters are, which verifies with one algorithm and no other. None where their numbers are no
/// key: a point that is not on the curve, or a modulus or an exponent that is none.
fn parsed(parameters: &AlgorithmParameters) -> Option<ParsedPublicKey> {
    let bytes = |text: &str| base64url::decode(text).ok();
    match parameters {
        AlgorithmParameters::EllipticCurve(key) => {
            // RFC 7518 §6.2.1.2: each coordinate has the full 32 bytes. SEC 1 §2.3.3: an uncompressed point.
            let (x, y) = (bytes(&key.x)?, bytes(&key.y)?);
            let point = [&[4], &*x, &*y].concat();
            let is_whole = x.len() == COORDINATE && y.len() == COORDINATE;
            is_whole.then(|| ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).ok()).flatten()
        }
        AlgorithmParameters::RSA(key) => {
            let (n, e) = (bytes(&key.n)?, bytes(&key.e)?);
            // RFC 7518 §3.3: a shorter key is not one to verify with. A zero in front is refused below.
            let bits = n.len() * 8 - n.first()?.leading_zeros() as usize;
            // RFC 8017 §3.1: at least 3 and odd. With 1 every text would be its own signature, and the library lets it
            // pass.
            let is_exponent = e != [1] && e.last().is_some_and(|last| last % 2 == 1);
            let is_sound = RSA_BITS.contains(&bits) && is_exponent;
            let components = RsaPublicKeyComponents { n, e };
            is_sound.then(|| components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).ok()).flatten()
        }
        AlgorithmParameters::OctetKeyPair(key) => ParsedPublicKey::new(&ED25519, bytes(&key.x)?).ok(),
        _ => None,
    }
}

/// Bytes in a coordinate of P-256.
const COORDINATE: usize = 32;

/// Bits in an RSA modulus.
const RSA_BITS: RangeInclusive<usize> = 2048..=8192;

/// The algorithm by its name in jsonwebtoken.
pub(super) const fn jose(algorithm: Algorithm) -> JoseAlgorithm {
    match algorithm {
        Algorithm::Es256 => JoseAlgorithm::ES256,
        Algorithm::Rs256 => JoseAlgorithm::RS256,
        Algorithm::EdDsa => JoseAlgorithm::EdDSA,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::keys::signing_key::{SigningKey, generate};

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

    #[test]
    fn rfc_8037_appendix_a_5_is_a_signature_of_its_key() {
        let key =
            jwk(r#"{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "A"}"#);
        let key = VerificationKey::from_jwk(&key).expect("a key of ours");
        let signing_input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        assert!(key.has_signed(signing_input, signature));
        assert!(!key.has_signed(&signing_input[1..], signature));
    }

    #[test]
    fn keys_that_are_not_for_our_signatures_are_left_out_of_a_set() {
        let own = SigningKey::from_pem(generate(Algorithm::Rs256).as_bytes(), Algorithm::Rs256, None);
        let own = own.expect("a key of ours");
        let with = |name: &str, value: &str| {
            let mut jwk = serde_json::to_value(own.public_jwk()).expect("JSON");
            jwk[name] = value.into();
            jwk
        };
        let kids = |jwk: Value| {
            let keys = VerificationKeys::from_json(json!({ "keys": [jwk] }).to_string().as_bytes()).expect("a set");
            keys.0.into_iter().map(|key| key.kid).collect::<Vec<_>>()
        };
        assert_eq!(kids(with("kid", "own")), ["own"]);
        for (name, value) in
            [("use", "enc"), ("alg", "PS256"), ("alg", "RS1"), ("kty", "AKP"), ("n", "="), ("n", "AQAB")]
        {
            assert_eq!(kids(with(name, value)), [""; 0], "{name} {value}");
        }
        for (key_ops, expected) in [(json!(["verify"]), &["own"][..]), (json!(["sign"]), &[]), (json!([]), &[])] {
            let mut jwk = with("kid", "own");
            jwk["key_ops"] = key_ops;
            assert_eq!(kids(jwk), expected);
        }
        assert_eq!(kids(json!({ "kty": "oct", "k": "AAAA", "kid": "mac", "alg": "HS256" })), [""; 0]);
        // What is not understood takes none of the others with it.
        let set = json!({ "keys": [{ "kty": "EC" }, 7, with("kid", "own")] }).to_string();
        assert_eq!(VerificationKeys::from_json(set.as_bytes()).map(|keys| keys.len()), Ok(1));
        assert_eq!(VerificationKeys::from_json(b"[]").err(), Some(InvalidKeySet));
    }

    #[test]
    fn an_rsa_key_of_other_lengths_or_with_an_exponent_that_is_none_verifies_nothing() {
        let is_key = |n: &[u8], e: &[u8]| {
            let own = json!({ "kty": "RSA", "kid": "own", "n": base64url::encode(n), "e": base64url::encode(e) });
            VerificationKey::from_jwk(&serde_json::from_value(own).expect("a JWK")).is_some()
        };
        let modulus = |bytes: usize| vec![0xFF; bytes];
        let mut of_2047_bits = modulus(256);
        of_2047_bits[0] = 0x7F;
        let mut with_a_zero_in_front = modulus(257);
        with_a_zero_in_front[0] = 0;
        for (n, e, expected) in [
            (modulus(256), &[1, 0, 1][..], true),
            (modulus(256), &[3], true),
            (modulus(1024), &[1, 0, 1], true),
            (modulus(1025), &[1, 0, 1], false),
            (modulus(255), &[1, 0, 1], false),
            (of_2047_bits, &[1, 0, 1], false),
            (with_a_zero_in_front, &[1, 0, 1], false),
            (Vec::new(), &[1, 0, 1], false),
            // RFC 8017 §3.1.
            (modulus(256), &[1], false),
            (modulus(256), &[0, 1], false),
            (modulus(256), &[0], false),
            (modulus(256), &[], false),
            (modulus(256), &[1, 0, 0], false),
        ] {
            assert_eq!(is_key(&n, e), expected, "{} bytes, {e:?}", n.len());
        }
    }

    #[test]
    fn rfc_7515_appendices_a_2_and_a_3_are_signatures_of_their_keys() {
        let payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let rs256 = json!({ "kty": "RSA", "kid": "A.2", "e": "AQAB", "n": concat!(
            "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4Ql",
            "L-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUs",
            "LA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoud",
            "F8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
        ) });
        let rs256_signature = concat!(
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujG",
            "bds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K",
            "0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6",
            "LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        );
        let es256 = json!({ "kty": "EC", "crv": "P-256", "kid": "A.3",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" });
        let es256_signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
        for (key, header, signature) in
            [(rs256, "eyJhbGciOiJSUzI1NiJ9", rs256_signature), (es256, "eyJhbGciOiJFUzI1NiJ9", es256_signature)]
        {
            let key = VerificationKey::from_jwk(&serde_json::from_value(key).expect("a JWK")).expect("a key of ours");
            let signing_input = format!("{header}.{payload}");
            assert!(key.has_signed(&signing_input, signature), "{header}");
            assert!(!key.has_signed(&signing_input[1..], signature), "{header}");
        }
    }
}
