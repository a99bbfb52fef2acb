//! What every other room stands on: time, randomness, identifiers, digests and secrets.
//!
//! Imports nothing of ours. Time and randomness are traits, so that a test decides both; `clippy.toml` forbids
//! reading either anywhere else.

pub mod base64url;
pub mod clock;
#[cfg(feature = "server")]
pub mod digest;
#[cfg(feature = "server")]
pub mod duration;
#[cfg(feature = "server")]
pub mod fingerprints;
#[cfg(feature = "server")]
pub mod id;
#[cfg(feature = "server")]
pub mod keyed_digest;
#[cfg(feature = "server")]
pub mod network;
#[cfg(feature = "server")]
pub mod once;
#[cfg(feature = "server")]
pub mod password_hash;
#[cfg(feature = "server")]
pub mod random;
#[cfg(feature = "server")]
pub mod request_scope;
#[cfg(feature = "server")]
pub mod sealing;
#[cfg(feature = "server")]
pub mod secret;
#[cfg(feature = "server")]
pub mod slow_hash;
pub mod storage;
#[cfg(feature = "server")]
pub mod verified_secrets;
