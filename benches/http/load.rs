//! One run of wrk against one server, pinned to its own core.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is asked, and of whom.
#[derive(Clone)]
pub(crate) struct Load {
    /// The address.
    pub(crate) url: String,
    /// How many connections wait for answers at once.
    pub(crate) connections: usize,
    /// What `wrk.lua` reads, by its name there.
    pub(crate) variables: BTreeMap<&'static str, String>,
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
    /// Requests without an answer.
    pub(crate) failed: u64,
    /// Answers.
    pub(crate) requests: u64,
}

impl Load {
    /// A form that is always the same.
    pub(crate) fn post(url: String, body: &str, authorization: Option<&str>) -> Self {
        let mut variables = BTreeMap::from([("KIND", "fixed".to_owned()), ("BODY", body.to_owned())]);
        if let Some(authorization) = authorization {
            variables.insert("AUTH", authorization.to_owned());
        }
        Self { url, connections: CONNECTIONS, variables }
    }

    /// A document.
    pub(crate) fn get(url: String) -> Self {
        let variables = BTreeMap::from([("KIND", "fixed".to_owned()), ("METHOD", "GET".to_owned())]);
        Self { url, connections: CONNECTIONS, variables }
    }

    /// Runs it.
    ///
    /// # Panics
    /// Where wrk is not there, or a request was refused or not answered: a figure of a server that fails is none.
    pub(crate) fn run(&self, span: Duration, core: usize) -> Run {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/http/wrk.lua");
        let output = Command::new("taskset")
            .args(["-c", &core.to_string(), "wrk", "-t1", "-s", script])
            .arg(format!("-c{}", self.connections))
            .arg(format!("-d{}s", span.as_secs().max(1)))
            .arg(&self.url)
            .envs(&self.variables)
            .output()
            .expect("taskset (util-linux) runs wrk");
        let text = String::from_utf8_lossy(&output.stdout);
        let found = text.lines().find_map(|line| line.strip_prefix("RESULT "));
        let found = found.unwrap_or_else(|| {
            let said = String::from_utf8_lossy(&output.stderr);
            panic!("wrk told nothing; is it there (apt-get install wrk)? {said}{text}")
        });
        let run: Run = serde_json::from_str(found).expect("what wrk.lua writes");
        assert!(run.refused == 0 && run.failed == 0 && run.requests > 0, "{}: {run:?}", self.url);
        run
    }
}

/// As many as in the figures that this is compared with.
pub(crate) const CONNECTIONS: usize = 32;
