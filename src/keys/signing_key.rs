//! One signing key: parsed once, with its JOSE headers encoded once, so that a signature costs little more than itself.
//!
//! A key comes from PKCS#8 in PEM. Refused are other formats (see [`PemRefused`]), a key of another algorithm than the
//! configured one, and RSA below 2048 bits (RFC 7518 §3.3). The private half is in here alone and never shown.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    ParsedPublicKey, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde::Serialize;
use zeroize::Zeroizing;

use super::algorithm::Algorithm;
use super::jwk::{Jwk, public_jwk};
use super::pem::{self, PemRefused};
use super::signer::{RemoteSigner, SignerUnavailable};
use super::token_type::TokenType;
use crate::foundation::base64url;
use crate::foundation::digest::sha256;

/// A private key that signs tokens with one algorithm. `Debug` shows its `kid` and algorithm.
pub struct SigningKey {
    algorithm: Algorithm,
    signer: Signer,
    jwk: Jwk,
    /// The encoded JOSE header and the dot after it, for each [`TokenType`].
    headers: [Box<str>; TokenType::ALL.len()],
}

/// Why a file's content is no signing key for the configured algorithm. It never shows what stood in the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyRefused {
    /// There is no PKCS#8 private key in it.
    #[error(transparent)]
    Pem(#[from] PemRefused),
    /// The key is one of another algorithm.
    #[error("it is a key for {found}, but `algorithm` says {configured}: change one of the two")]
    WrongAlgorithm {
        /// The algorithm that the configuration names.
        configured: Algorithm,
        /// The algorithm that the key fits.
        found: Algorithm,
    },
    /// An RSA key that is too short to be safe (RFC 7518 §3.3).
    #[error("it is an RSA key of fewer than 2048 bits: `jotsmith keys generate --algorithm RS256` makes a longer one")]
    TooShort,
    /// A key of an unknown kind, or one whose parts do not belong together.
    #[error("it is damaged, or a key for none of ES256 (curve P-256), RS256 (2048 to 8192 bits) and EdDSA (Ed25519)")]
    Unusable,
    /// A `kid` without a character.
    #[error("its kid is empty: leave it out, and the key is called by its thumbprint")]
    EmptyKid,
}

