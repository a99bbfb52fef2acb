//! Jotsmith, an OAuth 2.0 authorization server in one binary.
//!
//! **Sign what can be signed; store only what must be taken back.** Access tokens are signed and not stored: resource
//! servers verify them offline with the published key set. So a request for one touches no disk.
//!
//! # The house
//!
//! Folders are protocol nouns, files are protocol rules: a rule is found by its file's name. A port (a trait) lives with
//! the concept that needs it, its backend in `store`. HTTP is a thin skin: no grant type sees a request object, a
//! database or a key.
//!
//! | room | what is in it |
//! |---|---|
//! | [`cli`] | one file a command |
//! | [`demo`] | the client of `jotsmith demo`, on a loopback port of its own |
//! | [`startup`] | settings become keys, a live snapshot and a running server; reload |
//! | [`http`] | the route table, the endpoints, errors on the wire |
//! | [`store`] | codes, grants and early ends on disk: one committer, one sync for all that wait |
//! | [`config`] | layers, files and variables; reads, and judges by calling the domain's own constructors |
//! | [`resource_server`] | the other side: an API that verifies access tokens offline |
//! | [`telemetry`] | logs and the span around every request |
//! | [`grant_types`] | one file a grant type, and the list of them |
//! | [`authorize`] | the authorization endpoint's rules: request, login and consent, code, answer |
//! | [`tokens`] | what a token says, who it is for, how long it lives, and the one place that mints it |
//! | [`clients`] | registrations, and how a client proves who it is |
//! | [`login`] | people: who may sign in, how often they may try, how long they stay signed in |
//! | [`keys`] | signing keys, when each works, the published set, and the verification of what comes in |
//! | [`protocol`] | the RFCs' vocabulary as types; no input or output |
//! | [`foundation`] | time, randomness, digests, secrets |
//!
//! # Only the other side
//!
//! An API needs nothing of the server: with `default-features = false` and the feature `resource-server` (or `actix`, which
//! adds the extractors for actix-web) there are [`resource_server`] and what stands below it.
//!
//! # The import rule
//!
//! A room imports only rooms that stand to its right; rooms between braces never import each other. Each outside crate
//! has one home. `tests/architecture.rs` holds both.
//!
//! ```text
//! main -> cli -> demo -> startup -> { http | store | config | telemetry | resource_server } -> grant_types
//!      -> { authorize | device } -> tokens -> clients -> { login | proof_of_possession } -> { keys | outbound }
//!      -> protocol -> foundation
//! ```
//!
//! # A walk
//!
//! A request for client credentials goes only downward, and the answer comes back the same way:
//! `http/token` → `clients/authentication` → `grant_types/client_credentials` → `tokens/issuer` → `keys/key_ring`.

#[cfg(feature = "server")]
pub mod authorize;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod clients;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
pub mod demo;
pub mod foundation;
#[cfg(feature = "server")]
pub mod grant_types;
#[cfg(feature = "server")]
pub mod http;
pub mod keys;
#[cfg(feature = "server")]
pub mod login;
pub mod protocol;
#[cfg(feature = "resource-server")]
pub mod resource_server;
#[cfg(feature = "server")]
pub mod startup;
#[cfg(feature = "server")]
pub mod store;
#[cfg(feature = "server")]
pub mod telemetry;
#[cfg(feature = "server")]
pub mod tokens;
