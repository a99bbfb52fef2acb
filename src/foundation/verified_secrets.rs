//! Remembers which argon2id secrets have been verified, so that a machine which sends its own at every request pays
//! for one slow hash and not for thousands.
//!
//! Only a keyed digest is kept, and only of what was right: nobody fills the memory without the secrets themselves.
//! It lives as long as the configuration it was made for, so a reload starts an empty one.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::keyed_digest::{KEYED_DIGEST_BYTES, KeyedDigest};
use super::network::Network;
use super::random::Random;
use super::slow_hash::{Busy, Password, PasswordHash, SlowHash};

/// How many are remembered: 32 KiB of digests.
const CAPACITY: usize = 1024;

/// The argon2id secrets that were right since the configuration was read.
#[derive(Debug)]
pub struct VerifiedSecrets {
    digest: KeyedDigest,
    known: Mutex<HashSet<[u8; KEYED_DIGEST_BYTES]>>,
}

impl VerifiedSecrets {
    /// Remembers nothing yet, under a new key.
    pub fn new(random: &dyn Random) -> Self {
        Self { digest: KeyedDigest::new(random), known: Mutex::default() }
    }

    /// Whether `hash` is a hash of `secret`: from memory if it was verified before, else by `slow_hash`.
    pub async fn verify(
        &self,
        slow_hash: &SlowHash,
        network: Network,
        secret: Password,
        hash: &PasswordHash,
    ) -> Result<bool, Busy> {
        let digest = self.digest.of(&[&hash.digest(), secret.expose()]);
        if self.known().contains(&digest) {
            return Ok(true);
        }
        let is_right = slow_hash.verify(network, secret, hash).await?;
        if is_right {
            self.remember(digest);
        }
        Ok(is_right)
    }

    fn remember(&self, digest: [u8; KEYED_DIGEST_BYTES]) {
        let mut known = self.known();
        if known.len() >= CAPACITY {
            // So many hand-made secrets are rare; then each is verified once more now and again.
            known.clear();
        }
        known.insert(digest);
    }

    fn known(&self) -> MutexGuard<'_, HashSet<[u8; KEYED_DIGEST_BYTES]>> {
        // Nothing panics while holding it, and a set of digests has no half-made state.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
