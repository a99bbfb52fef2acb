//! A server in a folder of its own, and a client that follows no redirect.

pub(crate) mod log;
pub(crate) mod tools;

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use jotsmith::clients::ClientSecretHash;
use jotsmith::config::Environment;
use jotsmith::foundation::clock::{ManualClock, Timestamp};
use jotsmith::foundation::random::OsRandom;
use jotsmith::foundation::slow_hash::{PoolSize, SlowHash};
use jotsmith::startup::{Foundations, Reloader, Running, Source};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;

/// The moment at which every test begins.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_795_000_000);

/// The client of most tests, and its secret.
pub(crate) const MACHINE: &str = "machine";
pub(crate) const SECRET: &str = "cGxlYXNlIGRvIG5vdCB0ZWxsIGFueWJvZHkgYWJvdXQgaXQ";

/// A configuration with one machine client that may `read` and `write`.
pub(crate) fn machine() -> String {
    let hash = ClientSecretHash::of_generated(SECRET.as_bytes());
    format!(
        r#"
        [[clients]]
        client_id = "{MACHINE}"
        client_secrets = ["{hash}"]
        grant_types = ["client_credentials"]
        response_types = []
        scope = "read write"
        "#
    )
}

/// A running server.
pub(crate) struct TestServer {
    folder: TempDir,
    port: u16,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) issuer: String,
    admin: String,
    pub(crate) reloader: Arc<Reloader>,
    http: Client,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TestServer {
    /// Starts a server whose configuration is `config` and what every test needs besides.
    pub(crate) fn start(config: &str) -> Self {
        Self::try_start(config).unwrap_or_else(|error| panic!("the server does not start: {error}"))
    }

    /// Starts a server, or gives the message with which `jotsmith serve` would have failed.
    pub(crate) fn try_start(config: &str) -> Result<Self, String> {
        log::start();
        let folder = tempfile::tempdir().expect("a folder");
        let source = Source { files: vec![folder.path().join("config.toml")], environment: environment(folder.path()) };
        let port = free_port();
        fs::write(&source.files[0], with_defaults(config, folder.path(), port)).expect("a configuration");
        let clock = Arc::new(ManualClock::at(START));
        let foundations = Foundations {
            clock: Arc::clone(&clock) as _,
            random: Arc::new(OsRandom),
            slow_hash: SlowHash::new(PoolSize::for_this_machine()),
        };
        let (started, starting) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || run(source, foundations, &started, stopped));
        let (issuer, admin, reloader) = starting.recv().expect("the server's thread answers")?;
        let http = Client::builder().redirect(redirect::Policy::none()).build().expect("an HTTP client");
        Ok(Self { folder, port, clock, issuer, admin, reloader, http, stop: Some(stop), thread: Some(thread) })
    }

    /// The folder in which the configuration, the keys and the store lie.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes another configuration; nothing reads it before a reload.
    pub(crate) fn write_config(&self, config: &str) {
        fs::write(self.folder().join("config.toml"), with_defaults(config, self.folder(), self.port))
            .expect("a configuration");
    }

    /// Moves the clock.
    pub(crate) fn advance(&self, span: Duration) {
        self.clock.advance(span);
    }

    /// The address of a path on the public port.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
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

    /// A POST to the token endpoint whose body is `form`.
    pub(crate) fn token_request(&self, form: &str) -> RequestBuilder {
        self.http
            .post(self.url("/token"))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.to_owned())
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
        let answer = self.machine_token(&format!("grant_type=client_credentials{form}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.json()["access_token"].as_str().expect("a token").to_owned()
    }
}

impl Drop for TestServer {
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

type Started = Result<(String, String, Arc<Reloader>), String>;

fn run(source: Source, foundations: Foundations, started: &mpsc::Sender<Started>, stopped: oneshot::Receiver<()>) {
    actix_web::rt::System::new().block_on(async {
        match Running::start(source, foundations) {
            Ok(running) => {
                let issuer = format!("http://{}", running.public_address());
                let admin = format!("http://{}", running.admin_address());
                started.send(Ok((issuer, admin, running.reloader()))).expect("the test waits");
                running.until(async { drop(stopped.await) }).await.expect("the server ends well");
            }
            Err(error) => started.send(Err(error.to_string())).expect("the test waits"),
        }
    });
}

fn environment(folder: &Path) -> Environment {
    Environment {
        variables: BTreeMap::new(),
        working_directory: folder.to_owned(),
        system_directory: PathBuf::from("/nonexistent"),
    }
}

/// A port that nobody has. The issuer must be known before the server listens, for it is the server's own address.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// An issuer that is the server's address, a free admin port, folders of the test's own, and a short answer to the stop.
fn with_defaults(config: &str, folder: &Path, port: u16) -> String {
    let folder = folder.display();
    let mut document: toml_edit::DocumentMut = config.parse().expect("TOML");
    document.entry("issuer").or_insert(toml_edit::value(format!("http://127.0.0.1:{port}")));
    let defaults = [
        ("server", "listen", format!("127.0.0.1:{port}")),
        ("server", "admin_listen", "127.0.0.1:0".to_owned()),
        ("server", "shutdown_timeout", "1s".to_owned()),
        ("keys", "directory", format!("{folder}/keys")),
        ("store", "url", format!("sled://{folder}/data")),
    ];
    for (section, key, text) in defaults {
        let table = document.entry(section).or_insert(toml_edit::table());
        table.as_table_mut().expect("a table").entry(key).or_insert(toml_edit::value(text));
    }
    if let Some(server) = document["server"].as_table_mut() {
        server.entry("workers").or_insert(toml_edit::value(1));
    }
    document.to_string()
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        Self::read(request.send().await.expect("an answer")).await
    }

    async fn read(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, body: response.text().await.expect("a body") }
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.body))
    }

    /// A header's value, and the empty text when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// Asserts that this is the error of the table, with everything that every error has.
    pub(crate) fn assert_error(&self, status: u16, code: &str) {
        assert_eq!((self.status.as_u16(), self.json()["error"].as_str()), (status, Some(code)), "{}", self.body);
        assert!(self.json()["error_description"].as_str().is_some_and(|text| text.ends_with('.')), "{}", self.body);
        assert_eq!(self.json()["error_id"].as_str(), Some(self.header("x-request-id")), "{}", self.body);
        assert_eq!(self.header("content-type"), "application/json");
        assert_eq!(self.header("cache-control"), "no-store");
        assert_eq!(self.header("pragma"), "no-cache");
        let challenge = self.header("www-authenticate");
        assert_eq!(challenge.starts_with("Basic realm="), status == 401, "{challenge}");
    }
}

/// The claims of a JWT, whose signature is not looked at.
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The JOSE header of a JWT.
pub(crate) fn header(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, at: usize) -> Value {
    let encoded = token.split('.').nth(at).expect("a JWT has three parts");
    let bytes = jotsmith::foundation::base64url::decode(encoded).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}
