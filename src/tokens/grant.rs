//! The grant: who let which client do what, until when. All refresh tokens of it share this one record.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clients::ClientId;
use crate::foundation::clock::Timestamp;
use crate::protocol::pkce::CodeChallenge;
use crate::protocol::resource::ResourceIndicator;
use crate::protocol::scope::Scope;

/// What stands behind a person's tokens. However often it is refreshed, it stays one record of the same size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its name, `UUIDv7`: that of the code it came from, so that a code presented again leads here.
    pub id: Uuid,
    /// Whose tokens they are.
    pub client_id: ClientId,
    /// The person who allowed it.
    pub subject: Arc<str>,
    /// What was allowed: the bound of every access token to come.
    pub scope: Scope,
    /// Where it was allowed.
    pub resources: Vec<ResourceIndicator>,
    /// When the person signed in (RFC 9068 §2.2.1).
    pub auth_time: Timestamp,
    /// When the code was redeemed, or the password accepted.
    pub created_at: Timestamp,
    /// When it ends unless it is refreshed before.
    pub expires_at: Timestamp,
    /// When it ends however often it is refreshed.
    pub absolute_expires_at: Timestamp,
    /// How often it was refreshed: the generation of the refresh token that is good now.
    pub generation: u32,
    /// When the refresh token that is good now was made; decides on the key that seals it.
    pub rotated_at: Timestamp,
    /// What the code was bound to, for a code that is presented again (RFC 6749 §4.1.2).
    pub code_challenge: Option<CodeChallenge>,
    /// The redirect URI that the authorization request named, if it named one; for the same reason.
    pub redirect_uri: Option<Arc<str>>,
    /// Whether a refresh token from before a restored or rewound store has been let through once.
    pub is_resynchronised: bool,
    /// When it was taken back. A grant that was stays for a while, so that its access tokens are known to be dead.
    pub revoked_at: Option<Timestamp>,
}

impl Grant {
    /// Whether it may still be used: neither taken back nor over.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && now < self.expires_at && now < self.absolute_expires_at
    }

    /// When the store may forget it: `tombstone` after its end, the longest time for which an access token of it may
    /// still be shown to somebody.
    pub fn forget_at(&self, tombstone: Duration) -> Timestamp {
        let over = self.expires_at.min(self.absolute_expires_at);
        self.revoked_at.map_or(over, |revoked| revoked.min(over)) + tombstone
    }
}
