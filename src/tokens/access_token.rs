//! What an access token says (RFC 9068 §2.2).

use serde::Serialize;
use uuid::Uuid;

use crate::foundation::base64url;
use crate::foundation::random::{self, Random};
use crate::protocol::claims::CustomClaims;
use crate::protocol::scope::Scope;

use super::audience::Audience;

/// The claims of one access token, in the order they are written.
#[derive(Debug, Serialize)]
pub(super) struct AccessTokenClaims<'a> {
    /// Who made the token.
    pub(super) iss: &'a str,
    /// The person, or the client itself where no person took part (RFC 9068 §2.2).
    pub(super) sub: &'a str,
    /// The resources that the token is for.
    pub(super) aud: &'a Audience,
    /// The client that asked for it (RFC 8693 §4.3).
    pub(super) client_id: &'a str,
    /// When it ends, in seconds since 1970.
    pub(super) exp: u64,
    /// When it was made, in seconds since 1970.
    pub(super) iat: u64,
    /// Its own identifier.
    pub(super) jti: &'a str,
    /// What it allows.
    #[serde(skip_serializing_if = "Scope::is_empty")]
    pub(super) scope: &'a Scope,
    /// When the person signed in, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) auth_time: Option<u64>,
    /// What the configuration adds.
    #[serde(flatten)]
    pub(super) custom: CustomClaims,
}

const RANDOM_BYTES: usize = 8;

/// A new `jti`. With a grant it starts with the grant's identifier, so that introspection and revocation find the
/// grant from the token; without one, with as many random bytes.
pub(super) fn new_jti(grant: Option<Uuid>, random: &dyn Random) -> String {
    let mut bytes: [u8; 16 + RANDOM_BYTES] = random::bytes(random);
    if let Some(id) = grant {
        bytes[..16].copy_from_slice(id.as_bytes());
    }
    base64url::encode(bytes)
}
