//! The timer that has the store forget what is over.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::foundation::clock::{Stopwatch, Timestamp};
use crate::http::state::State;
use crate::store::Store as _;
use crate::store::sled::SledStore;

use super::publications::Publications;
use super::steady_time::SteadyTime;

/// How often the store is asked to forget: every second while there is more to look at, and then not for a while. A
/// store of a million records is gone through in about two minutes.
const PERIOD: Duration = Duration::from_secs(1);

/// How many periods pass from the end of one round to the next.
const PERIODS_OF_REST: usize = 10;

/// How many records are looked at in one go: less than a millisecond on a thread that serves no request.
const SLICE: usize = 500;

/// How many slices one period may take.
const SLICES: usize = 20;

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

    /// Sweeps a slice at a time, for as long as the system of actix runs.
    pub(super) fn sweep_now_and_then(self: Arc<Self>) {
        actix_web::rt::spawn(async move {
            let mut ticks = tokio::time::interval(PERIOD);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                if self.sweep().await {
                    for _ in 1..PERIODS_OF_REST {
                        ticks.tick().await;
                    }
                }
            }
        });
    }

    /// What one period may take; whether a round has ended, so that there is time to rest.
    pub async fn sweep(&self) -> bool {
        let now = self.now();
        for _ in 0..SLICES {
            match self.store.sweep(now, self.tombstone(now), SLICE).await {
                Ok(swept) if !swept.is_at_end => {}
                Ok(_) => return true,
                // The requests that meet the same trouble tell of it. Where none come, this is what opens the store anew.
                Err(_unavailable) => return false,
            }
        }
        false
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
