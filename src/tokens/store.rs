//! The port for grants: what a store must be able to do with them, each in one atomic step.
//!
//! A step is a step of the protocol, never a read and a write: of two that race, one is decided after the other and sees
//! what the first one did. An answer is given only when what it rests on is durable.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use crate::foundation::clock::Timestamp;
use crate::foundation::storage::Stored;

use super::grant::Grant;
use super::refresh_rotation::RotationPolicy;

/// What became of a presented refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// It was good; the grant has moved on to this.
    Rotated(Grant),
    /// Its answer had been lost; the grant is as it was.
    Retried(Grant),
    /// It had been used before; the grant is revoked by this.
    Reused(Grant),
    /// The store had not seen its generation; the grant is revoked by this.
    Ahead(Grant),
    /// The grant had been taken back before.
    Revoked,
    /// The grant is over.
    Expired,
    /// The clock stands before the last rotation; nothing changed.
    ClockBehind,
    /// There is no further generation; nothing changed.
    Exhausted,
    /// There is no such grant.
    Unknown,
}

/// One slice of the counting of grants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CountedGrants {
    /// How many live grants of the slice belong to each client; those without one are left out.
    pub live: BTreeMap<String, u64>,
    /// Where the next slice goes on; none: this was the last.
    pub reached: Option<Uuid>,
}

/// Whose grants are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// All that a person has allowed.
    Subject(Arc<str>),
    /// All that a client was allowed.
    Client(Arc<str>),
    /// What this person has allowed this client.
    SubjectAtClient {
        /// The person.
        subject: Arc<str>,
        /// The client.
        client_id: Arc<str>,
    },
}

impl Whose {
    /// Those of a subject, of a client, or of both together; none: nobody is named.
    pub fn of(subject: Option<Arc<str>>, client_id: Option<Arc<str>>) -> Option<Self> {
        match (subject, client_id) {
            (Some(subject), Some(client_id)) => Some(Self::SubjectAtClient { subject, client_id }),
            (Some(subject), None) => Some(Self::Subject(subject)),
            (None, Some(client_id)) => Some(Self::Client(client_id)),
            (None, None) => None,
        }
    }

    /// Whether a grant or a code of this subject and this client is meant.
    pub fn has(&self, of_subject: &str, of_client: &str) -> bool {
        match self {
            Self::Subject(subject) => **subject == *of_subject,
            Self::Client(client_id) => **client_id == *of_client,
            Self::SubjectAtClient { subject, client_id } => **subject == *of_subject && **client_id == *of_client,
        }
    }
}

/// One slice of a search for grants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundGrants {
    /// Those of the slice that are meant, in the order of their ids.
    pub grants: Vec<Grant>,
    /// Where the next slice goes on; none: this was the last.
    pub reached: Option<Uuid>,
}

/// What was taken back at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TakenBack {
    /// Grants that were revoked, and might still have been used.
    pub grants: u64,
    /// Codes that were removed before anybody redeemed them.
    pub codes: u64,
}

/// A store of grants.
pub trait GrantStore: Send + Sync {
    /// Keeps a grant that came from no code.
    fn put_grant(&self, grant: Grant) -> Stored<'_, ()>;

    /// The grant of this id, revoked or not.
    fn read_grant(&self, id: Uuid) -> Stored<'_, Option<Grant>>;

    /// Presents a refresh token of generation `presented` (see [`decide`](super::refresh_rotation::decide)). A grant from
    /// before its subject's last [`end_all`](crate::login::store::SessionStore::end_all) is revoked.
    fn rotate(&self, id: Uuid, presented: u32, now: Timestamp, policy: RotationPolicy) -> Stored<'_, Rotation>;

    /// Takes a grant back. Whether there was a live one.
    fn revoke_grant(&self, id: Uuid, now: Timestamp) -> Stored<'_, bool>;

    /// Counts the grants of these clients that are live, among up to `limit` after the one of the id `after`.
    fn count_live(
        &self,
        clients: Arc<BTreeSet<String>>,
        now: Timestamp,
        after: Option<Uuid>,
        limit: usize,
    ) -> Stored<'_, CountedGrants>;

    /// Looks for grants among up to `limit` after the one of the id `after`, revoked or not; none: all are meant.
    fn find_grants(&self, whose: Option<Whose>, after: Option<Uuid>, limit: usize) -> Stored<'_, FoundGrants>;

    /// Revokes the grants and removes the codes that are there when it begins, a few in each atomic step. What becomes a
    /// grant meanwhile is revoked too. Where it is broken off, those steps that were made stay made, and it can be
    /// repeated.
    fn revoke_where(&self, whose: Whose, now: Timestamp) -> Stored<'_, TakenBack>;
}
