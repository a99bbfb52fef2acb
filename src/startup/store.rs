//! The store that the settings name, opened.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use crate::config::{self, Settings, StoreSettings};
use crate::foundation::clock::{Clock, Timestamp};
use crate::foundation::storage::{StoreUnavailable, Stored};
use crate::http::state::Stores;
use crate::store::sled::{ImportTerms, OpenFailed, SledStore};
use crate::store::{Durability, StoreOptions};

use super::keys::longest_lifetime;

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
