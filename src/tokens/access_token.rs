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

const UUID_BYTES: usize = size_of::<Uuid>();

/// A new `jti`. With a grant it starts with the grant's identifier, so that introspection and revocation find the
/// grant from the token; without one, with a random UUID, whose version tells it from a grant's.
pub(super) fn new_jti(grant: Option<Uuid>, random: &dyn Random) -> String {
    let mut bytes: [u8; UUID_BYTES + RANDOM_BYTES] = random::bytes(random);
    let id = grant.unwrap_or_else(|| uuid::Builder::from_random_bytes(random::bytes(random)).into_uuid());
    bytes[..UUID_BYTES].copy_from_slice(id.as_bytes());
    base64url::encode(bytes)
}

/// The grant of a token with this `jti`, which must be one of ours; none: the token stands on no grant.
pub(super) fn grant_of_jti(jti: &str) -> Option<Uuid> {
    let bytes = base64url::decode(jti).ok()?;
    let id = Uuid::from_slice(bytes.get(..UUID_BYTES)?).ok()?;
    // Grants are named in version 7 (see `foundation::id`), the rest in version 4 (RFC 9562 §4.2).
    (id.get_version_num() == GRANT_ID_VERSION).then_some(id)
}

const GRANT_ID_VERSION: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foundation::clock::Timestamp;
    use crate::foundation::id::uuid_v7;
    use crate::foundation::random::OsRandom;

    #[test]
    fn a_jti_leads_to_its_grant_and_one_without_a_grant_to_none() {
        for second in 0..300 {
            let id = uuid_v7(Timestamp::from_seconds(second), &OsRandom);
            assert_eq!(grant_of_jti(&new_jti(Some(id), &OsRandom)), Some(id));
            assert_eq!(grant_of_jti(&new_jti(None, &OsRandom)), None);
        }
        for text in ["", "AAAA", "not base64url"] {
            assert_eq!(grant_of_jti(text), None);
        }
    }
}
