//! What a reload replaces, as one: a request loads it once and keeps it to its end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use ipnet::IpNet;

use crate::authorize::request::Registrations;
use crate::clients::ClientRegistry;
use crate::clients::authentication::{AssertionVerifier, SecretVerifier};
use crate::foundation::clock::Timestamp;
use crate::foundation::fingerprints::Fingerprints;
use crate::keys::key_ring::KeyRing;
use crate::keys::sealing_ring::SealingRing;
use crate::login::password::PasswordLogin;
use crate::protocol::issuer::Issuer;
use crate::tokens::audience::ProtectedResources;
use crate::tokens::issuer::TokenIssuer;
use crate::tokens::lifetimes::Lifetimes;

use super::pages::Pages;

/// A snapshot of everything that the configuration decides.
pub struct Live {
    /// The server's name.
    pub issuer: Issuer,
    /// Who may ask.
    pub clients: ClientRegistry,
    /// Checks client secrets.
    pub secrets: SecretVerifier,
    /// Checks client assertions.
    pub assertions: AssertionVerifier,
    /// What tokens may be for.
    pub resources: ProtectedResources,
    /// What scope tokens mean, in words; by token and language.
    pub scope_descriptions: BTreeMap<String, BTreeMap<String, String>>,
    /// What people are shown.
    pub pages: Pages,
    /// The signing keys.
    pub keys: Arc<KeyRing>,
    /// Mints tokens with them.
    pub tokens: TokenIssuer,
    /// Seals codes, refresh tokens, cookies and form fields.
    pub sealing: SealingRing,
    /// Signs people in.
    pub login: PasswordLogin,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// What it says, as digests. Of settings that wait for a restart, what was there at the start.
    pub fingerprints: Fingerprints,
    /// When it was read.
    pub loaded_at: Timestamp,
    /// For how long after a grant's end an access token of it may still be shown to somebody, if it was issued under this
    /// configuration.
    pub tombstone: Duration,
    /// The scope that a token for the admin API has.
    pub admin_scope: String,
    /// Networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The metadata document (RFC 8414), rendered.
    pub metadata: Bytes,
}

impl Live {
    /// What an authorization request is judged against.
    pub const fn registrations(&self) -> Registrations<'_> {
        Registrations { clients: &self.clients, resources: &self.resources, lifetimes: &self.lifetimes }
    }
}
