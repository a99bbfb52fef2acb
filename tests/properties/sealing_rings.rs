//! What the properties of everything sealed stand on: rings of random keys.

use std::time::Duration;

use jotsmith::foundation::clock::Timestamp;
use jotsmith::foundation::sealing::{KEY_BYTES, SealingKey};
use jotsmith::keys::schedule::{Lifecycle, Scheduled};
use jotsmith::keys::sealing_ring::SealingRing;
use jotsmith::protocol::issuer::Issuer;

/// The bytes of a sealing key.
pub(crate) type KeyBytes = [u8; KEY_BYTES];

/// The issuer of the rings that are not about issuers.
pub(crate) const ISSUER: &str = "https://login.example.com";

/// When the rings are made, and when most things are sealed.
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// The ring of an issuer, whose keys follow each other: the first seals since ever, the others from the instants given.
pub(crate) fn ring(issuer: &str, first: &KeyBytes, successors: &[(Timestamp, KeyBytes)]) -> SealingRing {
    let issuer = Issuer::parse(issuer).expect("a valid issuer");
    let scheduled = |name: String, sign_from, bytes| Scheduled {
        name,
        lifecycle: Lifecycle { sign_from, ..Lifecycle::default() },
        key: SealingKey::new(bytes),
    };
    let mut keys = vec![scheduled("first".to_owned(), None, first)];
    for (sign_from, bytes) in successors {
        keys.push(scheduled(sign_from.to_string(), Some(*sign_from), bytes));
    }
    SealingRing::new(&issuer, keys, NOW).expect("a schedule without gaps")
}

/// The ring of one key.
pub(crate) fn ring_of(key: &KeyBytes) -> SealingRing {
    ring(ISSUER, key, &[])
}

/// An instant at most a year after `start`, and after it at all.
pub(crate) fn later(start: Timestamp, seconds: u32) -> Timestamp {
    start + Duration::from_secs(u64::from(seconds % 31_536_000) + 1)
}

/// Every text that differs from `bytes` in one bit.
pub(crate) fn with_one_bit_flipped(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}
