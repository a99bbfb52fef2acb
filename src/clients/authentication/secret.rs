//! Client secrets (RFC 6749 §2.3.1): which of the client's live hashes the presented secret fits.

use crate::foundation::digest;
use crate::foundation::network::Network;
use crate::foundation::password_hash::Password;
use crate::foundation::random::Random;
use crate::foundation::secret::{ExposeSecret as _, SecretString};
use crate::foundation::slow_hash::SlowHash;
use crate::foundation::verified_secrets::VerifiedSecrets;

use crate::clients::secret_hash::ClientSecretHash;

use super::ClientRejected;

/// Checks client secrets. Belongs to one configuration: what it remembers ends with it.
#[derive(Debug)]
pub struct SecretVerifier {
    slow_hash: SlowHash,
    verified: VerifiedSecrets,
}

impl SecretVerifier {
    /// A verifier that remembers nothing yet and sends argon2id to `slow_hash`.
    pub fn new(slow_hash: SlowHash, random: &dyn Random) -> Self {
        Self { slow_hash, verified: VerifiedSecrets::new(random) }
    }

    /// Whether `presented` fits one of `hashes`; `network` is where the request comes from.
    pub(super) async fn verify(
        &self,
        presented: &SecretString,
        hashes: &[ClientSecretHash],
        network: Network,
    ) -> Result<bool, ClientRejected> {
        let secret = presented.expose_secret().as_bytes();
        let digest = digest::sha256(secret);
        // Every hash is looked at, so that the time does not tell which of two live secrets it was.
        let is_known = hashes.iter().fold(false, |known, hash| known | hash.is_sha256_of(&digest));
        if is_known {
            return Ok(true);
        }
        for hash in hashes {
            let ClientSecretHash::Argon2id(hash) = hash else { continue };
            // Too long to be hashed, so it cannot be right.
            let Ok(password) = Password::new(secret) else { return Ok(false) };
            let verdict = Box::pin(self.verified.verify(&self.slow_hash, network, password, hash)).await;
            if verdict.map_err(|busy| ClientRejected::Busy { retry_after: busy.retry_after })? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
