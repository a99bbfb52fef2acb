//! The vocabulary of the RFCs as types: parsed once at the edge, then passed inward as proof. No input or output here.

pub mod basic_credentials;
pub mod claims;
pub mod cookie_header;
pub mod error;
pub mod grant_type;
pub mod issuer;
pub mod parameters;
pub mod pkce;
pub mod redirect_uri;
pub mod resource;
pub mod response_type;
pub mod scope;
pub mod server_metadata;
