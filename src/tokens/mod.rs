//! Tokens: what a client receives, and what it may exchange for more.

pub mod handle;
