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
