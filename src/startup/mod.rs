//! The composition root: settings become keys, a live snapshot and two listening servers.
//!
//! `jotsmith serve`, `jotsmith demo` and every test start here, with the clock and the randomness that they bring.

mod keys;
mod listen;
mod pages;
mod publications;
mod reload;
mod signals;
#[cfg(test)]
mod signer_elsewhere;
mod steady_time;
mod store;
mod sweeper;
mod watch;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::config::{self, ConfigErrors, Environment, Inputs, LogSettings, ServerSettings, Settings, StoreSettings};
use crate::foundation::clock::{Clock, Stopwatch, SystemClock};
use crate::foundation::fingerprints::Fingerprints;
use crate::foundation::random::{OsRandom, Random};
use crate::foundation::slow_hash::{PoolSize, SlowHash};
use crate::foundation::storage::StoreUnavailable;
use crate::http::ThemeRefused;
use crate::http::state::State;
use crate::keys::key_ring::Occasion;
use crate::login::throttle::Throttle;
use crate::protocol::issuer::Issuer;
use crate::store::sled::{OpenFailed, SledStore};
use crate::telemetry;

use listen::Listening;
use publications::Publications;
use signals::Signals;
use watch::ReloadThread;

pub use keys::{
    KeysRefused, judge as judge_keys, judge_rings, load_ring, load_sealing_ring, name_of_sealing_key,
    name_of_signing_key, sealing_demands, signing_demands,
};
pub use pages::load as judge_pages;
use reload::Lasting;
pub use reload::{ReloadRefused, Reloader};
pub use signals::OnHangUp;
pub use store::{import_terms, open as open_store, wait as wait_for_store};
pub use sweeper::Sweeper;

/// How often what was measured is put into its buckets.
const METRICS_PERIOD: Duration = Duration::from_secs(5);

/// What comes from outside the configuration.
#[derive(Clone)]
pub struct Foundations {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Tells how much time has passed, whatever the clock says.
    pub stopwatch: Arc<dyn Stopwatch>,
    /// Gives unpredictable bytes.
    pub random: Arc<dyn Random>,
    /// Hashes passwords, a few at a time.
    pub slow_hash: SlowHash,
}

impl Foundations {
    /// The clock, randomness and cores of this machine.
    pub fn of_the_machine() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            stopwatch: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
            slow_hash: SlowHash::new(PoolSize::for_this_machine()),
        }
    }
}

/// Where the configuration is read from, at the start and at every reload.
#[derive(Debug, Clone)]
pub struct Source {
    /// The files that were named on the command line.
    pub files: Vec<PathBuf>,
    /// The variables and folders that the rest depends on.
    pub environment: Environment,
}

impl Source {
    /// Reads and judges the configuration.
    pub fn load(&self) -> Result<Settings, ConfigErrors> {
        config::load(&self.files, &self.environment)
    }

    /// The same, for a server that is to be started with it.
    pub fn configured(self) -> Result<Configured, ConfigErrors> {
        let inputs = Inputs::default();
        let settings = self.load_noting(&inputs)?;
        Ok(Configured { source: self, settings, inputs })
    }

    /// The same, with a note of all that it was read from, also where it is refused.
    fn load_noting(&self, inputs: &Inputs) -> Result<Settings, ConfigErrors> {
        config::load_noting(&self.files, &self.environment, inputs)
    }
}

/// A configuration that was read and judged: what a server is started with, and what it is later compared with.
pub struct Configured {
    source: Source,
    settings: Settings,
    inputs: Inputs,
}

impl Configured {
    /// How it wants to be logged.
    pub const fn log(&self) -> &LogSettings {
        &self.settings.log
    }
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// The keys are refused.
    #[error(transparent)]
    Keys(#[from] KeysRefused),
    /// The theme of the pages is refused.
    #[error(transparent)]
    Theme(#[from] ThemeRefused),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenFailed),
    /// The store was opened and does not answer.
    #[error(transparent)]
    StoreUnavailable(StoreUnavailable),
    /// The operating system refuses what every server needs.
    #[error("the server cannot go on: {0}")]
    System(#[from] io::Error),
    /// An address cannot be listened on.
    #[error(
        "cannot listen on {address}, which {key} names: {reason}; give it another address, or end what has this one"
    )]
    Listen {
        /// The setting.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        reason: io::Error,
    },
}

/// A server that listens.
pub struct Running {
    public: Listening,
    admin: Listening,
    reloader: Arc<Reloader>,
    reloads: ReloadThread,
    store: Arc<SledStore>,
    publications: Arc<Publications>,
    sweeper: Arc<Sweeper>,
}

impl Running {
    /// Makes what is missing where the store is new, and listens. Needs a running system of actix.
    pub fn start(configured: Configured, foundations: Foundations) -> Result<Self, StartError> {
        let Configured { source, settings, inputs } = configured;
        // Before anything is counted: what counts asks for its place once, and keeps it.
        let recorder = telemetry::metrics::start();
        keys::judge(&settings, foundations.clock.now())?;
        pages::load(&settings)?;
        // Whatever can fail without leaving a trace comes before the first file is made.
        let [public, admin] = listen::bind(&settings.server)?;
        let settings = keys::make_if_missing(settings, || source.load_noting(&inputs), &*foundations.random)?;
        let store = store::open(&settings.store, Arc::clone(&foundations.clock))?;
        let throttle = Arc::new(Throttle::new(&*foundations.random));
        let fixed = Fixed::of(&settings);
        reload::look_at_keys(&settings, &inputs);
        warn(&settings);
        let publications = Publications::open(Arc::clone(&store) as _, Arc::clone(&foundations.clock));
        let publications = Arc::new(publications.map_err(StartError::StoreUnavailable)?);
        let live = reload::build_live(settings, &foundations, &throttle, &publications, Occasion::Start)?;
        let (clock, random) = (Arc::clone(&foundations.clock), Arc::clone(&foundations.random));
        let state = Data::new(State::new(live, clock, random, store::ports(&store), recorder));
        let stopwatch = Arc::clone(&foundations.stopwatch);
        let (swept, shared) = (Arc::clone(&store), state.clone().into_inner());
        let sweeper = Arc::new(Sweeper::new(swept, shared, Arc::clone(&publications), stopwatch));
        Arc::clone(&sweeper).sweep_now_and_then();
        Arc::clone(&publications).keep_now_and_then();
        keep_metrics_small(state.metrics.clone());
        let public = listen::public(public, &fixed.server, &fixed.issuer, &state)?;
        let admin = listen::admin(admin, &state)?;
        tracing::info!(issuer = %fixed.issuer, listen = %public.address, admin = %admin.address, "serving");
        let lasting = Lasting { throttle, state: state.into_inner(), fixed, publications: Arc::clone(&publications) };
        let reloader = Arc::new(Reloader::new(source, foundations, lasting, inputs));
        let reloads = ReloadThread::start(Arc::clone(&reloader))?;
        Ok(Self { public, admin, reloader, reloads, store, publications, sweeper })
    }

