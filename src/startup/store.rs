//! The store that the settings name, opened; and the timer that has it forget what is over.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use actix_web::web::Data;
use tokio::time::MissedTickBehavior;

use crate::config::{self, Settings, StoreSettings};
use crate::foundation::clock::{Clock, Timestamp};
use crate::foundation::storage::{StoreUnavailable, Stored};
use crate::http::state::{State, Stores};
use crate::store::sled::{ImportTerms, OpenFailed, SledStore};
use crate::store::{Durability, Store, StoreOptions};

use super::keys::longest_lifetime;

/// How often the store is asked to forget: every second while there is more to look at, and then not for a while. A
/// store of a million records is gone through in about two minutes.
const PERIOD: Duration = Duration::from_secs(1);

/// How many periods pass from the end of one round to the next.
const PERIODS_OF_REST: usize = 10;

/// How many records are looked at in one go: less than a millisecond on a thread that serves no request.
const SLICE: usize = 500;

/// How many slices one period may take.
const SLICES: usize = 20;

/// Opens the store.
pub fn open(settings: &StoreSettings, clock: Arc<dyn Clock>) -> Result<Arc<SledStore>, OpenFailed> {
    let options = StoreOptions {
        path: settings.path.clone(),
        durability: match settings.durability {
            config::Durability::Fsync => Durability::Fsync,
            config::Durability::Periodic => Durability::Periodic,
        },
        cache_bytes: settings.cache_bytes,
    };
    SledStore::open(options, clock).map(Arc::new)
}

/// How a backup becomes the store of these settings.
pub fn import_terms(settings: &Settings, now: Timestamp, revoke_all: bool) -> ImportTerms {
    ImportTerms {
        folder: settings.store.path.clone(),
        issuer: settings.issuer.to_string(),
        now,
        tombstone: longest_lifetime(settings),
        revoke_all,
    }
}

/// Waits for an answer of the store, on a thread that may wait: at the start, where a reload runs, or in a command.
pub fn wait<T>(mut stored: Stored<'_, T>) -> Result<T, StoreUnavailable> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(answer) = stored.as_mut().poll(&mut context) {
            return answer;
        }
        // The committer's own thread answers; a wake-up for nothing only asks again.
        thread::park();
    }
}

/// The ports of a store.
pub(super) fn ports(store: &Arc<SledStore>) -> Stores {
    Stores {
        codes: Arc::clone(store) as _,
        grants: Arc::clone(store) as _,
        once: Arc::clone(store) as _,
        sessions: Arc::clone(store) as _,
        health: Arc::clone(store) as _,
        export: Arc::clone(store) as _,
    }
}

/// Has the store forget what is over, a slice at a time, for as long as the system of actix runs.
pub(super) fn sweep_now_and_then(store: Arc<SledStore>, state: Data<State>) {
    actix_web::rt::spawn(async move {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if sweep(&store, &state).await {
                for _ in 1..PERIODS_OF_REST {
                    ticks.tick().await;
                }
            }
        }
    });
}

/// What one period may take; whether there is time to rest.
async fn sweep(store: &SledStore, state: &State) -> bool {
    for _ in 0..SLICES {
        match store.sweep(state.now(), state.live().tombstone, SLICE).await {
            Ok(swept) if !swept.is_at_end => {}
            Ok(_) => return true,
            // The requests that meet the same trouble tell of it. Where none come, this is what opens the store anew.
            Err(_unavailable) => return false,
        }
    }
    false
}
