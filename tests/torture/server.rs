//! The real program in a folder of its own, killed and started again.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use jotsmith::clients::ClientSecretHash;
use jotsmith::foundation::password_hash::{Cost, Password, PasswordHash};
use jotsmith::foundation::random::OsRandom;
use tempfile::TempDir;

pub(crate) const CLIENT: &str = "torture";
pub(crate) const SECRET: &str = "cGxlYXNlIGRvIG5vdCB0ZWxsIGFueWJvZHkgYWJvdXQgaXQ";
/// The other person, by name and subject.
pub(crate) const PERSON: &str = "bob";
pub(crate) const CALLBACK: &str = "https://torture.example.com/cb";
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// How long a start or an end is waited for before the run is given up.
const PATIENCE: Duration = Duration::from_mins(1);

/// One server, whether it runs or not.
pub(crate) struct Server {
    folder: TempDir,
    port: u16,
    admin_port: u16,
    /// The program that runs the server, and its arguments; none, where nothing stands between.
    under: Vec<String>,
    child: Option<Child>,
    /// Whether an answer may fail to come, for the server is being killed.
    is_down: AtomicBool,
}

impl Server {
    /// A folder with a configuration, in which no server ran yet.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listeners = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"));
        let [port, admin_port] = listeners.map(|listener| listener.local_addr().expect("an address").port());
        fs::write(folder.path().join("config.toml"), configuration(port, admin_port)).expect("a configuration");
        Self { folder, port, admin_port, under: Vec::new(), child: None, is_down: AtomicBool::new(true) }
    }

    /// The same, run by another program.
    pub(crate) fn under(under: &[&str]) -> Self {
        let mut server = Self::new();
        server.under = under.iter().map(|&word| word.to_owned()).collect();
        server
    }

    /// The same, with the store and the keys of another one.
    pub(crate) fn with_store_of(other: &Self) -> Self {
        let server = Self::new();
        let config = server.beside_the_store("config.toml");
        let text = fs::read_to_string(&config).expect("a configuration");
        let (store, keys) = (other.store(), other.beside_the_store("keys"));
        let (store, keys) = (store.display(), keys.display());
        let text = format!("{text}\n[store]\nurl = \"sled://{store}\"\n[keys]\ndirectory = \"{keys}\"\n");
        fs::write(config, text).expect("written");
        server
    }

    /// Where the admin port listens.
    pub(crate) fn admin_origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.admin_port)
    }

    /// Where it listens.
    pub(crate) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where its store lies.
    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A place beside the store, of this name.
    pub(crate) fn beside_the_store(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Whether a request may be left without an answer.
    pub(crate) fn is_down(&self) -> bool {
        self.is_down.load(Ordering::SeqCst)
    }

    /// Starts it, and returns when it listens. What it has to say instead is the error.
    pub(crate) fn start(&mut self) -> Result<(), String> {
        let said = self.spawn();
        let mut lines = Vec::new();
        loop {
            match said.recv_timeout(PATIENCE) {
                Ok(line) if line.contains("\"serving\"") => break,
                Ok(line) => lines.push(line),
                Err(_) => return Err(format!("it does not start; it said:\n{}", lines.join("\n"))),
            }
        }
        self.is_down.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// Starts it and kills it after a while, whether it listens by then or not.
    pub(crate) async fn start_and_kill(&mut self, after: Duration) {
        let _said = self.spawn();
        // Not to wait for anything: a moment without a meaning is what is wanted.
        tokio::time::sleep(after).await;
        self.kill();
    }

    /// From now on an answer may fail to come.
    pub(crate) fn announce_kill(&self) {
        self.is_down.store(true, Ordering::SeqCst);
    }

    /// The number by which the operating system knows it.
    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(self.child.as_ref().expect("it runs"))
    }

    /// SIGKILL, and waits until the process is gone.
    pub(crate) fn kill(&mut self) {
        self.announce_kill();
        if let Some(mut child) = self.child.take() {
            // It may be gone already, by the same signal.
            let _ = child.kill();
            child.wait().expect("it ends");
        }
    }

    /// Starts the process: the lines that it writes.
    fn spawn(&mut self) -> Receiver<String> {
        assert!(self.child.is_none(), "it runs already");
        let program = env!("CARGO_BIN_EXE_jotsmith").to_owned();
        let words: Vec<_> = self.under.iter().chain([&program]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        command.args(["serve", "--config", "config.toml"]).current_dir(self.folder.path()).env_clear();
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        let stderr = child.stderr.take().expect("a pipe");
        self.child = Some(child);
        let (sender, said) = mpsc::channel();
        // Reads to the end also where nobody listens any more: a full pipe would stop the server.
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        said
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Copies a folder, which is made.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("copied");
        }
    }
}

fn configuration(port: u16, admin_port: u16) -> String {
    let secret = ClientSecretHash::of_generated(SECRET.as_bytes());
    let cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };
    let password = PasswordHash::hash_blocking(&Password::new(PASSWORD).expect("a password"), cost, &OsRandom);
    let password = password.to_phc_string();
    format!(
        r#"
        issuer = "http://127.0.0.1:{port}"

        [server]
        listen = "127.0.0.1:{port}"
        admin_listen = "127.0.0.1:{admin_port}"

        [log]
        format = "json"

        [lifetimes]
        authorization_code = "10m"

        [[clients]]
        client_id = "{CLIENT}"
        client_secrets = ["{secret}"]
        redirect_uris = ["{CALLBACK}"]
        grant_types = ["authorization_code", "refresh_token", "client_credentials"]
        scope = "read jotsmith:admin"
        resources = ["http://127.0.0.1:{port}", "http://127.0.0.1:{port}/admin"]
        require_consent = false
        require_pkce = false
        refresh_retry_window = "1h"

        [[users]]
        username = "alice"
        subject = "1"
        password_hash = "{password}"

        [[users]]
        username = "{PERSON}"
        subject = "{PERSON}"
        password_hash = "{password}"

        [[resources]]
        identifier = "http://127.0.0.1:{port}"
        scope = "read"
        [[resources]]
        identifier = "http://127.0.0.1:{port}/admin"
        scope = "jotsmith:admin"
        "#
    )
}
