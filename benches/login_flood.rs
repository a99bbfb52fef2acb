//! Client credentials while somebody floods the login page: what the hashing of passwords costs everybody else.
//!
//! ```sh
//! cargo bench --bench login_flood
//! ```
//!
//! The real program with a store of its own. One caller asks for tokens by client credentials, a request every 5 ms, first
//! at rest, then while wrong passwords come in from ever new networks for ever new names, more than the pool can hash.
//! Beside them a person signs in whose browser is known, and one whose browser is not. All of it runs on this machine: the
//! flood's own work counts too.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jotsmith::clients::ClientSecretHash;
use jotsmith::foundation::password_hash::{Cost, Password, PasswordHash};
use jotsmith::foundation::random::OsRandom;
use reqwest::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use reqwest::{Client, redirect};

const SECRET: &str = "cGxlYXNlIGRvIG5vdCB0ZWxsIGFueWJvZHkgYWJvdXQgaXQ";
const PASSWORD: &str = "correct horse battery staple";
const FORM: &str = "application/x-www-form-urlencoded";

/// How long each row is measured.
const SPAN: Duration = Duration::from_secs(15);
/// Wrong passwords a second: several times what a core can hash.
const FLOOD_A_SECOND: u32 = 200;
/// Those who send them.
const FLOODERS: u32 = 40;

/// The program while it runs.
struct Server {
    child: Child,
    origin: String,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        fs::write(folder.path().join("config.toml"), configuration(port)).expect("a configuration");
        let mut command = Command::new(env!("CARGO_BIN_EXE_jotsmith"));
        command.args(["serve", "--config", "config.toml"]).current_dir(folder.path()).env_clear();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut said = BufReader::new(child.as_mut().expect("it starts").stderr.take().expect("a pipe")).lines();
        let is_serving = said.by_ref().map_while(Result::ok).any(|line| line.contains("\"serving\""));
        assert!(is_serving, "the server does not start");
        // Its log is read on, else it would wait for somebody to do so.
        std::thread::spawn(move || said.for_each(drop));
        Self { child: child.expect("it started"), origin: format!("http://127.0.0.1:{port}"), _folder: folder }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(port: u16) -> String {
    let password = Password::new(PASSWORD).expect("a password");
    let password_hash = PasswordHash::hash_blocking(&password, Cost::RECOMMENDED, &OsRandom).to_phc_string();
    let secret = ClientSecretHash::of_generated(SECRET.as_bytes());
    format!(
        r#"
        issuer = "http://127.0.0.1:{port}"
        default_resource = "https://api.example.com"
        [server]
        listen = "127.0.0.1:{port}"
        admin_listen = "127.0.0.1:0"
        trusted_proxies = ["127.0.0.0/8"]
        [log]
        format = "json"
        [[resources]]
        identifier = "https://api.example.com"
        scope = "read"
        [[clients]]
        client_id = "machine"
        client_secrets = ["{secret}"]
        grant_types = ["client_credentials"]
        response_types = []
        scope = "read"
        [[clients]]
        client_id = "web"
        client_secrets = ["{secret}"]
        redirect_uris = ["https://web.example.com/cb"]
        grant_types = ["authorization_code"]
        scope = "read"
        require_consent = false
        require_pkce = false
        [[users]]
        username = "alice"
        subject = "1"
        password_hash = "{password_hash}"
        "#
    )
}

fn client() -> Client {
    Client::builder().redirect(redirect::Policy::none()).build().expect("an HTTP client")
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// A login form, and the cookies of the browser that was shown it.
#[derive(Clone)]
struct LoginForm {
    fields: String,
    cookies: Vec<String>,
}

impl LoginForm {
    async fn open(http: &Client, origin: &str, cookies: &[String]) -> Self {
        let asked = "response_type=code&client_id=web&redirect_uri=https%3A%2F%2Fweb.example.com%2Fcb&prompt=login";
        let request = http.get(format!("{origin}/authorize?{asked}")).header(COOKIE, cookies.join("; "));
        let answer = request.send().await.expect("an answer");
        let mut cookies = cookies.to_vec();
        cookies.extend(cookies_of(&answer));
        let page = answer.text().await.expect("a page");
        let value = |name: &str| {
            let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).expect("a field");
            rest.split_once('"').expect("its end").0.to_owned()
        };
        Self { fields: format!("request={}&csrf={}", value("request"), value("csrf")), cookies }
    }

    /// The status, and the cookies that came.
    async fn send(&self, http: &Client, origin: &str, who: &str, network: u32) -> (u16, Vec<String>) {
        let network = Ipv4Addr::from_bits(0x0A00_0000 | network);
        let request = http.post(format!("{origin}/login")).header(CONTENT_TYPE, FORM);
        let request = request.header(COOKIE, self.cookies.join("; ")).header("x-forwarded-for", network.to_string());
        let answer = request.body(format!("{}&{who}", self.fields)).send().await.expect("an answer");
        (answer.status().as_u16(), cookies_of(&answer))
    }
}

fn cookies_of(answer: &reqwest::Response) -> Vec<String> {
    let values = answer.headers().get_all(SET_COOKIE).iter().map(|value| value.to_str().expect("ASCII"));
    values.map(|value| value.split(';').next().unwrap_or_default().to_owned()).collect()
}

#[expect(clippy::disallowed_methods, reason = "what it takes is what is measured")]
fn now() -> Instant {
    Instant::now()
}

/// Times, sorted.
struct Times(Vec<Duration>);

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    fn at(&self, permille: usize) -> f64 {
        let at = (self.0.len() * permille / 1000).min(self.0.len().saturating_sub(1));
        self.0.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
    }

