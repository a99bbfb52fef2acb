//! Proof Key for Code Exchange (RFC 7636): a code is redeemed only by whoever began the flow.
//!
//! `S256` alone. `plain` is refused, also where it is meant by leaving out the method (§4.3): whoever reads the
//! authorization request could redeem the code (RFC 9700 §2.1.1).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::foundation::base64url;
use crate::foundation::digest::{SHA256_BYTES, sha256};
use crate::foundation::secret::{ExposeSecret as _, SecretString, is_equal};

use super::error::{ErrorCode, OAuthError};

/// The one `code_challenge_method` of this server, as `code_challenge_methods_supported` says (RFC 8414 §2).
pub const S256: &str = "S256";

/// The SHA-256 digest of a verifier that only the client has (RFC 7636 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CodeChallenge([u8; SHA256_BYTES]);

/// What a client proves with that it began the flow (RFC 7636 §4.1). `Debug` does not show it.
pub struct CodeVerifier(SecretString);

/// Why a challenge or a verifier is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPkce {
    /// A challenge without a method, which means `plain` (RFC 7636 §4.3).
    #[error("code_challenge_method is missing, which means plain")]
    MethodMissing,
    /// A method other than `S256`.
    #[error("code_challenge_method is not S256")]
    Method,
    /// A method without a challenge: something was lost on the way.
    #[error("code_challenge_method without code_challenge")]
    ChallengeMissing,
    /// The challenge is not the 43 characters of a SHA-256 digest.
    #[error("code_challenge is not a SHA-256 digest in base64url")]
    Challenge,
    /// The verifier is not 43 to 128 unreserved characters.
    #[error("code_verifier is malformed")]
    Verifier,
}

impl From<InvalidPkce> for OAuthError {
    fn from(reason: InvalidPkce) -> Self {
        // RFC 7636 §4.4.1: a transformation that the server does not support is invalid_request.
        let description = match reason {
            InvalidPkce::MethodMissing | InvalidPkce::Method => "The code_challenge_method must be S256.",
            InvalidPkce::ChallengeMissing => "There is a code_challenge_method but no code_challenge.",
            InvalidPkce::Challenge => "The code_challenge must be a SHA-256 digest in base64url without padding.",
            InvalidPkce::Verifier => "The code_verifier must be 43 to 128 unreserved characters.",
        };
        Self::new(ErrorCode::InvalidRequest, description).because(reason)
    }
}

impl CodeChallenge {
    /// Reads `code_challenge` and `code_challenge_method`; `None` where neither was sent.
    pub fn parse(challenge: Option<&str>, method: Option<&str>) -> Result<Option<Self>, InvalidPkce> {
        match (challenge, method) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(InvalidPkce::ChallengeMissing),
            (Some(_), None) => Err(InvalidPkce::MethodMissing),
            (Some(challenge), Some(S256)) => {
                let digest = base64url::decode(challenge).map_err(|_| InvalidPkce::Challenge)?;
                Ok(Some(Self(digest.try_into().map_err(|_| InvalidPkce::Challenge)?)))
            }
            (Some(_), Some(_)) => Err(InvalidPkce::Method),
        }
    }

    /// Whether this is the challenge of `verifier`, compared in constant time.
    pub fn verify(&self, verifier: &CodeVerifier) -> bool {
        // RFC 7636 §4.6: hash first, then compare.
        is_equal(&sha256(verifier.0.expose_secret()), &self.0)
    }
}

impl fmt::Display for CodeChallenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(self.0))
    }
}

impl CodeVerifier {
    /// Reads `code_verifier`: 43 to 128 unreserved characters (RFC 7636 §4.1).
    pub fn parse(text: &str) -> Result<Self, InvalidPkce> {
        let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        if (43..=128).contains(&text.len()) && text.bytes().all(is_unreserved) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidPkce::Verifier)
        }
    }
}

impl fmt::Debug for CodeVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeVerifier")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 7636 appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn verifier(text: &str) -> CodeVerifier {
        CodeVerifier::parse(text).expect("a valid verifier")
    }

    #[test]
    fn the_example_of_rfc_7636_appendix_b_verifies() {
        let challenge = CodeChallenge::parse(Some(CHALLENGE), Some("S256")).expect("valid").expect("sent");
        assert!(challenge.verify(&verifier(VERIFIER)));
        assert!(!challenge.verify(&verifier(CHALLENGE)));
        assert_eq!(challenge.to_string(), CHALLENGE);
    }

    #[test]
    fn only_s256_is_a_method_and_none_at_all_means_plain() {
        assert_eq!(CodeChallenge::parse(None, None), Ok(None));
        assert_eq!(CodeChallenge::parse(Some(CHALLENGE), None), Err(InvalidPkce::MethodMissing));
        assert_eq!(CodeChallenge::parse(None, Some("S256")), Err(InvalidPkce::ChallengeMissing));
        for method in ["plain", "s256", "S512", " S256"] {
            assert_eq!(CodeChallenge::parse(Some(CHALLENGE), Some(method)), Err(InvalidPkce::Method), "{method}");
        }
    }

    #[test]
    fn a_challenge_is_the_one_spelling_of_32_bytes() {
        let padded = format!("{CHALLENGE}=");
        let standard_alphabet = CHALLENGE.replace('-', "+");
        let trailing_bits = CHALLENGE.replace("-cM", "-cN");
        for challenge in [&padded, &standard_alphabet, &trailing_bits, &CHALLENGE[1..], "E9Me"] {
            let refused = CodeChallenge::parse(Some(challenge), Some("S256"));
            assert_eq!(refused, Err(InvalidPkce::Challenge), "{challenge}");
        }
    }

    #[test]
    fn a_verifier_is_43_to_128_unreserved_characters() {
        for length in [43, 128] {
            assert!(CodeVerifier::parse(&"~".repeat(length)).is_ok());
        }
        for text in ["", &"a".repeat(42), &"a".repeat(129), &format!("{}+", &VERIFIER[1..]), &"ä".repeat(43)] {
            assert_eq!(CodeVerifier::parse(text).err(), Some(InvalidPkce::Verifier), "{text}");
        }
    }

    #[test]
    fn debug_shows_no_verifier() {
        assert_eq!(format!("{:?}", verifier(VERIFIER)), "CodeVerifier");
    }
}
