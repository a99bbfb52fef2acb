//! How many instructions single steps take, counted by callgrind: unlike times, nearly the same on every run of one machine.
//!
//! `instructions.txt` has the counts of before; more than the tolerance above them is a failure, below them a reason to
//! write them anew. How to run it stands in `README.md`.

#![expect(clippy::print_stdout, reason = "what it finds is what it is for")]

#[path = "rules/fixture.rs"]
mod fixture;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, ExitCode};
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

use fixture::{Fixture, NOW, basic_header, grant};

/// By how much a count may differ from the one that is kept, in percent.
const TOLERANCE: u64 = 5;

/// How often a step is done in the shorter and in the longer of two runs: their difference leaves out all that comes
/// before the first and after the last.
const FEW: u64 = 100;
const MANY: u64 = 600;

const STEPS: [&str; 8] = [
    "mint ES256",
    "mint EdDSA",
    "mint RS256",
    "authenticate",
    "open and decide",
    "authorization request",
    "rotate",
    "client credentials",
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["step", step, times] => step_many_times(step, times.parse().expect("a number")),
        ["keep"] => fs::write(file(), render(&counts())).expect("written"),
        [] => return compare(),
        _ => println!("nothing: compare with instructions.txt; keep: write it anew"),
    }
    ExitCode::SUCCESS
}

fn file() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.txt"))
}

fn counts() -> BTreeMap<&'static str, u64> {
    STEPS.into_iter().map(|step| (step, (count(step, MANY) - count(step, FEW)) / (MANY - FEW))).collect()
}

fn render(counts: &BTreeMap<&str, u64>) -> String {
    let lines: Vec<String> = counts.iter().map(|(step, count)| format!("{step}: {count}")).collect();
    lines.join("\n") + "\n"
}

fn compare() -> ExitCode {
    let kept = fs::read_to_string(file()).expect("instructions.txt");
    let kept: BTreeMap<&str, u64> = kept
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(step, count)| (step, count.parse().expect("a number")))
        .collect();
    let mut outcome = ExitCode::SUCCESS;
    println!("| step | instructions | kept | |\n|---|---|---|---|");
    for (step, count) in counts() {
        let Some(before) = kept.get(step).copied() else {
            println!("| {step} | {count} | | not kept yet |");
            continue;
        };
        let verdict = if count * 100 > before * (100 + TOLERANCE) {
            outcome = ExitCode::FAILURE;
            "more than is allowed"
        } else if count * 100 < before * (100 - TOLERANCE) {
            "less: keep it with `cargo bench --bench instructions -- keep`"
        } else {
            ""
        };
        println!("| {step} | {count} | {before} | {verdict} |");
    }
    outcome
}

/// How many instructions this program takes to do a step so many times.
fn count(step: &str, times: u64) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe().expect("a program"))
        .args(["step", step, &times.to_string()])
        .output()
        .expect("valgrind is there (apt-get install valgrind)");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let collected = said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    collected.unwrap_or_else(|| panic!("callgrind told no count: {said}"))
}

