//! The timer that has the store forget what is over.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::foundation::clock::{Stopwatch, Timestamp};
use crate::foundation::storage::StoreUnavailable;
use crate::http::state::State;
use crate::store::Store as _;
use crate::store::sled::SledStore;

use super::publications::Publications;
use super::steady_time::SteadyTime;

/// How many records are looked at in one go: about a millisecond on a thread that serves no request.
const SLICE: usize = 500;

/// How long from one slice to the next. The committer waits for a slice, and has its turn before the next one; a store of a
/// million records is gone through in about two minutes.
const PERIOD: Duration = Duration::from_millis(50);

/// How long from the end of one round to the next.
const REST: Duration = Duration::from_secs(10);

/// How long the store is left alone that is in trouble.
const TROUBLE: Duration = Duration::from_secs(1);

/// Has the store forget what is over, where the clock may be believed.
pub struct Sweeper {
    store: Arc<SledStore>,
    state: Arc<State>,
    publications: Arc<Publications>,
    stopwatch: Arc<dyn Stopwatch>,
    time: Mutex<SteadyTime>,
}

impl Sweeper {
    /// For the store of this process. The clock is believed as it is now.
    pub(super) fn new(
        store: Arc<SledStore>,
        state: Arc<State>,
        publications: Arc<Publications>,
        stopwatch: Arc<dyn Stopwatch>,
    ) -> Self {
        let sweeper = Self { store, state, publications, stopwatch, time: Mutex::default() };
        sweeper.now();
        sweeper
    }

    /// Sweeps a slice at a time, for as long as the system of actix runs. Not at once: whoever waits for the start comes
    /// first.
    pub(super) fn sweep_now_and_then(self: Arc<Self>) {
        actix_web::rt::spawn(async move {
            let mut pause = PERIOD;
            loop {
                tokio::time::sleep(pause).await;
                pause = match self.sweep().await {
                    Ok(false) => PERIOD,
                    Ok(true) => REST,
                    // The requests that meet the same trouble tell of it. Where none come, this is what opens the store
                    // anew.
                    Err(_unavailable) => TROUBLE,
                };
            }
        });
    }

    /// Sweeps one slice; whether a round has ended with it.
    pub async fn sweep(&self) -> Result<bool, StoreUnavailable> {
        let now = self.now();
        self.store.sweep(now, self.tombstone(now), SLICE).await.map(|swept| swept.is_at_end)
    }

    /// The time by which it is decided what is over, where the clock may be believed; else one at which nothing is. The
    /// store is looked through all the same, so that trouble is seen.
    fn now(&self) -> Timestamp {
        let elapsed = self.stopwatch.elapsed();
        let now = self.state.now();
        if self.time().is_believed(now, elapsed) { now } else { Timestamp::default() }
    }

    /// How long a grant stays that is over. While access tokens are accepted that live longer than those of now, for ever:
    /// each token of a grant that is gone would be good for nothing before its own end.
    fn tombstone(&self, now: Timestamp) -> Duration {
        if now < self.publications.longer_tokens_until() { Duration::MAX } else { self.state.live().tombstone }
    }

    fn time(&self) -> MutexGuard<'_, SteadyTime> {
        // Nothing in it is half changed by a panic.
        self.time.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
