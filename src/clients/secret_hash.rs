//! Client secrets as they are kept: a hash, never the secret.
//!
//! A generated secret has 256 bits of randomness, so that one SHA-256 is as good as a slow hash and costs a request
//! nothing. A secret that a person chose can be guessed, so it gets argon2id.

use std::fmt;

use crate::foundation::digest::{self, SHA256_BYTES};
use crate::foundation::password_hash::{InvalidPasswordHash, PasswordHash};
use crate::foundation::{base64url, secret};

const SHA256_PREFIX: &str = "sha256:";

/// The hash of one client secret.
#[derive(Clone)]
pub enum ClientSecretHash {
    /// `sha256:` and base64url: of a secret that `jotsmith client new` made.
    Sha256([u8; SHA256_BYTES]),
    /// A PHC string: of a secret that a person chose.
    Argon2id(PasswordHash),
}

/// Why a text is not the hash of a client secret. Never holds the text: somebody may have written the secret there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecretHash {
    /// Neither of the two forms.
    #[error(
        "a client secret is written as a hash: sha256:... from `jotsmith client new`, or $argon2id$... from `jotsmith client hash-secret`"
    )]
    UnknownForm,
    /// What follows `sha256:` is not 32 bytes in base64url.
    #[error("what follows sha256: is not 32 bytes in base64url without padding")]
    BadSha256,
    /// The PHC string is malformed or out of bounds.
    #[error(transparent)]
    BadArgon2id(#[from] InvalidPasswordHash),
}

impl ClientSecretHash {
    /// Reads either form.
    pub fn parse(text: &str) -> Result<Self, InvalidSecretHash> {
        if let Some(encoded) = text.strip_prefix(SHA256_PREFIX) {
            let bytes = base64url::decode(encoded).map_err(|_| InvalidSecretHash::BadSha256)?;
            return bytes.try_into().map(Self::Sha256).map_err(|_| InvalidSecretHash::BadSha256);
        }
        if text.starts_with("$argon2") {
            return Ok(Self::Argon2id(PasswordHash::parse(text)?));
        }
        Err(InvalidSecretHash::UnknownForm)
    }

    /// The hash of a generated secret, as it is written in a client's entry.
    pub fn of_generated(secret: &[u8]) -> String {
        format!("{SHA256_PREFIX}{}", base64url::encode(digest::sha256(secret)))
    }

    /// Whether this is the SHA-256 of `presented`; always false for the other form.
    pub fn is_sha256_of(&self, presented: &[u8; SHA256_BYTES]) -> bool {
        match self {
            Self::Sha256(hash) => secret::is_equal(hash, presented),
            Self::Argon2id(_) => false,
        }
    }
}

impl fmt::Debug for ClientSecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha256(_) => "Sha256(..)",
            Self::Argon2id(_) => "Argon2id(..)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_secret_is_recognised_and_another_is_not() {
        let hash = ClientSecretHash::parse(&ClientSecretHash::of_generated(b"one")).expect("a valid hash");
        assert!(hash.is_sha256_of(&digest::sha256("one")));
        assert!(!hash.is_sha256_of(&digest::sha256("two")));
    }

    #[test]
    fn a_secret_in_clear_is_refused_and_not_repeated_in_the_error() {
        for text in
            ["hunter2", "sha256:hunter2", "$argon2id$hunter2", "$argon2i$v=19$m=8,t=1,p=1$hunter2hunter2$hunter2"]
        {
            let error = ClientSecretHash::parse(text).expect_err("no hash");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
