//! One run of the load against one server, in a process of its own, pinned to its own core.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::generator;

/// What is asked, and of whom.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Load {
    /// Where the server listens: an address and a port.
    pub(crate) authority: String,
    /// How many connections wait for answers at once.
    pub(crate) connections: usize,
    /// What each of them asks.
    pub(crate) asks: Asks,
    /// When they ask.
    pub(crate) pace: Pace,
}

/// When requests come.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Pace {
    /// Each connection asks again as soon as it is answered.
    AsAnswered,
    /// So many a second, one after each same span.
    Evenly(f64),
    /// So many a second, as if from people who know nothing of each other (a Poisson process).
    ByChance(f64),
}

/// What a connection asks.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Asks {
    /// Always the same.
    Same(Request),
    /// With one refresh token of a pool, into which the next one of the answer goes.
    Refresh(Pool),
    /// With one code of a pool, each once.
    Redeem(Pool),
    /// Of ten requests seven refresh, two are client credentials, one reads a document.
    Mix { refresh: Pool, machine: Request, document: Request },
}

/// Tokens or codes that are waiting, with the request that carries one.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Pool {
    /// `{}` stands for the token.
    pub(crate) form: String,
    pub(crate) tokens: Vec<String>,
}

/// A request that is always the same.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Request {
    Get { path: String },
    Post { path: String, authorization: Option<String>, form: String },
}

/// What one run found.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Answers a second.
    pub(crate) rate: f64,
    /// Half of the answers took no longer, in microseconds.
    pub(crate) p50_us: u64,
    /// 90 of 100 took no longer.
    pub(crate) p90_us: u64,
    /// 99 of 100 took no longer.
    pub(crate) p99_us: u64,
    /// None took longer.
    pub(crate) max_us: u64,
    /// Answers with a status of 400 and more.
    pub(crate) refused: u64,
    /// Answers.
    pub(crate) requests: u64,
    /// The part of the time of both cores that the host gave to others, 0 to 1.
    #[serde(default)]
    pub(crate) stolen: f64,
}

impl Load {
    /// Asks the server of `issuer` from the usual number of connections.
    pub(crate) fn new(issuer: &str, asks: Asks) -> Self {
        let authority = issuer.strip_prefix("http://").expect("a server of this machine").to_owned();
        Self { authority, connections: CONNECTIONS, asks, pace: Pace::AsAnswered }
    }

    /// Runs it. `folder` is for what the process is told.
    ///
    /// # Panics
    /// Where a request was refused or not answered: a figure of a server that fails is none.
    pub(crate) fn run(&self, folder: &Path, span: Duration, core: usize) -> Run {
        let plan = folder.join("load.json");
        fs::write(&plan, serde_json::to_vec(self).expect("JSON")).expect("written");
        let output = Command::new("taskset")
            .args(["-c", &core.to_string()])
            .arg(std::env::current_exe().expect("a program"))
            .arg("load")
            .arg(&plan)
            .arg(span.as_millis().to_string())
            .stderr(Stdio::inherit())
            .output()
            .expect("taskset (util-linux) runs it");
        assert!(output.status.success(), "{}: the load ended early", self.authority);
        let run: Run = serde_json::from_slice(&output.stdout).expect("what the load prints");
        assert!(run.refused == 0 && run.requests > 0, "{}: {run:?}", self.authority);
        run
    }
}

/// The process: reads what it is told, asks, prints what it found.
pub(crate) fn run_process(plan: &Path, span: Duration) -> std::io::Result<String> {
    let load: Load = serde_json::from_slice(&fs::read(plan)?)?;
    Ok(serde_json::to_string(&generator::run(load, span)?)?)
}

/// As many as in the figures that this is compared with.
pub(crate) const CONNECTIONS: usize = 32;
