//! Unpredictable bytes, from a source that a test may replace.

use ring::rand::{SecureRandom as _, SystemRandom};

/// Gives unpredictable bytes. The only way our code gets any.
pub trait Random: Send + Sync {
    /// Fills `bytes` from the source.
    ///
    /// # Panics
    /// When the source has none to give: a server without randomness must not go on.
    fn fill(&self, bytes: &mut [u8]);
}

/// `N` bytes from `random`.
pub fn bytes<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut out = [0; N];
    random.fill(&mut out);
    out
}

/// The random source of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the operating system for randomness")]
    fn fill(&self, bytes: &mut [u8]) {
        SystemRandom::new().fill(bytes).expect("the operating system gives random bytes");
    }
}
