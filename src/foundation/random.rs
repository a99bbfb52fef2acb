//! Unpredictable bytes, from a source that a test may replace.

use std::cell::RefCell;

use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroize as _;

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

/// The random source of the operating system, asked for 512 bytes at a time: each thread keeps what nobody has
/// taken yet, for a call of the system takes longer than most of what the bytes are for. What was taken is wiped.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandom;

/// How many bytes a thread takes from the operating system at once.
const RESERVE: usize = 512;

thread_local! {
    static UNUSED: RefCell<Unused> = const { RefCell::new(Unused { bytes: [0; RESERVE], left: 0 }) };
}

/// Random bytes that nobody has had; the first `left` ones are.
struct Unused {
    bytes: [u8; RESERVE],
    left: usize,
}

impl Unused {
    /// Moves bytes out, once each.
    fn take(&mut self, out: &mut [u8]) {
        if self.left < out.len() {
            fill_from_system(&mut self.bytes);
            self.left = RESERVE;
        }
        let rest = self.left - out.len();
        let taken = &mut self.bytes[rest..self.left];
        out.copy_from_slice(taken);
        taken.zeroize();
        self.left = rest;
    }
}

impl Random for OsRandom {
    fn fill(&self, bytes: &mut [u8]) {
        if bytes.len() > RESERVE {
            return fill_from_system(bytes);
        }
        UNUSED.with_borrow_mut(|unused| unused.take(bytes));
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks the operating system for randomness")]
fn fill_from_system(bytes: &mut [u8]) {
    SystemRandom::new().fill(bytes).expect("the operating system gives random bytes");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_bytes_are_given_twice_whatever_is_asked_for() {
        let mut given = BTreeSet::new();
        for length in [16, 500, 512, 17, 513, 2000, 16].into_iter().cycle().take(700) {
            let mut bytes = vec![0; length];
            OsRandom.fill(&mut bytes);
            for piece in bytes.chunks_exact(8) {
                assert!(given.insert(piece.to_vec()), "{length}");
            }
        }
    }

    #[test]
    fn what_was_taken_is_wiped() {
        let mut unused = Unused { bytes: [0; RESERVE], left: 0 };
        let mut out = [0; 100];
        unused.take(&mut out);
        assert_ne!(out, [0; 100]);
        assert_eq!((unused.left, &unused.bytes[RESERVE - 100..]), (RESERVE - 100, &[0; 100][..]));
        assert_ne!(unused.bytes[..100], [0; 100]);
    }

    #[test]
    fn threads_have_different_bytes() {
        let bytes = || bytes::<32>(&OsRandom);
        let other = std::thread::spawn(bytes).join().expect("no panic");
        assert_ne!(bytes(), other);
    }
}
