//! The processes that are asked: each in a folder of its own, pinned to one core, ended with this one.

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jotsmith::clients::ClientSecretHash;
use jotsmith::foundation::password_hash::{Cost, Password, PasswordHash};
use jotsmith::foundation::random::OsRandom;

use super::people;

/// Of every client here: as long as `jotsmith client new` makes them.
pub(crate) const SECRET: &str = "bench-secret-0123456789abcdef0123456789abcd";

/// The algorithms, each with an API that asks for it.
pub(crate) const ALGORITHMS: [&str; 3] = ["ES256", "EdDSA", "RS256"];

/// A process that is ended when this is dropped.
pub(crate) struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Starts a program on a core. What it says goes into `log`.
    pub(crate) fn start(
        program: &Path,
        arguments: &[&str],
        core: usize,
        log: &Path,
        variables: &[(&str, &str)],
    ) -> Self {
        let log = File::create(log).expect("a file");
        let child = Command::new("taskset")
            .args(["-c", &core.to_string()])
            .arg(program)
            .args(arguments)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn();
        Self(child.expect("taskset (util-linux) starts it"))
    }

    /// A line of `/proc/PID/status` in MiB. `taskset` becomes the program, so it is the program's.
    pub(crate) fn mebibytes(&self, field: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap_or_default();
        let kibibytes = status.lines().find_map(|line| line.strip_prefix(field)?.trim().strip_suffix(" kB"));
        kibibytes.and_then(|number| number.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0
    }

    /// Ends it as an operator does, and waits for that.
    pub(crate) fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
        self.0.wait().expect("it ends");
    }
}

/// A server of ours.
pub(crate) struct Jotsmith {
    pub(crate) process: Process,
    pub(crate) issuer: String,
    /// From the start of the process until `/health/ready` said so.
    pub(crate) ready_after: Duration,
}

impl Jotsmith {
    /// Starts one in `folder`, with so many more clients than are asked for; what is in the folder already stays.
    pub(crate) fn start(folder: &Path, more_clients: usize, core: usize) -> Self {
        Self::start_program(Path::new(env!("CARGO_BIN_EXE_jotsmith")), folder, more_clients, core)
    }

    /// The same, of another build.
    pub(crate) fn start_program(program: &Path, folder: &Path, more_clients: usize, core: usize) -> Self {
        fs::create_dir_all(folder).expect("a folder");
        let (port, admin_port) = (free_port(), free_port());
        let issuer = format!("http://127.0.0.1:{port}");
        let file = folder.join("bench.toml");
        fs::write(&file, configuration(folder, port, admin_port, more_clients)).expect("written");
        let file = file.to_str().expect("a path of ours");
        let log = folder.join("log");
        let begun = Instant::now();
        let process = Process::start(program, &["serve", "--config", file], core, &log, &[]);
        wait_for(admin_port, &log);
        Self { process, issuer, ready_after: begun.elapsed() }
    }
}

/// Everything that a workload asks for, with `more_clients` that nobody asks for.
fn configuration(folder: &Path, port: u16, admin_port: u16, more_clients: usize) -> String {
    let folder = folder.display();
    let secret = ClientSecretHash::of_generated(SECRET.as_bytes());
    let password = Password::new(people::PASSWORD).expect("short enough");
    let password_hash = PasswordHash::hash_blocking(&password, Cost::RECOMMENDED, &OsRandom).to_phc_string();
    let resources: Vec<String> = ALGORITHMS
        .iter()
        .map(|algorithm| {
            format!(
                "[[resources]]\nidentifier = \"https://{}.example.com/v1\"\nscope = \"read write\"\nalgorithm = \
                 \"{algorithm}\"\naccess_token_lifetime = \"1h\"\nintrospected_by = [\"machine\"]\n",
                algorithm.to_lowercase()
            )
        })
        .collect();
    let others: Vec<String> = (0..more_clients)
        .map(|number| {
            format!(
                "[[clients]]\nclient_id = \"client-{number}\"\nclient_secrets = [\"{secret}\"]\ngrant_types = \
                 [\"client_credentials\"]\nresponse_types = []\nscope = \"read write\"\n"
            )
        })
        .collect();
    format!(
        r#"issuer = "http://127.0.0.1:{port}"
default_resource = "https://es256.example.com/v1"
[server]
listen = "127.0.0.1:{port}"
admin_listen = "127.0.0.1:{admin_port}"
workers = 1
[lifetimes]
authorization_code = "10m"
[store]
url = "sled://{folder}/data"
[keys]
directory = "{folder}/keys"
[scopes.read]
description = {{ en = "Read" }}
[[users]]
username = "{username}"
subject = "248289761001"
password_hash = "{password_hash}"
[[clients]]
client_id = "machine"
client_secrets = ["{secret}"]
grant_types = ["client_credentials"]
response_types = []
scope = "read write"
[[clients]]
client_id = "{app}"
client_secrets = ["{secret}"]
redirect_uris = ["{redirect_uri}"]
grant_types = ["authorization_code", "refresh_token"]
scope = "read write"
require_consent = false
{resources}{others}"#,
        resources = resources.concat(),
        others = others.concat(),
        username = people::USERNAME,
        app = people::APP,
        redirect_uri = people::REDIRECT_URI,
    )
}

/// Waits until `/health/ready` of the admin port says yes.
///
/// # Panics
/// After a minute, with what the server said.
fn wait_for(port: u16, log: &Path) {
    let begun = Instant::now();
    while !is_ready(port).unwrap_or(false) {
        let said = || fs::read_to_string(log).unwrap_or_default();
        assert!(begun.elapsed() <= Duration::from_mins(1), "it does not start: {}", said());
        std::thread::sleep(Duration::from_micros(500));
    }
}

fn is_ready(port: u16) -> io::Result<bool> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    Ok(status.ends_with(b"200"))
}

/// Waits until somebody listens on a port of the loopback address.
pub(crate) fn wait_until_listening(port: u16, log: &Path) {
    let begun = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        let said = || fs::read_to_string(log).unwrap_or_default();
        assert!(begun.elapsed() <= Duration::from_secs(20), "it does not start: {}", said());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A port that nobody has at the moment.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}
