//! Tokens: what one says, who it is for, how long it lives, what stands behind it, and the one place that mints it.

pub mod access_token;
pub mod audience;
pub mod grant;
pub mod granted_scope;
pub mod handle;
pub mod introspection;
pub mod issuer;
pub mod lifetimes;
pub mod presented_token;
pub mod refresh_rotation;
pub mod response;
pub mod revocation;
pub mod store;
