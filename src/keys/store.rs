//! The port for what was published when: so that a restart judges a change of keys as a reload does.

use super::history::Kept;
use crate::foundation::storage::Stored;

/// A store of publications. They are few: one a key that is published.
pub trait PublicationStore: Send + Sync {
    /// What was last kept; nothing in a new store.
    fn publications(&self) -> Stored<'_, Kept>;

    /// Keeps this in the place of what was kept before, so that a key which is gone leaves nothing behind.
    fn keep_publications(&self, publications: Kept) -> Stored<'_, ()>;
}
