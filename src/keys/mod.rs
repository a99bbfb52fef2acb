//! Keys: which of them works when, where they lie, and what is signed, verified and sealed with them.

pub mod algorithm;
pub mod csrf;
pub mod history;
pub mod jwk;
pub mod jwks;
pub mod jws;
pub mod key_files;
pub mod key_ring;
pub mod pem;
pub mod registered_keys;
pub mod rotation;
pub mod schedule;
pub mod sealed_value;
pub mod sealing_files;
pub mod sealing_ring;
pub mod signer;
pub mod signing_key;
pub mod store;
pub mod token_type;
