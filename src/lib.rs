//! Jotsmith, an OAuth 2.0 authorization server.
//!
//! **Sign what can be signed; store only what must be taken back.**

pub mod foundation;
pub mod keys;
pub mod protocol;
pub mod tokens;
