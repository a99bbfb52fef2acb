//! The sweeper: removes what nobody can ask for any more, a slice at a time, decided inside the committer like any step.

use std::sync::PoisonError;
use std::time::Duration;

use super::SledStore;
use super::codec;
use super::records::{Fault, Kind, View};
use crate::authorize::code::AuthorizationCode;
use crate::foundation::clock::Timestamp;
use crate::foundation::storage::Stored;
use crate::store::{Store, Swept};
use crate::tokens::grant::Grant;

impl Store for SledStore {
    fn sweep(&self, now: Timestamp, tombstone: Duration, limit: usize) -> Stored<'_, Swept> {
        Box::pin(async move {
            let from = self.swept().clone();
            let (swept, reached) = self.make(move |view| sweep(view, &from, now, tombstone, limit)).await?;
            *self.swept() = reached;
            Ok(swept)
        })
    }
}

impl SledStore {
    fn swept(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.swept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One slice after the key `from`; gives the key that it reached, empty at the end.
fn sweep(
    view: &mut View<'_>,
    from: &[u8],
    now: Timestamp,
    tombstone: Duration,
    limit: usize,
) -> Result<(Swept, Vec<u8>), Fault> {
    let slice = view.following(from, limit)?;
    let is_at_end = slice.len() < limit;
    let reached = slice.last().filter(|_| !is_at_end).map_or_else(Vec::new, |(key, _)| key.clone());
    let mut removed = 0;
    for (key, value) in slice {
        if value.is_some_and(|value| is_over(&key, &value, now, tombstone)) {
            view.remove_key(key);
            removed += 1;
        }
    }
    Ok((Swept { removed, is_at_end }, reached))
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
