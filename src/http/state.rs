//! What lives as long as the process.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::authorize::store::CodeStore;
use crate::foundation::clock::{Clock, Timestamp};
use crate::foundation::network::Network;
use crate::foundation::once::OnceStore;
use crate::foundation::random::Random;
use crate::foundation::storage::{ExportStore, StoreHealth};
use crate::grant_types::Ports;
use crate::login::store::SessionStore;
use crate::tokens::store::GrantStore;

use super::live::Live;

/// How the last attempt to load the configuration went.
#[derive(Debug, Clone, Default)]
pub enum ReloadOutcome {
    /// What is live is what is written.
    #[default]
    Loaded,
    /// What is written was refused; what was live before still is.
    Refused {
        /// When.
        at: Timestamp,
        /// Why, for the operator.
        error: String,
    },
}

/// The ports of the store, each by its own name.
#[derive(Clone)]
pub struct Stores {
    /// Codes that wait for their redemption.
    pub codes: Arc<dyn CodeStore>,
    /// Grants.
    pub grants: Arc<dyn GrantStore>,
    /// What was ended early.
    pub sessions: Arc<dyn SessionStore>,
    /// What may be shown once.
    pub once: Arc<dyn OnceStore>,
    /// Whether all of them can be used.
    pub health: Arc<dyn StoreHealth>,
    /// All of it, as a file.
    pub export: Arc<dyn ExportStore>,
}

/// The process: a clock, randomness, the store, and the snapshot of the moment.
pub struct State {
    live: ArcSwap<Live>,
    reload: ArcSwap<ReloadOutcome>,
    clock: Arc<dyn Clock>,
    /// Gives unpredictable bytes.
    pub random: Arc<dyn Random>,
    /// What must be taken back.
    pub stores: Stores,
    /// What was counted in this process.
    pub metrics: PrometheusHandle,
}

impl State {
    /// A process that serves `live`.
    pub fn new(
        live: Live,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        stores: Stores,
        metrics: PrometheusHandle,
    ) -> Self {
        Self { live: ArcSwap::from_pointee(live), reload: ArcSwap::default(), clock, random, stores, metrics }
    }

    /// The snapshot of the moment, for a request that does not wait in between. Load it once a request.
    pub fn live(&self) -> Guard<Arc<Live>> {
        self.live.load()
    }

    /// The snapshot of the moment, for a request that waits in between.
    pub fn live_for_long(&self) -> Arc<Live> {
        self.live.load_full()
    }

    /// What the grant types work with, as of the snapshot `live`, for a request from `network`.
    pub fn ports<'a>(&'a self, live: &'a Live, network: Network) -> Ports<'a> {
        Ports {
            resources: &live.resources,
            issuer: &live.tokens,
            directory: &*live.login.directory,
            login: &live.login,
            network,
            codes: &*self.stores.codes,
            grants: &*self.stores.grants,
            sealing: &live.sealing,
            lifetimes: &live.lifetimes,
            random: &*self.random,
        }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Puts a new snapshot in the place of the old one, and gives that; running requests keep the one they loaded.
    #[must_use = "the last one to let go of a snapshot takes it apart, which should be no thread that answers requests"]
    pub fn replace(&self, live: Live) -> Arc<Live> {
        let old = self.live.swap(Arc::new(live));
        self.reload.store(Arc::new(ReloadOutcome::Loaded));
        old
    }

    /// Notes that what is written was refused.
    pub fn refuse(&self, error: String) {
        self.reload.store(Arc::new(ReloadOutcome::Refused { at: self.now(), error }));
    }

    /// How the last attempt to load the configuration went.
    pub fn reload_outcome(&self) -> Arc<ReloadOutcome> {
        self.reload.load_full()
    }
}