    #[expect(clippy::print_stdout, reason = "the table is what this program is for")]
    fn print(&self, name: &str) {
        let (count, p50, p99, most) = (self.0.len(), self.at(500), self.at(990), self.at(1000));
        println!("| {name} | {count} | {p50:.2} | {p99:.2} | {most:.2} |");
    }
}

/// Asks for tokens, one every 5 ms whatever the one before took.
fn machine(origin: &str) -> Times {
    run(async {
        let http = client();
        let mut times = Vec::new();
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        let end = now() + SPAN;
        while now() < end {
            ticks.tick().await;
            let request = http.post(format!("{origin}/token")).basic_auth("machine", Some(SECRET));
            let request = request.header(CONTENT_TYPE, FORM).body("grant_type=client_credentials");
            let begin = now();
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.status().as_u16(), 200);
            answer.bytes().await.expect("a token");
            times.push(begin.elapsed());
        }
        Times::of(times)
    })
}

/// What came of a flood.
#[derive(Default)]
struct Flood {
    is_over: AtomicBool,
    network: AtomicU32,
    hashed: AtomicUsize,
    refused: AtomicUsize,
}

impl Flood {
    fn run(&self, origin: &str) {
        run(async {
            let http = client();
            let form = LoginForm::open(&http, origin, &[]).await;
            let pause = Duration::from_secs(1) * FLOODERS / FLOOD_A_SECOND;
            let flooders = (0..FLOODERS).map(|_| async {
                let mut ticks = tokio::time::interval(pause);
                while !self.is_over.load(Ordering::Relaxed) {
                    ticks.tick().await;
                    let number = self.network.fetch_add(1, Ordering::Relaxed);
                    let who = format!("username=nobody{number}&password=guess");
                    match form.send(&http, origin, &who, number).await.0 {
                        403 => self.hashed.fetch_add(1, Ordering::Relaxed),
                        503 => self.refused.fetch_add(1, Ordering::Relaxed),
                        status => panic!("{status}"),
                    };
                }
            });
            futures_util::future::join_all(flooders).await;
        });
    }
}

/// Signs in again and again, one second apart: how long it took, and how often there was no place.
async fn person(http: &Client, origin: &str, known: &[String], network: u32) -> (Times, usize) {
    let (mut times, mut refused) = (Vec::new(), 0);
    let end = now() + SPAN;
    while now() < end {
        let form = LoginForm::open(http, origin, known).await;
        let begin = now();
        match form.send(http, origin, &alice(), network).await.0 {
            303 => times.push(begin.elapsed()),
            503 => refused += 1,
            status => panic!("{status}"),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    (Times::of(times), refused)
}

fn alice() -> String {
    format!("username=alice&password={}", PASSWORD.replace(' ', "+"))
}

#[expect(clippy::print_stdout, reason = "the table is what this program is for")]
fn main() {
    let server = Server::start();
    let origin = &server.origin;
    let known = run(async {
        let http = client();
        let form = LoginForm::open(&http, origin, &[]).await;
        let (status, cookies) = form.send(&http, origin, &alice(), 1).await;
        assert_eq!(status, 303);
        cookies.into_iter().filter(|cookie| cookie.contains("-known")).collect::<Vec<_>>()
    });
    assert_eq!(known.len(), 1, "the browser is known");
    println!("| | requests | p50 ms | p99 ms | longest ms |\n|---|---|---|---|---|");
    machine(origin);
    let rest = machine(origin);
    rest.print("client credentials at rest");
    let flood = Arc::new(Flood { network: AtomicU32::new(1000), ..Flood::default() });
    let people = Mutex::new(Vec::new());
    let flooded = std::thread::scope(|scope| {
        scope.spawn(|| flood.run(origin));
        scope.spawn(|| {
            let http = client();
            let signed_in =
                run(async { tokio::join!(person(&http, origin, &known, 2), person(&http, origin, &[], 3)) });
            people.lock().expect("no panic").push(signed_in);
        });
        let flooded = machine(origin);
        flood.is_over.store(true, Ordering::Relaxed);
        flooded
    });
    flooded.print("client credentials during the flood");
    for (owner, stranger) in people.into_inner().expect("no panic") {
        owner.0.print("a sign-in from a known browser during it");
        stranger.0.print("a sign-in from another browser during it");
        println!("\nfound no place: {} times the known browser, {} times the other one", owner.1, stranger.1);
    }
    let (hashed, refused) = (flood.hashed.load(Ordering::Relaxed), flood.refused.load(Ordering::Relaxed));
    println!("of the flood's passwords {hashed} were hashed and {refused} found no place");
    println!("p99 during the flood against p99 at rest: {:.2}", flooded.at(990) / rest.at(990));
}
