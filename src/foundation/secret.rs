//! Values that must not be seen: kept out of `Debug`, wiped when dropped, compared in constant time.

pub use secrecy::{ExposeSecret, SecretBox, SecretString};
use subtle::ConstantTimeEq as _;

/// Whether two byte strings are equal, in a time that depends on their lengths alone.
pub fn is_equal(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}