    /// The address of the public port.
    pub const fn public_address(&self) -> SocketAddr {
        self.public.address
    }

    /// The address of the admin port.
    pub const fn admin_address(&self) -> SocketAddr {
        self.admin.address
    }

    /// What must be taken back is in here.
    pub fn store(&self) -> Arc<SledStore> {
        Arc::clone(&self.store)
    }

    /// What has the store forget what is over, once more than by its timer.
    pub fn sweeper(&self) -> Arc<Sweeper> {
        Arc::clone(&self.sweeper)
    }

    /// What loads the configuration again.
    pub fn reloader(&self) -> Arc<Reloader> {
        Arc::clone(&self.reloader)
    }

    /// Serves until `stop` is ready; running requests are ended first, for as long as `server.shutdown_timeout` says.
    pub async fn until(self, stop: impl Future<Output = ()> + 'static) -> io::Result<()> {
        let handles = [self.public.server.handle(), self.admin.server.handle()];
        actix_web::rt::spawn(async move {
            stop.await;
            tracing::info!("stopping");
            listen::stop_in_order(handles).await;
        });
        let (public, admin) = tokio::join!(self.public.server, self.admin.server);
        // A reload that is under way notes which keys it publishes: before the end is noted, not after.
        drop(self.reloads);
        self.publications.end().await;
        // The threads of the servers may let go of the store after this one has ended the process.
        self.store.close();
        public.and(admin)
    }
}

/// Serves until SIGTERM or SIGINT; `on_hang_up` says what SIGHUP does. `started` is called once both ports listen.
pub fn serve(
    configured: Configured,
    foundations: Foundations,
    on_hang_up: OnHangUp,
    started: impl FnOnce(&Running) -> io::Result<()>,
) -> Result<(), StartError> {
    actix_web::rt::System::new().block_on(async {
        // First of all: who sees the server listen may send it a SIGHUP, which ends a process that does not listen to it.
        let signals = Signals::listen()?;
        let running = Running::start(configured, foundations)?;
        started(&running)?;
        let reloads = running.reloads.asker();
        Ok(running.until(signals.until_stop(on_hang_up, reloads)).await?)
    })
}

/// What was measured waits in a list until somebody asks for it, or this puts it into its buckets: a server that nobody
/// asks must not fill its memory. For as long as the system of actix runs.
fn keep_metrics_small(recorder: PrometheusHandle) {
    actix_web::rt::spawn(async move {
        let mut ticks = tokio::time::interval(METRICS_PERIOD);
        loop {
            ticks.tick().await;
            recorder.run_upkeep();
        }
    });
}

/// Says what is allowed and perhaps not meant.
fn warn(settings: &Settings) {
    for warning in &settings.warnings {
        tracing::warn!(warning = warning.as_str(), "the configuration is allowed, and perhaps not meant");
    }
}

/// The settings whose new value waits for a restart.
pub const FIXED_SETTINGS: [&str; 9] = [
    "server.listen",
    "server.admin_listen",
    "server.workers",
    "server.shutdown_timeout",
    "store.url",
    "store.durability",
    "store.cache",
    "log.format",
    "log.level",
];

/// What two configurations may not differ in while the server runs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fixed {
    issuer: Issuer,
    server: ServerSettings,
    store: StoreSettings,
    log: LogSettings,
    /// Of all that was configured at the start.
    fingerprints: Fingerprints,
}

impl Fixed {
    fn of(settings: &Settings) -> Self {
        Self {
            issuer: settings.issuer.clone(),
            server: settings.server.clone(),
            store: settings.store.clone(),
            log: settings.log.clone(),
            fingerprints: settings.fingerprints.clone(),
        }
    }

    /// The settings whose new value waits for a restart.
    fn changes(&self, other: &Self) -> impl Iterator<Item = &'static str> {
        let is_changed = [
            self.server.listen != other.server.listen,
            self.server.admin_listen != other.server.admin_listen,
            self.server.workers != other.server.workers,
            self.server.shutdown_timeout != other.server.shutdown_timeout,
            self.store.path != other.store.path,
            self.store.durability != other.store.durability,
            self.store.cache_bytes != other.store.cache_bytes,
            self.log.format != other.log.format,
            self.log.level != other.log.level,
        ];
        FIXED_SETTINGS.into_iter().zip(is_changed).filter(|(_, is_changed)| *is_changed).map(|(key, _)| key)
    }
}
