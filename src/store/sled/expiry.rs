//! The sweeper: removes what nobody can ask for any more, a slice at a time.
//!
//! It looks for what is over beside the committer, and what it finds is decided once more inside it, a few at a time, like
//! any step: so requests wait for the removal of a few records at most, and never for the looking.

use std::ops::Bound;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use sled::IVec;

use super::SledStore;
use super::batch::View;
use super::codec;
use super::records::{Fault, Kind, Records as _};
use crate::authorize::code::AuthorizationCode;
use crate::foundation::clock::{CLOCK_TOLERANCE, Timestamp};
use crate::foundation::storage::Stored;
use crate::store::{Store, Swept};
use crate::tokens::grant::Grant;

/// How many records one step of the committer removes: about a millisecond of its time.
const REMOVED_AT_ONCE: usize = 128;

impl Store for SledStore {
    fn sweep(&self, now: Timestamp, tombstone: Duration, limit: usize) -> Stored<'_, Swept> {
        // What is forgotten does not come back with the clock: one that is a little ahead must not find more over than there is.
        let now = now.before(CLOCK_TOLERANCE);
        Box::pin(async move {
            let from = self.swept().clone();
            let Found { over, reached } =
                self.read(|records| look(records.tree(), &from, now, tombstone, limit)).await?;
            let mut removed = 0;
            for keys in over.chunks(REMOVED_AT_ONCE) {
                let keys = keys.to_vec();
                removed += self.make(move |view| remove(view, keys, now, tombstone)).await?;
            }
            let is_at_end = reached.is_empty();
            *self.swept() = reached;
            Ok(Swept { removed, is_at_end })
        })
    }
}

impl SledStore {
    fn swept(&self) -> MutexGuard<'_, IVec> {
        self.swept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a slice has shown.
struct Found {
    /// The keys of records that are over, as far as could be seen from here.
    over: Vec<IVec>,
    /// The key that was reached; empty at the end.
    reached: IVec,
}

/// Looks at one slice after the key `from`.
fn look(tree: &sled::Tree, from: &[u8], now: Timestamp, tombstone: Duration, limit: usize) -> Result<Found, Fault> {
    let (mut over, mut reached, mut seen) = (Vec::new(), IVec::default(), 0);
    for entry in tree.range::<&[u8], _>((Bound::Excluded(from), Bound::Unbounded)).take(limit) {
        let (key, value) = entry?;
        seen += 1;
        if is_over(&key, &value, now, tombstone) {
            over.push(key.clone());
        }
        if seen == limit {
            reached = key;
        }
    }
    Ok(Found { over, reached })
}

/// Removes what is still over; how many records.
fn remove(view: &mut View<'_>, keys: Vec<IVec>, now: Timestamp, tombstone: Duration) -> Result<usize, Fault> {
    let mut removed = 0;
    for key in keys {
        if view.bytes(&key)?.is_some_and(|value| is_over(&key, &value, now, tombstone)) {
            view.remove_key(key);
            removed += 1;
        }
    }
    Ok(removed)
}

fn is_over(key: &[u8], value: &[u8], now: Timestamp, tombstone: Duration) -> bool {
    let forget_at = match Kind::of(key) {
        Some(Kind::Code) => codec::decode(value).map(|code: AuthorizationCode| code.expires_at),
        Some(Kind::Grant) => codec::decode(value).map(|grant: Grant| grant.forget_at(tombstone)),
        Some(Kind::EndedSession | Kind::Once) => codec::decode(value),
        // One a person, and needed for as long as that person's grants and sessions may come back; few are those of keys.
        Some(Kind::Recovered | Kind::ValidFrom | Kind::Published | Kind::Served) | None => return false,
    };
    match forget_at {
        Ok(forget_at) => forget_at <= now,
        Err(cause) => {
            // Left for somebody to look at; the sweeper must get past it.
            tracing::error!(%cause, "the store holds a record that cannot be read");
            false
        }
    }
}
