//! A server in a folder of its own, and a client that follows no redirect.

mod answer;
pub(crate) mod assertions;
pub(crate) mod browser;
mod clients;
pub(crate) mod foreign;
pub(crate) mod log;
mod page;
pub(crate) mod people;
pub(crate) mod program;
pub(crate) mod requests;
mod site;
pub(crate) mod tools;
mod walk;

use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use jotsmith::foundation::clock::{Clock as _, ManualClock, Timestamp};
use jotsmith::foundation::random::OsRandom;
use jotsmith::foundation::slow_hash::{PoolSize, SlowHash};
use jotsmith::login::store::SessionStore as _;
use jotsmith::startup::{Foundations, Reloader, Running, Source, StartError, Sweeper};
use jotsmith::store::sled::SledStore;
use jotsmith::tokens::store::GrantStore as _;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, RequestBuilder, redirect};
use tokio::sync::oneshot;

pub(crate) use answer::{Answer, claims, header};
pub(crate) use clients::{MACHINE, SECRET, machine, machine_with_secrets, public_client};
pub(crate) use site::{Site, TestKey, free_port};

/// The moment at which every test begins.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_795_000_000);

/// What asks for a token by client credentials.
pub(crate) const CLIENT_CREDENTIALS: &str = "grant_type=client_credentials";

/// A running server.
pub(crate) struct TestServer {
    pub(crate) site: Site,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) issuer: String,
    admin: String,
    http: Client,
    served: Option<Served>,
}

/// The thread that serves; dropping it stops the server and waits for its end.
struct Served {
    /// Holds the store, which is closed when nobody does.
    reloader: Arc<Reloader>,
    store: Arc<SledStore>,
    sweeper: Arc<Sweeper>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TestServer {
    /// Starts a server whose configuration is `config` and what every test needs besides.
    pub(crate) fn start(config: &str) -> Self {
        Self::start_at(Site::new(), config)
    }

    /// Starts a server where keys lie already.
    pub(crate) fn start_at(site: Site, config: &str) -> Self {
        site.write_config(config);
        Self::try_start(site).unwrap_or_else(|error| panic!("the server does not start: {error}"))
    }

    /// Starts a server, or gives the message with which `jotsmith serve` would have failed.
    pub(crate) fn try_start(site: Site) -> Result<Self, String> {
        log::start();
        let clock = Arc::new(ManualClock::at(START));
        let (Addresses { issuer, admin }, served) = serve(&site, &clock)?;
        // Every request has a connection of its own: one that waited would not outlive a restart.
        let http = Client::builder().redirect(redirect::Policy::none()).pool_max_idle_per_host(0);
        let http = http.build().expect("an HTTP client");
        Ok(Self { site, clock, issuer, admin, http, served: Some(served) })
    }

    /// Stops the server, lets `between` look at its folder, and starts it again, at the same time of its clock.
    pub(crate) fn restart(&mut self, between: impl FnOnce(&Site)) {
        drop(self.served.take());
        between(&self.site);
        let (addresses, served) = serve(&self.site, &self.clock).expect("what has started starts again");
        self.admin = addresses.admin;
        self.served = Some(served);
    }

    /// Takes the store away: from now on it is out of order.
    pub(crate) async fn lose_store(&self) {
        let store = Arc::clone(&self.served.as_ref().expect("it serves").store);
        tokio::task::spawn_blocking(move || store.close()).await.expect("no panic");
    }

    /// Ends all that a person has done so far, as `jotsmith grants revoke --subject` does.
    pub(crate) async fn end_all(&self, subject: &str) {
        let store = Arc::clone(&self.served.as_ref().expect("it serves").store);
        store.end_all(subject, self.clock.now()).await.expect("the store works");
    }

    /// Has the store forget what is over, as its timer does, until the end of a round.
    pub(crate) async fn sweep(&self) {
        let sweeper = &self.served.as_ref().expect("it serves").sweeper;
        while !sweeper.sweep().await.expect("the store is in order") {}
    }

    /// How many grants the store remembers, whether they are good or not.
    pub(crate) async fn remembered_grants(&self) -> usize {
        let store = Arc::clone(&self.served.as_ref().expect("it serves").store);
        store.find_grants(None, None, 1000).await.expect("the store works").grants.len()
    }

    /// Writes another configuration and loads it.
    pub(crate) async fn reload(&self, config: &str) -> Result<(), String> {
        self.site.write_config(config);
        let reloader = Arc::clone(&self.served.as_ref().expect("it serves").reloader);
        let outcome = tokio::task::spawn_blocking(move || reloader.reload()).await;
        outcome.expect("no panic").map_err(|refused| refused.to_string())
    }

    /// Moves the clock.
    pub(crate) fn advance(&self, span: Duration) {
        self.clock.advance(span);
    }

    /// The address of a path on the public port.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.site.origin())
    }

