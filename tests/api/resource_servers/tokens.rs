//! Tokens that the server never makes: signed with its own keys, or not at all.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use jotsmith::foundation::base64url;
use jotsmith::keys::algorithm::Algorithm;
use jotsmith::keys::signing_key::{self, SigningKey};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::Value;

use crate::harness::TestKey;

/// Holds an ES256 key and signs whatever it is given.
pub(super) struct Forger {
    pair: EcdsaKeyPair,
    kid: String,
    jwk: String,
}

impl Forger {
    /// With a key of the server.
    pub(super) fn new(key: &TestKey) -> Self {
        Self::of_pem(&std::fs::read(&key.file).expect("a key file"), &key.kid)
    }

    /// With a key of its own under the name of another one.
    pub(super) fn stranger(kid: &str) -> Self {
        Self::of_pem(signing_key::generate(Algorithm::Es256).as_bytes(), kid)
    }

    fn of_pem(text: &[u8], kid: &str) -> Self {
        let der = PrivatePkcs8KeyDer::from_pem_slice(text).expect("a key of ours");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_pkcs8_der());
        let key = SigningKey::from_pem(text, Algorithm::Es256, None).expect("a key of ours");
        let jwk = serde_json::to_string(key.public_jwk()).expect("JSON");
        Self { pair: pair.expect("a key of ours"), kid: kid.to_owned(), jwk }
    }

    pub(super) fn kid(&self) -> &str {
        &self.kid
    }

    /// A JWS with a good signature over any header and claims.
    pub(super) fn sign(&self, header: &Value, claims: &Value) -> String {
        let input = signing_input(header, claims);
        let signature = self.pair.sign(&SystemRandom::new(), input.as_bytes()).expect("a signature");
        format!("{input}.{}", base64url::encode(signature))
    }

    /// The public key in each form in which somebody might take it for a secret: the point, its DER, PEM, and JSON.
    pub(super) fn public_forms(&self) -> Vec<Vec<u8>> {
        const SPKI: [u8; 26] = [
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
            0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ];
        let point = self.pair.public_key().as_ref().to_vec();
        let der = [&SPKI[..], &point].concat();
        let base64 = base64url::encode(&der).replace('-', "+").replace('_', "/");
        let padded = format!("{base64}{}", "=".repeat((4 - base64.len() % 4) % 4));
        let lines: Vec<&str> =
            padded.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"));
        vec![point, der, pem.into_bytes(), self.jwk.clone().into_bytes()]
    }
}

fn signing_input(header: &Value, claims: &Value) -> String {
    format!("{}.{}", base64url::encode(header.to_string()), base64url::encode(claims.to_string()))
}

/// A JWS without a signature (RFC 7515 appendix A.5).
pub(super) fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.", signing_input(header, claims))
}

/// A JWS with a MAC (RFC 7518 §3.2).
pub(super) fn mac(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let input = signing_input(header, claims);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
    format!("{input}.{}", base64url::encode(tag))
}

/// The same header and signature over other claims.
pub(super) fn with_claims(token: &str, claims: &Value) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    format!("{}.{}.{}", parts[0], base64url::encode(claims.to_string()), parts[2])
}

/// Encoded bytes of which one bit differs.
pub(super) fn changed(encoded: &str) -> String {
    let mut bytes = base64url::decode(encoded).expect("base64url");
    bytes[7] ^= 1;
    base64url::encode(bytes)
}
