//! The examples, each started as its own first lines say.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use super::AUDIENCE;
use crate::harness::program::Running;
use crate::harness::{free_port, tools};

/// A resource server that runs; it ends when it is dropped.
pub(super) struct Api {
    address: String,
    is_apache: bool,
    running: Option<Running>,
    _folder: TempDir,
}

impl Api {
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) const fn is_apache(&self) -> bool {
        self.is_apache
    }

    /// `examples/resource_server.rs`.
    pub(super) fn rust(issuer: &str, leeway_seconds: &str) -> Option<Self> {
        let mut command = Command::new(tools::example("resource_server")?);
        command.env("LEEWAY_SECONDS", leeway_seconds);
        Some(Self::start(command, issuer, tempfile::tempdir().expect("a folder")))
    }

    /// `examples/resource-server-node`.
    pub(super) fn node(issuer: &str) -> Option<Self> {
        let modules = tools::find("JOTSMITH_TEST_NODE_MODULES")?;
        let folder = tempfile::tempdir().expect("a folder");
        symlink(fs::canonicalize(modules).expect("a folder"), folder.path().join("node_modules")).expect("a link");
        // Node looks for modules beside the file.
        for file in ["package.json", "server.js"] {
            fs::copy(example("resource-server-node").join(file), folder.path().join(file)).expect("a file");
        }
        let mut command = Command::new("node");
        command.arg("server.js").current_dir(folder.path());
        Some(Self::start(command, issuer, folder))
    }

    /// `examples/resource-server-python`.
    pub(super) fn python(issuer: &str) -> Option<Self> {
        let mut command = Command::new(tools::find("JOTSMITH_TEST_PYTHON")?);
        command.arg(example("resource-server-python").join("server.py"));
        Some(Self::start(command, issuer, tempfile::tempdir().expect("a folder")))
    }

    /// `examples/resource-server-apache`, before an API that believes its headers.
    pub(super) fn apache(issuer: &str) -> Option<Self> {
        let program = tools::installed("/usr/sbin/apache2", "apache2 libapache2-mod-oauth2")?;
        tools::installed("/usr/lib/apache2/modules/mod_oauth2.so", "libapache2-mod-oauth2")?;
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(program);
        command.args(["-DFOREGROUND", "-f"]).arg(example("resource-server-apache").join("apache.conf"));
        command.env("RUN_DIR", folder.path()).env("BACKEND", believing_backend());
        Some(Self::start_and_wait(command, issuer, folder, true))
    }

    fn start(command: Command, issuer: &str, folder: TempDir) -> Self {
        Self::start_and_wait(command, issuer, folder, false)
    }

    fn start_and_wait(mut command: Command, issuer: &str, folder: TempDir, is_apache: bool) -> Self {
        let listen = format!("127.0.0.1:{}", free_port());
        command.env("ISSUER", issuer).env("AUDIENCE", AUDIENCE).env("LISTEN", &listen);
        let mut running = Running::spawn(command);
        if is_apache {
            running.wait_for_log("resuming normal operations");
        } else {
            running.wait_for_output("listening on");
        }
        Self { address: format!("http://{listen}"), is_apache, running: Some(running), _folder: folder }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        if let Some(running) = self.running.take()
            && self.is_apache
        {
            // Killed, it would leave its workers.
            running.signal(Signal::TERM);
            running.end();
        }
    }
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// An API that verifies nothing: it takes the subject from the header that the proxy sets. Gives its address.
fn believing_backend() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            // Whoever hangs up gets no answer.
            let _ = answer(stream);
        }
    });
    address
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut subjects = Vec::new();
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
        if name.eq_ignore_ascii_case("oauth2_claim_sub") {
            subjects.push(value.to_owned());
        }
    }
    let body = format!("the notes of {}", subjects.join(" and "));
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}
