//! The other side: an API that verifies access tokens offline (RFC 6749 §7, RFC 9068 §4).
//!
//! A [`Verifier`] knows one issuer and one audience. It fetches the issuer's key set, keeps it for as long as the issuer
//! says, and verifies every token without asking anybody. It has no lock on the way of a request, and parses no key
//! there. With the feature `actix`, [`actix`] has extractors for actix-web: a handler that takes an
//! [`Authorized`](actix::Authorized) runs only for a good token that has the scope. Everybody else gets the answer of
//! RFC 6750 §3.
//!
//! In `Cargo.toml` an API needs this and nothing of the server:
//!
//! ```toml
//! jotsmith = { version = "0.1", default-features = false, features = ["actix"] }
//! ```
//!
//! ```no_run
//! use jotsmith::resource_server::Verifier;
//!
//! # async fn f(token: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let verifier = Verifier::builder("https://login.example.com", "https://api.example.com").build()?;
//! let token = verifier.verify(token).await?;
//! println!("{} may {}", token.subject(), token.scope());
//! # Ok(())
//! # }
//! ```

mod access_token;
#[cfg(feature = "actix")]
pub mod actix;
mod bearer;
mod freshness;
mod http_fetcher;
mod key_cache;
mod key_location;
mod protected_resource;
#[cfg(test)]
mod scripted;
mod verifier;

pub use access_token::AccessToken;
pub use bearer::{Denial, Presented, WwwAuthenticate, presented_token};
pub use http_fetcher::{Fetch, FetchAnswer, FetchFailed, FetchRequest, Fetching, HttpFetcher};
pub use protected_resource::{InvalidProtectedResource, ProtectedResource};
pub use verifier::{InvalidVerifier, TokenRefused, Verifier, VerifierBuilder, VerifyError};

pub use crate::foundation::clock::{Clock, SystemClock, Timestamp};
pub use crate::keys::algorithm::Algorithm;
pub use crate::keys::jws::JwsRefused;
pub use crate::protocol::scope::Scope;
