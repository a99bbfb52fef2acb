//! The authorization endpoint's rules (RFC 6749 §3.1, §4.1 and §4.2), without its pages: what a request says, what a person
//! must still do, and the answer.

mod answer_mode;
pub mod code;
pub mod consent;
#[cfg(test)]
mod fixture;
pub mod interaction;
pub mod pending;
mod permission;
pub mod prompt;
pub mod request;
pub mod response;
pub mod store;
