//! What a reload replaces, as one: a request loads it once and keeps it to its end.

use std::sync::Arc;

use actix_web::web::Bytes;
use ipnet::IpNet;

use crate::clients::ClientRegistry;
use crate::clients::authentication::SecretVerifier;
use crate::keys::key_ring::KeyRing;
use crate::tokens::audience::ProtectedResources;
use crate::tokens::issuer::TokenIssuer;

/// A snapshot of everything that the configuration decides.
pub struct Live {
    /// Who may ask.
    pub clients: ClientRegistry,
    /// Checks client secrets.
    pub secrets: SecretVerifier,
    /// What tokens may be for.
    pub resources: ProtectedResources,
    /// The signing keys.
    pub keys: Arc<KeyRing>,
    /// Mints tokens with them.
    pub issuer: TokenIssuer,
    /// Networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The metadata document (RFC 8414), rendered.
    pub metadata: Bytes,
}