/// Why nothing could be signed.
#[derive(Debug, thiserror::Error)]
pub enum SigningFailed {
    /// The claims are not JSON, such as a map whose keys are no strings.
    #[error("the claims cannot be written as JSON: {0}")]
    Claims(#[from] serde_json::Error),
    /// The key lies elsewhere, and that place cannot be asked now.
    #[error(transparent)]
    Unavailable(#[from] SignerUnavailable),
    /// The key lies elsewhere, and its signature is none of its algorithm.
    #[error("the signer gave {is} bytes, a signature of this key has {expected}")]
    WrongLength {
        /// How many bytes it gave.
        is: usize,
        /// How many there should be.
        expected: usize,
    },
    /// The key lies elsewhere, where only those who can wait may ask for a signature.
    #[error("the key lies outside of this process")]
    Elsewhere,
    /// The cryptographic library failed: memory is short, or its self-test did.
    #[error("the key could not sign")]
    Key,
}

impl SigningKey {
    /// Reads a key from PKCS#8 in PEM. Without a `kid` it is called by its thumbprint (RFC 7638).
    pub fn from_pem(pem: &[u8], algorithm: Algorithm, kid: Option<String>) -> Result<Self, SigningKeyRefused> {
        let der = pem::decode_pkcs8(pem)?;
        Self::from_pkcs8(der.secret_pkcs8_der(), algorithm, kid)
    }

    fn from_pkcs8(der: &[u8], algorithm: Algorithm, kid: Option<String>) -> Result<Self, SigningKeyRefused> {
        if kid.as_deref() == Some("") {
            return Err(SigningKeyRefused::EmptyKid);
        }
        let key_pair = KeyPair::from_pkcs8(der, algorithm).map_err(|refused| match refused {
            SigningKeyRefused::Unusable => other_algorithm_of(der, algorithm),
            reason => reason,
        })?;
        let jwk = public_jwk(algorithm, key_pair.public_key(), kid);
        Ok(Self::new(algorithm, Signer::Local(key_pair), jwk))
    }

    /// A key whose private half lies elsewhere, from its public half: an uncompressed point, an `RSAPublicKey` (RFC 8017)
    /// or the 32 bytes of Ed25519. Without a `kid` it is called by its thumbprint (RFC 7638).
    pub fn remote(
        algorithm: Algorithm,
        public_key: &[u8],
        kid: Option<String>,
        signer: Arc<dyn RemoteSigner>,
    ) -> Result<Self, SigningKeyRefused> {
        if kid.as_deref() == Some("") {
            return Err(SigningKeyRefused::EmptyKid);
        }
        let signature_len = signature_len_of(algorithm, public_key)?;
        let jwk = public_jwk(algorithm, public_key, kid);
        Ok(Self::new(algorithm, Signer::Remote { signer, signature_len }, jwk))
    }

    fn new(algorithm: Algorithm, signer: Signer, jwk: Jwk) -> Self {
        let headers = TokenType::ALL.map(|typ| encoded_header(typ, algorithm, kid_of(&jwk)));
        Self { algorithm, signer, jwk, headers }
    }

    /// The name of the key in JOSE headers and in the key set.
    pub fn kid(&self) -> &str {
        kid_of(&self.jwk)
    }

    /// What it signs with.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public half, with `kid`, `use` and `alg`.
    pub const fn public_jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// SHA-256 of the public half: what tells it from another key of the same `kid`.
    pub(super) fn digest(&self) -> [u8; 32] {
        sha256(serde_json::to_vec(&self.jwk).expect("a public key is JSON"))
    }

    /// Signs claims with a key of this process: a JWS in compact form (RFC 7515 §7.1). A remote key does not sign here.
    pub fn sign(&self, typ: TokenType, claims: &impl Serialize) -> Result<String, SigningFailed> {
        let Signer::Local(pair) = &self.signer else { return Err(SigningFailed::Elsewhere) };
        let mut token = self.signing_input(typ, claims)?;
        append_signature(pair, &mut token)?;
        Ok(token)
    }

    /// Signs claims wherever the key is. With a key of this process it never waits, and costs no more than [`sign`].
    ///
    /// [`sign`]: Self::sign
    pub async fn sign_wherever(&self, typ: TokenType, claims: &impl Serialize) -> Result<String, SigningFailed> {
        let mut token = self.signing_input(typ, claims)?;
        match &self.signer {
            Signer::Local(pair) => append_signature(pair, &mut token)?,
            Signer::Remote { signer, signature_len } => {
                let signature = signer.sign(token.as_bytes()).await?;
                // A service may give ECDSA signatures in DER: RFC 7518 §3.4 asks for two numbers of 32 bytes.
                if signature.len() != *signature_len {
                    return Err(SigningFailed::WrongLength { is: signature.len(), expected: *signature_len });
                }
                append(&signature, &mut token);
            }
        }
        Ok(token)
    }

    /// The header and the claims, as they are signed (RFC 7515 §5.1), with room for the signature.
    fn signing_input(&self, typ: TokenType, claims: &impl Serialize) -> Result<String, SigningFailed> {
        // Room for usual claims, and then exactly for the token: one allocation each.
        let mut json = Vec::with_capacity(1024);
        serde_json::to_writer(&mut json, claims)?;
        let header = &self.headers[typ as usize];
        let size = header.len() + encoded_len(json.len()) + 1 + encoded_len(self.signer.signature_len());
        let mut token = String::with_capacity(size);
        token.push_str(header);
        base64url::encode_into(&json, &mut token);
        Ok(token)
    }

    /// Signs `token`, which is a signing input (RFC 7515 §5.1), and appends a dot and the signature.
    #[cfg(test)]
    pub(super) fn append_signature(&self, token: &mut String) -> Result<(), SigningFailed> {
        let Signer::Local(pair) = &self.signer else { return Err(SigningFailed::Elsewhere) };
        append_signature(pair, token)
    }
}

fn append_signature(pair: &KeyPair, token: &mut String) -> Result<(), SigningFailed> {
    // aws-lc-rs asks for a source of randomness as ring does, and uses its own.
    let random = SystemRandom::new();
    let message = token.as_bytes();
    // The library gives a signature with room for the longest of all, 4.6 kB: it stays where it is.
    match pair {
        KeyPair::Es256(pair) => match &pair.sign(&random, message) {
            Ok(signature) => append(signature, token),
            Err(_) => return Err(SigningFailed::Key),
        },
        KeyPair::EdDsa(pair) => match &pair.try_sign(message) {
            Ok(signature) => append(signature, token),
            Err(_) => return Err(SigningFailed::Key),
        },
        KeyPair::Rs256(pair) => {
            let signature = &mut [0; LONGEST_SIGNATURE][..pair.public_modulus_len()];
            pair.sign(&RSA_PKCS1_SHA256, &random, message, signature).map_err(|_| SigningFailed::Key)?;
            append(signature, token);
        }
    }
    Ok(())
}

fn append(signature: impl AsRef<[u8]>, token: &mut String) {
    token.push('.');
    base64url::encode_into(signature, token);
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { algorithm, .. } = self;
        f.debug_struct("SigningKey").field("kid", &self.kid()).field("algorithm", algorithm).finish_non_exhaustive()
    }
}

/// Makes a new private key and gives it as PKCS#8 in PEM. RSA keys have 2048 bits.
///
/// # Panics
/// When the cryptographic library has no randomness: a server without it must not go on.
pub fn generate(algorithm: Algorithm) -> Zeroizing<String> {
    const MADE: &str = "the cryptographic library makes a key";
    match algorithm {
        Algorithm::Es256 => {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect(MADE);
            pem::encode_pkcs8(pair.to_pkcs8v1().expect(MADE).as_ref())
        }
        Algorithm::Rs256 => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect(MADE);
            let der: Pkcs8V1Der<'_> = pair.as_der().expect(MADE);
            pem::encode_pkcs8(der.as_ref())
        }
        // Version 1: OpenSSL and other programs do not all read version 2.
        Algorithm::EdDsa => {
            let pair = Ed25519KeyPair::generate().expect(MADE);
            pem::encode_pkcs8(pair.to_pkcs8v1().expect(MADE).as_ref())
        }
    }
}

