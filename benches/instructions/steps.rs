//! What is counted: each step is done a few times before, so that nothing is counted that is done once.

use std::fs;
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use jotsmith::authorize::request::{AuthorizationRequest, Registrations};
use jotsmith::clients::ClientSecretHash;
use jotsmith::config::Environment;
use jotsmith::foundation::clock::SystemClock;
use jotsmith::foundation::secret::ExposeSecret as _;
use jotsmith::keys::algorithm::Algorithm;
use jotsmith::startup::{Foundations, Running, Source};
use jotsmith::store::sled::SledStore;
use jotsmith::store::{Durability, StoreOptions};
use jotsmith::tokens::handle::{Handle, HandleKind};
use jotsmith::tokens::refresh_rotation::{RotationPolicy, decide};
use jotsmith::tokens::store::{GrantStore as _, Rotation};

use super::callgrind;
use super::fixture::{Fixture, NOW, basic_header, grant};
use super::limit::{self, Answers};

/// How often a step is done and counted.
pub(crate) const TIMES: u64 = 400;

/// How often before that.
const BEFORE: u64 = 100;

const SECRET: &str = "bench-secret-0123456789abcdef0123456789abcd";

/// A step by its name.
pub(crate) type Step = (&'static str, fn());

/// All of them.
pub(crate) const STEPS: [Step; 12] = [
    ("mint ES256", || mint(Algorithm::Es256)),
    ("mint EdDSA", || mint(Algorithm::EdDsa)),
    ("mint RS256", || mint(Algorithm::Rs256)),
    ("authenticate", authenticate),
    ("open and decide", open_and_decide),
    ("authorization request", judge_request),
    ("rotate", rotate),
    ("key set", || request_of_ours(&get("/.well-known/jwks.json"))),
    ("client credentials ES256", || request_of_ours(&client_credentials("ES256"))),
    ("client credentials EdDSA", || request_of_ours(&client_credentials("EdDSA"))),
    ("the limit of them, ES256", || request_of_limit("ES256")),
    ("the limit of them, EdDSA", || request_of_limit("EdDSA")),
];

/// Does something, and then does it and counts.
fn count(mut step: impl FnMut()) {
    (0..BEFORE).for_each(|_| step());
    callgrind::begin();
    (0..TIMES).for_each(|_| step());
    callgrind::end();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
}

fn mint(algorithm: Algorithm) {
    let (fixture, runtime) = (Fixture::new(), runtime());
    count(|| {
        black_box(runtime.block_on(fixture.mint(algorithm)));
    });
}

fn authenticate() {
    let (fixture, runtime, header) = (Fixture::new(), runtime(), basic_header());
    count(|| assert!(runtime.block_on(fixture.authenticate(black_box(&header)))));
}

fn open_and_decide() {
    let (fixture, grant) = (Fixture::new(), grant());
    let handle = Handle { kind: HandleKind::Refresh, id: grant.id, generation: grant.generation };
    let sealed = handle.seal(&fixture.sealing, NOW);
    count(|| {
        let opened = Handle::open(black_box(sealed.expose_secret()), HandleKind::Refresh, &fixture.sealing);
        black_box(decide(&grant, opened.expect("ours").generation, NOW, &policy(&fixture), None));
    });
}

fn policy(fixture: &Fixture) -> RotationPolicy {
    RotationPolicy { retry_window: Duration::from_secs(30), idle: fixture.lifetimes.refresh_token_idle }
}

fn judge_request() {
    const QUERY: &[u8] = b"response_type=code&client_id=s6BhdRkqt3&state=af0ifjsldkj&scope=read\
                           &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
    let fixture = Fixture::new();
    let registrations =
        Registrations { clients: &fixture.clients, resources: &fixture.resources, lifetimes: &fixture.lifetimes };
    count(|| assert!(AuthorizationRequest::parse(black_box(QUERY), registrations, NOW).is_ok()));
}

/// Durable rotations, one after the other.
fn rotate() {
    let (fixture, folder) = (Fixture::new(), tempfile::tempdir().expect("a folder"));
    let options =
        StoreOptions { path: folder.path().join("data"), durability: Durability::Fsync, cache_bytes: 32 << 20 };
    let store = SledStore::open(options, Arc::new(SystemClock)).expect("it opens");
    let (runtime, grant) = (runtime(), grant());
    runtime.block_on(store.put_grant(grant.clone())).expect("answered");
    let mut generation = grant.generation;
    count(|| {
        let rotation = runtime.block_on(store.rotate(grant.id, generation, NOW, policy(&fixture)));
        assert!(matches!(rotation, Ok(Rotation::Rotated(_))), "{rotation:?}");
        generation += 1;
    });
}

/// A request with a body, as it goes over the wire.
fn post(path: &str, form: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: \
         {}\r\n\r\n{form}",
        form.len()
    )
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
}

