//! The vocabulary of the RFCs as types: parsed once at the edge, then passed inward as proof. No input or output here.

#[cfg(feature = "server")]
pub mod basic_credentials;
pub mod bearer;
#[cfg(feature = "server")]
pub mod claims;
#[cfg(feature = "server")]
pub mod cookie_header;
pub mod error;
#[cfg(feature = "server")]
pub mod grant_type;
pub mod issuer;
#[cfg(feature = "server")]
pub mod language;
#[cfg(feature = "server")]
pub mod parameters;
#[cfg(feature = "server")]
pub mod pkce;
#[cfg(feature = "server")]
pub mod redirect_uri;
pub mod resource;
#[cfg(feature = "server")]
pub mod response_type;
pub mod scope;
#[cfg(feature = "server")]
pub mod server_metadata;
