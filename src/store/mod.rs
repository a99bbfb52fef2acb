//! Where what must be taken back is kept: codes, grants, what of sessions was ended early, and what was shown once.
//!
//! The ports live with the concepts that need them ([`GrantStore`], [`CodeStore`], [`SessionStore`], [`OnceStore`]); here are their
//! backends, what every backend does besides, and the file that a backup is ([`backup`]).

pub mod backup;
pub mod sled;

use std::path::PathBuf;
use std::time::Duration;

use crate::authorize::store::CodeStore;
use crate::foundation::clock::Timestamp;
use crate::foundation::once::OnceStore;
use crate::foundation::storage::{ExportStore, Stored};
use crate::keys::store::PublicationStore;
use crate::login::store::SessionStore;
use crate::tokens::store::GrantStore;

/// All that a server stores.
pub trait Store: GrantStore + CodeStore + SessionStore + OnceStore + PublicationStore + ExportStore {
    /// Removes what nobody can ask for any more: codes, ended sessions and what was shown once that are over at `now`, and
    /// grants that have been over for `tombstone`, the longest time for which an access token of one may still be shown to
    /// somebody; each [`CLOCK_TOLERANCE`](crate::foundation::clock::CLOCK_TOLERANCE) later, for the clock may be ahead.
    /// Looks at no more than `limit` records, and goes on at the next call where this one stopped.
    fn sweep(&self, now: Timestamp, tombstone: Duration, limit: usize) -> Stored<'_, Swept>;
}

/// What one call of [`Store::sweep`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// How many records were removed.
    pub removed: usize,
    /// Whether the end was reached, so that the next call starts anew.
    pub is_at_end: bool,
}

/// Where a store is, and how it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreOptions {
    /// The folder of the embedded database.
    pub path: PathBuf,
    /// When an answer may be sent.
    pub durability: Durability,
    /// How much memory the database may keep pages in, in bytes.
    pub cache_bytes: u64,
}

/// What survives a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// All that was answered.
    Fsync,
    /// All but what was answered in the last 500 ms, spent tokens included.
    Periodic,
}