fn client_credentials(algorithm: &str) -> String {
    post("/token", &form(algorithm))
}

fn form(algorithm: &str) -> String {
    format!(
        "grant_type=client_credentials&scope=read&client_id=machine&client_secret={SECRET}&resource={}",
        resource(algorithm)
    )
}

fn resource(algorithm: &str) -> String {
    format!("https://{}.example.com/v1", algorithm.to_lowercase())
}

/// Whole requests over a socket, to a server in this process; what the client side takes counts too, and is little.
fn request_of_ours(request: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut connection = Connection::to(serve(folder.path()));
    count(|| {
        black_box(connection.ask(request));
    });
    // The server's threads end with the process.
    std::mem::forget(folder);
}

/// The same to a server that does nothing but what a token request cannot do without (`http/limit.rs`).
fn request_of_limit(algorithm: &'static str) {
    let folder = tempfile::tempdir().expect("a folder");
    let ours = Connection::to(serve(folder.path())).ask(&client_credentials(algorithm)).to_owned();
    let token: serde_json::Value = serde_json::from_str(&ours).expect("JSON");
    let (signing_input, _) =
        token["access_token"].as_str().and_then(|token| token.rsplit_once('.')).expect("a token that is signed");
    let answers =
        Answers { signing_inputs: [(algorithm.to_owned(), signing_input.to_owned())].into(), document: String::new() };
    let file = folder.path().join("answers.json");
    fs::write(&file, serde_json::to_vec(&answers).expect("JSON")).expect("written");
    let address = TcpListener::bind(("127.0.0.1", 0)).and_then(|port| port.local_addr()).expect("a port");
    thread::spawn(move || limit::serve(address.port(), &file));
    let mut connection = Connection::to(address);
    let request = post(&format!("/token/{algorithm}"), &form(algorithm));
    count(|| {
        black_box(connection.ask(&request));
    });
    std::mem::forget(folder);
}

/// A connection that is kept.
struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    /// To a server that listens, or will soon.
    fn to(address: SocketAddr) -> Self {
        let stream = loop {
            if let Ok(stream) = TcpStream::connect(address) {
                break stream;
            }
            thread::yield_now();
        };
        Self { stream, answer: vec![0; 64 << 10] }
    }

    /// The body of an answer, which is JSON.
    fn ask(&mut self, request: &str) -> &str {
        self.stream.write_all(request.as_bytes()).expect("written");
        let mut length = 0;
        while !self.answer[..length].ends_with(b"}") {
            let read = self.stream.read(&mut self.answer[length..]).expect("read");
            assert!(read > 0, "it went away");
            length += read;
        }
        let answer = str::from_utf8(&self.answer[..length]).expect("UTF-8");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer.split_once("\r\n\r\n").expect("a head and a body").1
    }
}

/// A server of one client on a thread of its own.
fn serve(folder: &Path) -> SocketAddr {
    let (file, secret) = (folder.join("bench.toml"), ClientSecretHash::of_generated(SECRET.as_bytes()));
    let at = folder.display();
    let resources = ["ES256", "EdDSA"].map(|algorithm| {
        let identifier = resource(algorithm);
        format!("[[resources]]\nidentifier = \"{identifier}\"\nscope = \"read write\"\nalgorithm = \"{algorithm}\"\n")
    });
    let text = format!(
        r#"issuer = "http://127.0.0.1:8080"
default_resource = "{default}"
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
workers = 1
[store]
url = "sled://{at}/data"
[keys]
directory = "{at}/keys"
[[clients]]
client_id = "machine"
client_secrets = ["{secret}"]
grant_types = ["client_credentials"]
response_types = []
scope = "read write"
{resources}"#,
        default = resource("ES256"),
        resources = resources.concat(),
    );
    fs::write(&file, text).expect("written");
    let (told, heard) = mpsc::channel();
    thread::spawn(move || {
        actix_web::rt::System::new().block_on(async {
            let source = Source { files: vec![file], environment: Environment::of_process() };
            let configured = source.configured().expect("it is read");
            let running = Running::start(configured, Foundations::of_the_machine()).expect("it starts");
            told.send(running.public_address()).expect("somebody waits");
            running.until(std::future::pending()).await.expect("it serves");
        });
    });
    heard.recv().expect("it starts")
}
