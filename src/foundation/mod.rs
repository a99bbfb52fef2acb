//! What every other room stands on: time, randomness, identifiers, digests and secrets.
//!
//! Imports nothing of ours. Time and randomness are traits, so that a test decides both; `clippy.toml` forbids
//! reading either anywhere else.

pub mod base64url;
pub mod clock;
pub mod digest;
pub mod duration;
pub mod fingerprints;
pub mod id;
pub mod keyed_digest;
pub mod network;
pub mod once;
pub mod password_hash;
pub mod random;
pub mod sealing;
pub mod secret;
pub mod slow_hash;
pub mod storage;
pub mod verified_secrets;
