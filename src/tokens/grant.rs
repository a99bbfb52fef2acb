//! The grant: who let which client do what, until when. All refresh tokens of it share this one record.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clients::ClientId;
use crate::foundation::clock::Timestamp;
use crate::protocol::error::{ErrorCode, OAuthError};
use crate::protocol::pkce::CodeChallenge;
use crate::protocol::resource::ResourceIndicator;
use crate::protocol::scope::Scope;

/// How many bytes the scope and the resources of one grant may have together, as they are written and with a space after
/// each resource. A grant's record has 4 KiB, and everything else in it may be as long as it can be.
pub const LONGEST_TERMS: usize = 2 * 1024;

/// What would not fit into a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TermsTooLong {
    /// The scope by itself; its length in bytes.
    #[error("the scope has {0} bytes, and a grant holds {LONGEST_TERMS}")]
    Scope(usize),
    /// The scope with the resources; their length in bytes.
    #[error("scope and resources have {0} bytes together, and a grant holds {LONGEST_TERMS}")]
    Together(usize),
}

impl From<TermsTooLong> for OAuthError {
    fn from(reason: TermsTooLong) -> Self {
        match reason {
            TermsTooLong::Scope(_) => Self::new(ErrorCode::InvalidScope, "The requested scope is too long."),
            TermsTooLong::Together(_) => {
                Self::new(ErrorCode::InvalidRequest, "The requested scope and resources are too long together.")
            }
        }
        .because(reason)
    }
}

/// Whether a grant can hold this scope and these resources.
pub fn check_length(scope: &Scope, resources: &[ResourceIndicator]) -> Result<(), TermsTooLong> {
    let of_scope = scope.to_string().len();
    let of_resources: usize = resources.iter().map(|resource| resource.as_str().len() + 1).sum();
    match (of_scope, of_scope + of_resources) {
        (scope, _) if scope > LONGEST_TERMS => Err(TermsTooLong::Scope(scope)),
        (_, together) if together > LONGEST_TERMS => Err(TermsTooLong::Together(together)),
        _ => Ok(()),
    }
}

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
    /// Whether a refresh token that was ahead of a restored or rewound store has been let through, in the last recovery
    /// before `rotated_at`.
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
