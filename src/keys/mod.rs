//! Keys: which of them works when, where they lie, and what is signed, verified and sealed with them.

pub mod algorithm;
#[cfg(feature = "server")]
pub mod csrf;
#[cfg(feature = "server")]
pub mod history;
pub mod jwk;
#[cfg(feature = "server")]
pub mod jwks;
pub mod jws;
#[cfg(test)]
mod jws_vectors;
#[cfg(feature = "server")]
pub mod key_files;
#[cfg(feature = "server")]
pub mod key_ring;
#[cfg(feature = "server")]
pub mod pem;
#[cfg(feature = "server")]
pub mod registered_keys;
#[cfg(feature = "server")]
pub mod rotation;
#[cfg(feature = "server")]
pub mod schedule;
#[cfg(feature = "server")]
pub mod sealed_value;
#[cfg(feature = "server")]
pub mod sealing_files;
#[cfg(feature = "server")]
pub mod sealing_ring;
#[cfg(feature = "server")]
pub mod signer;
#[cfg(feature = "server")]
pub mod signing_key;
#[cfg(feature = "server")]
pub mod store;
pub mod token_type;
