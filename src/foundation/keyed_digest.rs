//! Digests that mean nothing outside this process: what must be recognised again, and not be readable in memory.

use std::fmt;

use ring::hmac;

use super::random::{self, Random};

/// The length of a keyed digest, in bytes.
pub const KEYED_DIGEST_BYTES: usize = 32;

/// HMAC-SHA-256 (RFC 2104) under a random key that is made here and never leaves.
pub struct KeyedDigest(hmac::Key);

impl KeyedDigest {
    /// With a new key from `random`.
    pub fn new(random: &dyn Random) -> Self {
        let key = zeroize::Zeroizing::new(random::bytes::<KEYED_DIGEST_BYTES>(random));
        Self(hmac::Key::new(hmac::HMAC_SHA256, &*key))
    }

    /// The digest of `parts` as a list: `["ab", "c"]` and `["a", "bc"]` differ.
    pub fn of(&self, parts: &[&[u8]]) -> [u8; KEYED_DIGEST_BYTES] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut out = [0; KEYED_DIGEST_BYTES];
        out.copy_from_slice(context.sign().as_ref());
        out
    }
}

impl fmt::Debug for KeyedDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedDigest").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::OsRandom;
    use super::*;

    #[test]
    fn where_one_part_ends_makes_a_difference() {
        let digest = KeyedDigest::new(&OsRandom);
        assert_eq!(digest.of(&[b"ab", b"c"]), digest.of(&[b"ab", b"c"]));
        assert_ne!(digest.of(&[b"ab", b"c"]), digest.of(&[b"a", b"bc"]));
    }

    #[test]
    fn another_key_gives_another_digest() {
        assert_ne!(KeyedDigest::new(&OsRandom).of(&[b"a"]), KeyedDigest::new(&OsRandom).of(&[b"a"]));
    }
}
