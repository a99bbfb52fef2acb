//! What this server has published: kept in the store, so that a restart judges a change of keys as a reload does.
//!
//! It is written when a key comes, goes or begins to sign, looked at every few seconds, and at every reload and stop. The
//! first use of a key may be lost in a crash for as long; then the key counts as never published, the safe side.
//!
//! It also tells until when access tokens are accepted that were issued under an earlier configuration.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::foundation::clock::{Clock, Timestamp};
use crate::foundation::storage::StoreUnavailable;
use crate::keys::history::{History, Kept};
use crate::keys::key_ring::KeyRing;
use crate::keys::store::PublicationStore;

use super::store::wait;

/// How often it is looked at whether there is something to keep.
const PERIOD: Duration = Duration::from_secs(10);

/// The history of this server and the ring that makes it.
pub(super) struct Publications {
    store: Arc<dyn PublicationStore>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    /// Up to when the ring that serves began to.
    before: History,
    serving: Option<(Arc<KeyRing>, Timestamp)>,
    kept: Kept,
    longer_tokens_until: Timestamp,
}

impl State {
    fn at(&self, now: Timestamp) -> History {
        match &self.serving {
            Some((ring, since)) => self.before.after(ring, *since, now),
            None => self.before.clone(),
        }
    }
}

impl Publications {
    /// What a server before this one has kept. Waits for the store.
    pub(super) fn open(store: Arc<dyn PublicationStore>, clock: Arc<dyn Clock>) -> Result<Self, StoreUnavailable> {
        let kept = wait(store.publications())?;
        let before = History::of_ended(kept.clone(), clock.now());
        Ok(Self {
            store,
            clock,
            state: Mutex::new(State { before, serving: None, kept, longer_tokens_until: Timestamp::default() }),
        })
    }

    /// What was published until now.
    pub(super) fn history(&self, now: Timestamp) -> History {
        self.lock().at(now)
    }

    /// Until when access tokens may be accepted that were made to live longer than those of now: from before a
    /// configuration with shorter lifetimes, or from before this server's start.
    pub(super) fn longer_tokens_until(&self) -> Timestamp {
        self.lock().longer_tokens_until
    }

    /// Another ring serves from now on; waits until that is kept. That it cannot be kept is no reason not to serve: the
    /// next look tries again.
    pub(super) fn begin(&self, ring: Arc<KeyRing>, now: Timestamp) {
        let mut state = self.lock();
        state.before = state.at(now);
        let until = state.before.tokens_until();
        // What was kept of a server before this one does not tell of what was longer and is about to end.
        if state.serving.is_none() || until > now + ring.longest_lifetime() {
            state.longer_tokens_until = state.longer_tokens_until.max(until);
        }
        state.serving = Some((ring, now));
        let kept = state.at(now).to_keep(None);
        drop(state);
        self.note(&kept, wait(self.store.keep_publications(kept.clone())));
    }

    /// Looks now and then whether there is something to keep, for as long as the system of actix runs.
    pub(super) fn keep_now_and_then(self: Arc<Self>) {
        actix_web::rt::spawn(async move {
            let mut ticks = tokio::time::interval(PERIOD);
            loop {
                ticks.tick().await;
                self.keep(false).await;
            }
        });
    }

    /// The server has stopped.
    pub(super) async fn end(&self) {
        self.keep(true).await;
    }

    async fn keep(&self, is_end: bool) {
        let now = self.clock.now();
        let kept = {
            let state = self.lock();
            let kept = state.at(now).to_keep(is_end.then_some(now));
            if kept == state.kept || state.serving.is_none() {
                return;
            }
            kept
        };
        let outcome = self.store.keep_publications(kept.clone()).await;
        self.note(&kept, outcome);
    }

    fn note(&self, kept: &Kept, outcome: Result<(), StoreUnavailable>) {
        match outcome {
            Ok(()) => self.lock().kept = kept.clone(),
            Err(unavailable) => tracing::warn!(error.cause = %unavailable, "cannot keep which keys are published"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in it is half changed by a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
