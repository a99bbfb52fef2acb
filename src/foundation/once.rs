//! The port for what may be shown once: a store remembers its digest, and nothing of what it was.

use super::clock::Timestamp;
use super::digest::SHA256_BYTES;
use super::storage::Stored;

/// Whether something was shown before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remembered {
    /// It was not; from now on it was.
    Now,
    /// It was, and is to be refused.
    Before,
}

/// A store of what may be shown once.
pub trait OnceStore: Send + Sync {
    /// Remembers a digest until `until`, in one atomic step: of any number of callers with one digest, one is told
    /// [`Remembered::Now`]. What was remembered until a time that has come at `now` is forgotten.
    fn remember_once(&self, digest: [u8; SHA256_BYTES], until: Timestamp, now: Timestamp) -> Stored<'_, Remembered>;
}
