//! `jotsmith check --diff`: how what is written differs from what a running server has.
//!
//! The server is asked on its admin port, under the seal of a key that both have: whoever may read the configuration may
//! ask, and an answer that this opens comes from that server.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::cli::{Failure, with_causes};
use crate::config::{SETTINGS, Settings};
use crate::foundation::clock::{Clock as _, SystemClock};
use crate::foundation::fingerprints::Changes;
use crate::foundation::random::{self, OsRandom};
use crate::http::configuration::{Answer, MOST_COUNTED, PATH, Question};
use crate::keys::sealing_ring::SealingRing;
use crate::startup::{self, FIXED_SETTINGS};

/// How long the server may take; it may have many grants to count.
const TIMEOUT: Duration = Duration::from_mins(2);

/// The largest answer, in bytes; a hundred thousand clients take a tenth of it.
const LARGEST_ANSWER: usize = 128 * 1024 * 1024;

/// How many names of a list are printed.
const MOST_NAMES: usize = 100;

/// The list of the clients.
const CLIENTS: &str = "clients";

/// The lists that are compared, and what one of each is called.
const LISTS: [(&str, &str); 8] = [
    (CLIENTS, "clients"),
    ("users", "users"),
    ("resources", "resources"),
    ("scopes", "scopes"),
    ("keys.signing", "signing keys"),
    ("keys.sealing", "sealing keys"),
    ("keys.killed", "killed keys"),
    (SETTINGS, "settings"),
];

/// Prints how the settings differ from what the server at their `server.admin_listen` has; fails where the server cannot
/// be asked, and where it would refuse a reload.
pub(super) fn print(settings: &Settings) -> Result<(), Failure> {
    let server = Server::of(settings)?;
    let answer = server.ask(BTreeSet::new())?;
    if answer.version != env!("CARGO_PKG_VERSION") {
        eprintln!(
            "warning: the server has version {}, and this is {}: its defaults may differ",
            answer.version,
            env!("CARGO_PKG_VERSION")
        );
    }
    let changes = LISTS.map(|(list, what)| (what, settings.fingerprints.changes(&answer.fingerprints, list)));
    if changes.iter().all(|(_, changes)| changes.is_empty()) {
        println!("The server at {} has exactly this.", server.address);
        return Ok(());
    }
    println!("Against the server at {}:", server.address);
    let removed: BTreeSet<_> = changes[0].1.removed.iter().take(MOST_COUNTED).cloned().collect();
    let grants = if removed.is_empty() { BTreeMap::new() } else { server.ask(removed)?.grants };
    for (what, changes) in &changes {
        print_list(what, changes, &grants);
    }
    Ok(())
}

fn print_list(what: &str, changes: &Changes, grants: &BTreeMap<String, u64>) {
    let Changes { added, changed, removed } = changes;
    if changes.is_empty() {
        return;
    }
    println!("  {what}: {} added, {} changed, {} removed", added.len(), changed.len(), removed.len());
    for (sign, names) in [('+', added), ('~', changed), ('-', removed)] {
        for name in names.iter().take(MOST_NAMES) {
            let remark = match sign {
                '-' if what == CLIENTS => dying(grants.get(name).copied().unwrap_or(0)),
                _ if what == SETTINGS && FIXED_SETTINGS.contains(&name.as_str()) => ", after a restart".to_owned(),
                _ => String::new(),
            };
            println!("    {sign} {}{remark}", name.escape_debug());
        }
        if names.len() > MOST_NAMES {
            println!("    {sign} and {} more", names.len() - MOST_NAMES);
        }
    }
}

/// A refresh token of a client that is gone is good for nothing.
fn dying(grants: u64) -> String {
    match grants {
        0 => ", with no live grant".to_owned(),
        1 => ", and 1 live grant with it".to_owned(),
        grants => format!(", and {grants} live grants with it"),
    }
}

/// The running server.
struct Server {
    address: SocketAddr,
    ring: SealingRing,
}

impl Server {
    fn of(settings: &Settings) -> Result<Self, Failure> {
        let mut address = settings.server.admin_listen;
        if address.port() == 0 {
            return Err("server.admin_listen has port 0, which is another one at each start, so the server cannot be \
                        asked; give it a port"
                .into());
        }
        // Whoever listens on all addresses listens on loopback.
        match address.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        let ring = startup::load_sealing_ring(settings, SystemClock.now())?;
        Ok(Self { address, ring })
    }

    fn ask(&self, count_grants_of: BTreeSet<String>) -> Result<Answer, Failure> {
        let nonce = random::bytes(&OsRandom);
        let question = Question { nonce, asked_at: SystemClock.now(), count_grants_of }.seal(&self.ring, &OsRandom);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let answer = runtime.block_on(self.post(question))?;
        let answer = Answer::open(&self.ring, &answer).ok().filter(|answer| answer.nonce == nonce);
        answer.ok_or_else(|| Failure(format!("what answers at {} is no server of this configuration", self.address)))
    }

    async fn post(&self, question: String) -> Result<String, Failure> {
        let failed = |cause: reqwest::Error| {
            Failure(format!(
                "the server cannot be asked at {}, which server.admin_listen names; is it running, and was it started \
                 with this address? {}",
                self.address,
                with_causes(&cause.without_url())
            ))
        };
        // It is on this machine, or in this network: no proxy is on the way, and nobody sends us elsewhere.
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT);
        let request = http.build().map_err(failed)?.post(format!("http://{}{PATH}", self.address)).body(question);
        let mut response = request.send().await.map_err(failed)?;
        if response.status() == reqwest::StatusCode::FORBIDDEN {
            return Err(Failure(format!(
                "the server at {} does not know this configuration's sealing keys or issuer, so a reload would be \
                 refused or would end every session: compare keys.sealing and issuer with what it was started with",
                self.address
            )));
        }
        if !response.status().is_success() {
            return Err(Failure(format!("the server at {} answers with {}", self.address, response.status())));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(Failure(format!("what answers at {} does not stop", self.address)));
            }
            body.extend_from_slice(&chunk);
        }
        // What is no text is no answer of ours, which opening it finds.
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}