/// The bytes of a signature with the longest RSA key that aws-lc-rs reads, which has 8192 bits.
const LONGEST_SIGNATURE: usize = 1024;

/// Where the private half is. An enum and no trait object, so that a key of this process is called directly.
enum Signer {
    Local(KeyPair),
    Remote { signer: Arc<dyn RemoteSigner>, signature_len: usize },
}

impl Signer {
    fn signature_len(&self) -> usize {
        match self {
            Self::Local(pair) => pair.signature_len(),
            Self::Remote { signature_len, .. } => *signature_len,
        }
    }
}

/// How many bytes a signature of a public key has, if the key is one of the algorithm.
fn signature_len_of(algorithm: Algorithm, public_key: &[u8]) -> Result<usize, SigningKeyRefused> {
    match algorithm {
        Algorithm::Es256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public_key).map(|_| 64),
        Algorithm::EdDsa => ParsedPublicKey::new(&ED25519, public_key).map(|_| 64),
        Algorithm::Rs256 => {
            let key = aws_lc_rs::rsa::PublicKey::from_der(public_key).map_err(|_| SigningKeyRefused::Unusable)?;
            let length = key.modulus_len();
            return if length < 256 { Err(SigningKeyRefused::TooShort) } else { Ok(length) };
        }
    }
    .map_err(|_| SigningKeyRefused::Unusable)
}

enum KeyPair {
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl KeyPair {
    fn from_pkcs8(der: &[u8], algorithm: Algorithm) -> Result<Self, SigningKeyRefused> {
        let parsed = match algorithm {
            Algorithm::Es256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map(Self::Es256),
            Algorithm::Rs256 => RsaKeyPair::from_pkcs8(der).map(Self::Rs256),
            // Versions 1 and 2 alike; a public key that is in it must fit.
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8(der).map(Self::EdDsa),
        };
        parsed.map_err(|rejected| match rejected.description_() {
            "TooSmall" => SigningKeyRefused::TooShort,
            _ => SigningKeyRefused::Unusable,
        })
    }

    fn public_key(&self) -> &[u8] {
        match self {
            Self::Es256(pair) => pair.public_key().as_ref(),
            Self::Rs256(pair) => pair.public_key().as_ref(),
            Self::EdDsa(pair) => pair.public_key().as_ref(),
        }
    }

    /// How many bytes a signature has.
    fn signature_len(&self) -> usize {
        match self {
            Self::Es256(_) | Self::EdDsa(_) => 64,
            Self::Rs256(pair) => pair.public_modulus_len(),
        }
    }
}

fn kid_of(jwk: &Jwk) -> &str {
    jwk.common.key_id.as_deref().expect("a public JWK of ours has a kid")
}

/// Which other algorithm a key fits that does not fit the configured one.
fn other_algorithm_of(der: &[u8], configured: Algorithm) -> SigningKeyRefused {
    let fits = |algorithm: &Algorithm| {
        let parsed = KeyPair::from_pkcs8(der, *algorithm);
        matches!(parsed, Ok(_) | Err(SigningKeyRefused::TooShort))
    };
    let found = Algorithm::ALL.into_iter().filter(|other| *other != configured).find(fits);
    found.map_or(SigningKeyRefused::Unusable, |found| SigningKeyRefused::WrongAlgorithm { configured, found })
}

/// The JOSE header of a kind of token in base64url, and the dot that follows it.
fn encoded_header(typ: TokenType, algorithm: Algorithm, kid: &str) -> Box<str> {
    #[derive(Serialize)]
    struct Header<'a> {
        typ: &'a str,
        alg: Algorithm,
        kid: &'a str,
    }

