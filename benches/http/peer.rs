//! npm `oidc-provider` as a peer: installed below `target/`, with a Node.js of the release line that it asks for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::servers::{Process, SECRET, free_port, wait_until_listening};

/// The packages that the peer needs, installed.
pub(crate) struct Packages(PathBuf);

/// One process of it, which signs with one algorithm.
pub(crate) struct Peer {
    /// Ends with this.
    _process: Process,
    pub(crate) issuer: String,
}

impl Packages {
    /// Installs them where they are not there yet; needs npm and its registry.
    pub(crate) fn install() -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/http/peer");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/http-bench/peer");
        fs::create_dir_all(&folder).expect("a folder");
        for name in ["package.json", "package-lock.json", "server.mjs"] {
            fs::copy(source.join(name), folder.join(name)).expect("copied");
        }
        let npm = Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--silent"]).current_dir(&folder).status();
        assert!(
            npm.is_ok_and(|status| status.success()),
            "npm cannot install the peer; --without-peer goes without it"
        );
        Self(folder)
    }

    /// Starts one on a core.
    pub(crate) fn start(&self, algorithm: &str, core: usize) -> Peer {
        let port = free_port();
        let log = self.0.join(format!("{algorithm}.log"));
        let variables =
            [("NODE_ENV", "production"), ("ALG", algorithm), ("PORT", &port.to_string()), ("SECRET", SECRET)];
        let node = self.0.join("node_modules/.bin/node");
        let script = self.0.join("server.mjs");
        let process = Process::start(&node, &[script.to_str().expect("a path of ours")], core, &log, &variables);
        wait_until_listening(port, &log);
        Peer { _process: process, issuer: format!("http://127.0.0.1:{port}") }
    }
}

impl Peer {
    /// So many refresh tokens.
    pub(crate) fn refresh_tokens(&self, count: usize) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let http = reqwest::Client::new();
        runtime.block_on(async {
            let mut tokens = Vec::new();
            for _ in 0..count {
                let answer = http.get(format!("{}/refresh-token", self.issuer)).send().await.expect("answered");
                tokens.push(answer.text().await.expect("text"));
            }
            tokens
        })
    }
}
