//! The algorithms that we sign with, under their JOSE names (RFC 7518 §3.1, RFC 8037 §3.1).
//!
//! All are asymmetric: a verifier holds nothing with which it could sign. There is no `none`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A signature algorithm of this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// `ES256`: ECDSA with P-256 and SHA-256 (RFC 7518 §3.4).
    Es256,
    /// `RS256`: RSASSA-PKCS1-v1_5 with SHA-256, keys of 2048 bits and up (RFC 7518 §3.3).
    Rs256,
    /// `EdDSA` with Ed25519 (RFC 8037 §3.1).
    EdDsa,
}

/// The text names no algorithm of this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such signature algorithm: there are ES256, RS256 and EdDSA")]
pub struct UnknownAlgorithm;

impl Algorithm {
    /// Every algorithm that the server has.
    pub const ALL: [Self; 3] = [Self::Es256, Self::Rs256, Self::EdDsa];

    /// The name as it stands in `alg`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    /// Reads the name, which is case-sensitive (RFC 7515 §4.1.1).
    fn from_str(text: &str) -> Result<Self, UnknownAlgorithm> {
        Self::ALL.into_iter().find(|known| known.as_str() == text).ok_or(UnknownAlgorithm)
    }
}

impl Serialize for Algorithm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Algorithm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// Whether `alg` may say so of a key for `algorithm`. `Ed25519` is what RFC 9864 §2.2 calls `EdDSA` with that curve.
pub(super) fn is_named(algorithm: Algorithm, alg: &str) -> bool {
    alg == algorithm.as_str() || (algorithm == Algorithm::EdDsa && alg == "Ed25519")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_reads_its_own_name_and_no_other_spelling() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
            let json = serde_json::to_string(&algorithm).expect("a string");
            assert_eq!(serde_json::from_str::<Algorithm>(&json).expect("its own name"), algorithm);
        }
        for text in ["none", "None", "HS256", "es256", "ES384", "EDDSA", "Ed25519", ""] {
            assert_eq!(text.parse::<Algorithm>(), Err(UnknownAlgorithm), "{text:?}");
        }
    }
}