    let header = Header { typ: typ.as_str(), alg: algorithm, kid };
    let json = serde_json::to_vec(&header).expect("three strings are JSON");
    let mut encoded = base64url::encode(json);
    encoded.push('.');
    encoded.into()
}

/// How many characters `bytes` bytes have in base64url without padding.
const fn encoded_len(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generated(algorithm: Algorithm) -> SigningKey {
        SigningKey::from_pem(generate(algorithm).as_bytes(), algorithm, None).expect("a key of ours")
    }

    #[test]
    fn a_generated_key_of_every_algorithm_signs_a_token_of_three_parts() {
        for algorithm in Algorithm::ALL {
            let key = generated(algorithm);
            let claims = serde_json::json!({ "sub": "s6BhdRkqt3" });
            let token = key.sign(TokenType::AccessToken, &claims).expect("a token");
            assert_eq!(token.capacity(), token.len(), "the room was counted exactly");

            let parts: Vec<_> = token.split('.').collect();
            let json = |part: &str| {
                let bytes = base64url::decode(part).expect("base64url");
                serde_json::from_slice::<serde_json::Value>(&bytes).expect("JSON")
            };
            let header = serde_json::json!({ "typ": "at+jwt", "alg": algorithm.as_str(), "kid": key.kid() });
            assert_eq!((json(parts[0]), json(parts[1]), parts.len()), (header, claims, 3));
        }
    }

    #[test]
    fn a_public_jwk_says_what_it_is_for_and_holds_nothing_private() {
        for (algorithm, members) in [
            (Algorithm::Es256, &["alg", "crv", "kid", "kty", "use", "x", "y"][..]),
            (Algorithm::Rs256, &["alg", "e", "kid", "kty", "n", "use"]),
            (Algorithm::EdDsa, &["alg", "crv", "kid", "kty", "use", "x"]),
        ] {
            let key = generated(algorithm);
            let jwk = serde_json::to_value(key.public_jwk()).expect("JSON");
            let mut names: Vec<_> = jwk.as_object().expect("an object").keys().collect();
            names.sort();
            assert_eq!(names, members);
            assert_eq!((&jwk["use"], &jwk["alg"]), (&"sig".into(), &algorithm.as_str().into()));
            assert_eq!(jwk["kid"].as_str().map(str::len), Some(43), "a SHA-256 thumbprint");
        }
    }

    #[test]
    fn a_given_kid_takes_the_place_of_the_thumbprint() {
        let pem = generate(Algorithm::EdDsa);
        let key = |kid: &str| SigningKey::from_pem(pem.as_bytes(), Algorithm::EdDsa, Some(kid.to_owned()));
        let named = key("2026 \"11\"").expect("any text");
        assert_eq!(named.kid(), "2026 \"11\"");
        let token = named.sign(TokenType::AccessToken, &()).expect("a token");
        let header = base64url::decode(token.split('.').next().expect("a header")).expect("base64url");
        assert_eq!(header, br#"{"typ":"at+jwt","alg":"EdDSA","kid":"2026 \"11\""}"#);
        assert_eq!(key("").expect_err("no name"), SigningKeyRefused::EmptyKid);
    }

    #[test]
    fn a_key_of_another_algorithm_is_refused_by_name() {
        for found in Algorithm::ALL {
            let pem = generate(found);
            for configured in Algorithm::ALL.into_iter().filter(|other| *other != found) {
                let refused = SigningKey::from_pem(pem.as_bytes(), configured, None).expect_err("another algorithm");
                assert_eq!(refused, SigningKeyRefused::WrongAlgorithm { configured, found });
            }
        }
    }

    #[test]
    fn an_rsa_key_below_2048_bits_is_refused() {
        let refused = |algorithm| SigningKey::from_pkcs8(&short_rsa_key(), algorithm, None).expect_err("1024 bits");
        assert_eq!(refused(Algorithm::Rs256), SigningKeyRefused::TooShort);
        let (configured, found) = (Algorithm::Es256, Algorithm::Rs256);
        assert_eq!(refused(configured), SigningKeyRefused::WrongAlgorithm { configured, found });
    }

    #[test]
    fn a_key_on_another_curve_or_with_a_changed_byte_is_refused() {
        let p384 = EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P384_SHA384_FIXED_SIGNING).expect("a key");
        let p384 = p384.to_pkcs8v1().expect("a key");
        let good = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let mut changed = good.to_pkcs8v1().expect("a key").as_ref().to_vec();
        *changed.last_mut().expect("not empty") ^= 1;
        for der in [p384.as_ref(), &changed, &changed[..40], b""] {
            for algorithm in Algorithm::ALL {
                let refused = SigningKey::from_pkcs8(der, algorithm, None).expect_err("unusable");
                assert_eq!(refused, SigningKeyRefused::Unusable);
            }
        }
    }

    #[test]
    fn an_ed25519_key_is_read_in_version_1_and_in_version_2() {
        let pair = Ed25519KeyPair::generate().expect("a key");
        let (first, second) = (pair.to_pkcs8v1().expect("a key"), pair.to_pkcs8().expect("a key"));
        assert_ne!(first.as_ref().len(), second.as_ref().len());
        let kid =
            |der: &[u8]| SigningKey::from_pkcs8(der, Algorithm::EdDsa, None).expect("either version").kid().to_owned();
        assert_eq!(kid(first.as_ref()), kid(second.as_ref()));
        let written = generate(Algorithm::EdDsa);
        let written = pem::decode_pkcs8(written.as_bytes()).expect("a key of ours");
        assert_eq!(written.secret_pkcs8_der().len(), first.as_ref().len(), "written in version 1");
    }

    #[test]
    fn rfc_8037_appendix_a_4_is_signed_byte_for_byte() {
        // Appendix A.1: the private key as a JWK's `d`, behind the start of a PKCS#8 key of Ed25519 (RFC 8410 §10.3).
        let mut der =
            vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
        der.extend(base64url::decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").expect("32 bytes"));
        let key = SigningKey::from_pkcs8(&der, Algorithm::EdDsa, None).expect("the key of appendix A.1");
        assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");

        let mut token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".to_owned();
        key.append_signature(&mut token).expect("a signature");
        let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        assert_eq!(token.rsplit('.').next(), Some(signature));
    }

    #[test]
    fn what_is_no_json_is_refused_and_not_signed() {
        let claims = std::collections::BTreeMap::from([(vec![1], 2)]);
        let failed = generated(Algorithm::EdDsa).sign(TokenType::AccessToken, &claims).expect_err("no JSON");
        assert!(matches!(failed, SigningFailed::Claims(_)));
    }

    #[test]
    fn debug_shows_kid_and_algorithm_alone() {
        let key = generated(Algorithm::Es256);
        assert_eq!(format!("{key:?}"), format!("SigningKey {{ kid: {:?}, algorithm: Es256, .. }}", key.kid()));
    }

    /// A PKCS#8 key of 1128 bits from two primes that everybody knows: 2^607 - 1 and 2^521 - 1.
    fn short_rsa_key() -> Vec<u8> {
        const DER: &str = concat!(
            "MIICtQIBADANBgkqhkiG9w0BAQEFAASCAp8wggKbAgEAAoGOAP______________________________________________",
            "________________________________________f_____________4AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQIDAQABAoGNKn_VgCp_1YAqf9WAKn_VgCp_1YAqf9WAKn_VgCp_",
            "1YAqf9WAKn_VgCp_1YAqf9WAKn_VgCp_1YAqf9WAKn_VgCpVVaqqVVWqqlVVqgBV_6oAVf-qAFX_qgBV_6oAVf-qAFX_qgBV",
            "_6oAVf-qAFX_qgBV_6oAVf-qAFX_qgBV_6oAVf-qAFX_qgBV_6oBAkx_________________________________________",
            "____________________________________________________________AkIB________________________________",
            "______________________________________________________8CTFVVqqpVVaqqVVWqqlVVqqpVVaqqVVWqqlVVqqpV",
            "VaqqVVWqqlVVqqpVVaqqVVWqqlVVqqpVVaqqVVWqqlVVqqpVVaqqVVWqqlVVqqkCQgGAgH9_gIB_f4CAf3-AgH9_gIB_f4CA",
            "f3-AgH9_gIB_f4CAf3-AgH9_gIB_f4CAf3-AgH9_gIB_f4CAf3-AgH9_fwJMe973ve973ve973vve973ve973ve9773ve973",
            "ve973ve-973ve973ve973vve973ve973ve9773ve973ve973ve-973ve973ve973vQ",
        );
        base64url::decode(DER).expect("base64url")
    }
}
