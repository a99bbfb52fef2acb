//! SHA-256.

use ring::digest;

/// The length of a SHA-256 digest, in bytes.
pub const SHA256_BYTES: usize = digest::SHA256_OUTPUT_LEN;

/// The SHA-256 digest of `bytes`.
pub fn sha256(bytes: impl AsRef<[u8]>) -> [u8; SHA256_BYTES] {
    let mut out = [0; SHA256_BYTES];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes.as_ref()).as_ref());
    out
}

/// The SHA-256 digest of bytes that come one after the other.
#[derive(Clone)]
pub struct Sha256(digest::Context);

impl Sha256 {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    /// Adds bytes at the end.
    pub fn update(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.update(bytes.as_ref());
    }

    /// The digest of all that was added.
    pub fn finish(self) -> [u8; SHA256_BYTES] {
        let mut out = [0; SHA256_BYTES];
        out.copy_from_slice(self.0.finish().as_ref());
        out
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_parts_are_cut_makes_no_difference() {
        let mut parts = Sha256::new();
        for part in ["", "a", "bc"] {
            parts.update(part);
        }
        assert_eq!(parts.finish(), sha256("abc"));
    }
}