fn step_many_times(step: &str, times: u64) {
    match step {
        "mint ES256" => mint(Algorithm::Es256, times),
        "mint EdDSA" => mint(Algorithm::EdDsa, times),
        "mint RS256" => mint(Algorithm::Rs256, times),
        "authenticate" => authenticate(times),
        "open and decide" => open_and_decide(times),
        "authorization request" => judge_request(times),
        "rotate" => rotate(times),
        "client credentials" => client_credentials(times),
        _ => panic!("no such step"),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
}

fn mint(algorithm: Algorithm, times: u64) {
    let (fixture, runtime) = (Fixture::new(), runtime());
    for _ in 0..times {
        black_box(runtime.block_on(fixture.mint(algorithm)));
    }
}

fn authenticate(times: u64) {
    let (fixture, runtime, header) = (Fixture::new(), runtime(), basic_header());
    for _ in 0..times {
        assert!(runtime.block_on(fixture.authenticate(black_box(&header))));
    }
}

fn open_and_decide(times: u64) {
    let (fixture, grant) = (Fixture::new(), grant());
    let handle = Handle { kind: HandleKind::Refresh, id: grant.id, generation: grant.generation };
    let sealed = handle.seal(&fixture.sealing, NOW);
    for _ in 0..times {
        let opened = Handle::open(black_box(sealed.expose_secret()), HandleKind::Refresh, &fixture.sealing);
        black_box(decide(&grant, opened.expect("ours").generation, NOW, &policy(&fixture), false));
    }
}

fn policy(fixture: &Fixture) -> RotationPolicy {
    RotationPolicy { retry_window: Duration::from_secs(30), idle: fixture.lifetimes.refresh_token_idle }
}

fn judge_request(times: u64) {
    const QUERY: &[u8] = b"response_type=code&client_id=s6BhdRkqt3&state=af0ifjsldkj&scope=read\
                           &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
    let fixture = Fixture::new();
    let registrations =
        Registrations { clients: &fixture.clients, resources: &fixture.resources, lifetimes: &fixture.lifetimes };
    for _ in 0..times {
        assert!(AuthorizationRequest::parse(black_box(QUERY), registrations, NOW).is_ok());
    }
}

/// Durable rotations, one after the other.
fn rotate(times: u64) {
    let (fixture, folder) = (Fixture::new(), tempfile::tempdir().expect("a folder"));
    let options =
        StoreOptions { path: folder.path().join("data"), durability: Durability::Fsync, cache_bytes: 32 << 20 };
    let store = SledStore::open(options, Arc::new(SystemClock)).expect("it opens");
    let (runtime, grant) = (runtime(), grant());
    runtime.block_on(store.put_grant(grant.clone())).expect("answered");
    for generation in (grant.generation..).take(usize::try_from(times).expect("few")) {
        let rotation = runtime.block_on(store.rotate(grant.id, generation, NOW, policy(&fixture)));
        assert!(matches!(rotation, Ok(Rotation::Rotated(_))), "{rotation:?}");
    }
}

/// Whole requests over a socket, to a server in this process; what the client side takes counts too, and is little.
fn client_credentials(times: u64) {
    const SECRET: &str = "bench-secret-0123456789abcdef0123456789abcd";
    let folder = tempfile::tempdir().expect("a folder");
    let address = serve(folder.path(), &ClientSecretHash::of_generated(SECRET.as_bytes()));
    let form = format!("grant_type=client_credentials&scope=read&client_id=machine&client_secret={SECRET}");
    let request = format!(
        "POST /token HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: \
         {}\r\n\r\n{form}",
        form.len()
    );
    let mut stream = TcpStream::connect(address).expect("it listens");
    let mut answer = vec![0; 64 << 10];
    for _ in 0..times {
        stream.write_all(request.as_bytes()).expect("written");
        let mut length = 0;
        while !is_whole(&answer[..length]) {
            let read = stream.read(&mut answer[length..]).expect("read");
            assert!(read > 0, "it went away");
            length += read;
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..length]));
    }
    // The server's threads end with the process.
    std::mem::forget(folder);
}

fn is_whole(answer: &[u8]) -> bool {
    answer.ends_with(b"}")
}

/// A server of one client on a thread of its own.
fn serve(folder: &Path, secret: &str) -> SocketAddr {
    let file = folder.join("bench.toml");
    let at = folder.display();
    let text = format!(
        r#"issuer = "http://127.0.0.1:8080"
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
"#
    );
    fs::write(&file, text).expect("written");
    let (told, heard) = mpsc::channel();
    thread::spawn(move || {
        actix_web::rt::System::new().block_on(async {
            let source = Source { files: vec![file], environment: Environment::of_process() };
            let running = Running::start(source, Foundations::of_the_machine()).expect("it starts");
            told.send(running.public_address()).expect("somebody waits");
            running.until(std::future::pending()).await.expect("it serves");
        });
    });
    heard.recv().expect("it starts")
}