    /// The address of a path on the admin port.
    pub(crate) fn admin_url(&self, path: &str) -> String {
        format!("{}{path}", self.admin)
    }

    /// A client that follows no redirect.
    pub(crate) fn http(&self) -> &Client {
        &self.http
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.http.get(self.url(path))).await
    }

    pub(crate) async fn get_admin(&self, path: &str) -> Answer {
        Answer::of(self.http.get(format!("{}{path}", self.admin))).await
    }

    /// A POST whose body is `form`.
    pub(crate) fn post(&self, path: &str, form: &str) -> RequestBuilder {
        self.http.post(self.url(path)).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.to_owned())
    }

    /// A POST to the token endpoint whose body is `form`.
    pub(crate) fn token_request(&self, form: &str) -> RequestBuilder {
        self.post("/token", form)
    }

    /// Asks the token endpoint without an `Authorization` header.
    pub(crate) async fn post_token(&self, form: &str) -> Answer {
        Answer::of(self.token_request(form)).await
    }

    /// Asks the token endpoint as [`MACHINE`].
    pub(crate) async fn machine_token(&self, form: &str) -> Answer {
        Answer::of(self.token_request(form).basic_auth(MACHINE, Some(SECRET))).await
    }

    /// An access token for [`MACHINE`], with what `form` adds to the request.
    pub(crate) async fn access_token(&self, form: &str) -> String {
        self.machine_token(&format!("{CLIENT_CREDENTIALS}{form}")).await.access_token()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended already, by a panic that the test reports.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Serves what is configured at `site` on a thread of its own.
fn serve(site: &Site, clock: &Arc<ManualClock>) -> Result<(Addresses, Served), String> {
    let foundations = Foundations {
        clock: Arc::clone(clock) as _,
        stopwatch: Arc::clone(clock) as _,
        random: Arc::new(OsRandom),
        slow_hash: SlowHash::new(PoolSize::for_this_machine()),
    };
    let (started, starting) = mpsc::channel();
    let (stop, stopped) = oneshot::channel();
    let source = site.source();
    let thread = std::thread::spawn(move || run(source, foundations, &started, stopped));
    let Started { addresses, reloader, store, sweeper } = starting.recv().expect("the server's thread answers")?;
    Ok((addresses, Served { reloader, store, sweeper, stop: Some(stop), thread: Some(thread) }))
}

struct Addresses {
    issuer: String,
    admin: String,
}

struct Started {
    addresses: Addresses,
    reloader: Arc<Reloader>,
    store: Arc<SledStore>,
    sweeper: Arc<Sweeper>,
}

fn run(
    source: Source,
    foundations: Foundations,
    started: &mpsc::Sender<Result<Started, String>>,
    stopped: oneshot::Receiver<()>,
) {
    actix_web::rt::System::new().block_on(async {
        let configured = source.configured().map_err(StartError::from);
        match configured.and_then(|configured| Running::start(configured, foundations)) {
            Ok(running) => {
                let issuer = format!("http://{}", running.public_address());
                let admin = format!("http://{}", running.admin_address());
                let addresses = Addresses { issuer, admin };
                let (reloader, store, sweeper) = (running.reloader(), running.store(), running.sweeper());
                let begun = Started { addresses, reloader, store, sweeper };
                started.send(Ok(begun)).expect("the test waits");
                running.until(async { drop(stopped.await) }).await.expect("the server ends well");
            }
            Err(error) => started.send(Err(error.to_string())).expect("the test waits"),
        }
    });
}
