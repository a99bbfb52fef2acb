//! Remembers which argon2id secrets have been verified, so that a machine which sends its own at every request pays
//! for one slow hash and not for thousands.
//!
//! Only a keyed digest is kept, and only of what was right: nobody fills the memory without the secrets themselves.
//! It lives as long as the configuration it was made for, so a reload starts an empty one.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::keyed_digest::{KEYED_DIGEST_BYTES, KeyedDigest};
use super::network::Network;
use super::password_hash::{Password, PasswordHash};
use super::random::Random;
use super::slow_hash::{Busy, SlowHash};

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

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::num::NonZeroUsize;

    use super::super::password_hash::Cost;
    use super::super::random::OsRandom;
    use super::super::slow_hash::PoolSize;
    use super::*;

    fn secret(text: &str) -> Password {
        Password::new(text).expect("a secret")
    }

    #[test]
    fn a_secret_that_was_right_is_hashed_once_and_a_wrong_one_each_time() {
        let slow_hash = SlowHash::new(PoolSize { running: NonZeroUsize::MIN, waiting: 0 });
        let verified = VerifiedSecrets::new(&OsRandom);
        let hash = PasswordHash::hash_blocking(&secret("right"), Cost::CHEAPEST, &OsRandom);
        let other = PasswordHash::hash_blocking(&secret("other"), Cost::CHEAPEST, &OsRandom);
        let network = IpAddr::from([192, 0, 2, 1]).into();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let is_right = |text, hash| runtime.block_on(verified.verify(&slow_hash, network, secret(text), hash));

        for (text, hash, verdict, computed) in [
            ("right", &hash, true, 1),
            ("right", &hash, true, 1),
            ("wrong", &hash, false, 2),
            ("wrong", &hash, false, 3),
            // Right for one client is not right for another.
            ("right", &other, false, 4),
        ] {
            assert_eq!(is_right(text, hash), Ok(verdict));
            assert_eq!(slow_hash.computed(), computed, "{text}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let verified = VerifiedSecrets::new(&OsRandom);
        for number in 0..3000_u64 {
            verified.remember(verified.digest.of(&[&number.to_be_bytes()]));
            assert!(verified.known().len() <= CAPACITY);
        }
    }
}
