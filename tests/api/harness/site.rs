//! Where one server lives: a folder with its configuration, its keys and its store, and a port.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use jotsmith::config::Environment;
use jotsmith::keys::algorithm::Algorithm;
use jotsmith::keys::key_files;
use jotsmith::keys::signing_key::{self, SigningKey};
use jotsmith::startup::Source;
use tempfile::TempDir;

/// What stands for the server's own address in a configuration that a test writes.
pub(crate) const ORIGIN: &str = "<origin>";

/// A signing key in a file.
pub(crate) struct TestKey {
    pub(crate) kid: String,
    /// What configures it; its times may be appended.
    pub(crate) entry: String,
    pub(crate) file: PathBuf,
}

/// A folder and a port of one test.
pub(crate) struct Site {
    folder: TempDir,
    port: u16,
}

impl Site {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("keys")).expect("a folder for keys");
        Self { folder, port: free_port() }
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The server's address, which is its issuer where the configuration names no other.
    pub(crate) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The file of the configuration.
    pub(crate) fn config_file(&self) -> PathBuf {
        self.folder().join("config.toml")
    }

    /// Writes a configuration, with what every test needs where it does not say otherwise; nothing reads it before a
    /// start or a reload.
    pub(crate) fn write_config(&self, config: &str) {
        fs::write(self.config_file(), self.with_defaults(config)).expect("a configuration");
    }

    /// Writes a configuration as it is.
    pub(crate) fn write_raw_config(&self, text: &str) {
        fs::write(self.config_file(), text).expect("a configuration");
    }

    /// Makes a signing key in the folder of the keys. No configuration names it yet.
    pub(crate) fn add_key(&self, algorithm: Algorithm) -> TestKey {
        let pem = signing_key::generate(algorithm);
        let key = SigningKey::from_pem(pem.as_bytes(), algorithm, None).expect("a key of ours");
        let kid = key.kid().to_owned();
        let file = self.folder().join("keys").join(format!("{kid}.pem"));
        key_files::create(&file, pem.as_bytes()).expect("a key file");
        let entry = format!("[[keys.signing]]\nfile = \"{kid}.pem\"\nalgorithm = \"{algorithm}\"\n");
        TestKey { kid, entry, file }
    }

    /// Every file of the folder with what it holds: what a command that failed has not changed.
    pub(crate) fn content(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut content = BTreeMap::new();
        collect(self.folder(), &mut content);
        content
    }

    /// Where a server in this process reads its configuration.
    pub(super) fn source(&self) -> Source {
        let environment = Environment {
            variables: BTreeMap::new(),
            not_utf8: BTreeSet::new(),
            working_directory: self.folder().to_owned(),
            system_directory: PathBuf::from("/nonexistent"),
        };
        Source { files: vec![self.config_file()], environment }
    }

    /// An issuer that is the server's address, a free admin port, and a short answer to the stop. Keys and store lie
    /// in the folder, where the server runs.
    pub(crate) fn with_defaults(&self, config: &str) -> String {
        let config = config.replace(ORIGIN, &self.origin());
        let mut document: toml_edit::DocumentMut = config.parse().expect("TOML");
        document.entry("issuer").or_insert(toml_edit::value(self.origin()));
        let server = document.entry("server").or_insert(toml_edit::table()).as_table_mut().expect("a table");
        server.entry("listen").or_insert(toml_edit::value(format!("127.0.0.1:{}", self.port)));
        server.entry("admin_listen").or_insert(toml_edit::value("127.0.0.1:0"));
        server.entry("shutdown_timeout").or_insert(toml_edit::value("10s"));
        server.entry("workers").or_insert(toml_edit::value(1));
        document.to_string()
    }
}

fn collect(folder: &Path, content: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            content.insert(path.clone(), Vec::new());
            collect(&path, content);
        } else {
            content.insert(path.clone(), fs::read(&path).expect("a file"));
        }
    }
}

/// A port that nobody has. The issuer must be known before the server listens, for it is the server's own address.
///
/// It lies below those that the operating system gives to clients, so that none takes it before the server does, and
/// no two tests look at the same one.
pub(crate) fn free_port() -> u16 {
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(131);
    let candidates = (0..COUNT).map(|_| FIRST + start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT);
    let mut candidates = candidates.map(|port| u16::try_from(port).expect("below 30,000"));
    candidates.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).expect("a free port")
}
