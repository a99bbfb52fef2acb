//! The store that the settings name, opened; and the timer that has it forget what is over.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use actix_web::web::Data;

use crate::config::{self, StoreSettings};
use crate::foundation::clock::Clock;
use crate::foundation::storage::{StoreUnavailable, Stored};
use crate::http::state::{State, Stores};
use crate::store::sled::{OpenFailed, SledStore};
use crate::store::{Durability, Store, StoreOptions};

/// How often the store is asked to forget.
const PERIOD: Duration = Duration::from_secs(10);

/// How many records are looked at in one step of the committer: a few milliseconds of its time.
const SLICE: usize = 1000;

/// How many slices one period may take.
const SLICES: usize = 20;

/// Opens the store.
pub(super) fn open(settings: &StoreSettings, clock: Arc<dyn Clock>) -> Result<Arc<SledStore>, OpenFailed> {
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

/// Waits for an answer of the store, on a thread that may wait: at the start, or where a reload runs.
pub(super) fn wait<T>(mut stored: Stored<'_, T>) -> Result<T, StoreUnavailable> {
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
    }
}

/// Has the store forget what is over, a slice at a time, for as long as the system of actix runs.
pub(super) fn sweep_now_and_then(store: Arc<SledStore>, state: Data<State>) {
    actix_web::rt::spawn(async move {
        let mut ticks = tokio::time::interval(PERIOD);
        loop {
            ticks.tick().await;
            for _ in 0..SLICES {
                let tombstone = state.live().tombstone;
                match store.sweep(state.now(), tombstone, SLICE).await {
                    Ok(swept) if !swept.is_at_end => {}
                    Ok(_) => break,
                    // The requests that meet the same trouble tell of it.
                    Err(_unavailable) => break,
                }
            }
        }
    });
}
