//! Clients (RFC 6749 §2): what a registration says, who is registered, and how one proves who it is.

pub mod appearance;
pub mod authentication;
mod authorization;
mod client;
mod metadata;
mod registry;
mod secret_hash;

pub use authorization::{AuthorizationSettings, InvalidAuthorizationSettings};
pub use client::{AssertionKeys, AuthenticationMethod, Client, ClientId, InvalidClient};
pub use metadata::ClientMetadata;
pub use registry::{ClientRegistry, DuplicateClient};
pub use secret_hash::{ClientSecretHash, InvalidSecretHash};
