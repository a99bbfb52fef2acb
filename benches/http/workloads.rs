//! What is measured: by name, against whom.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::limit::Answers;
use super::load::{Asks, Load, Pace, Pool, Request, Run};
use super::peer::{Packages, Peer};
use super::people::{SignedIn, redemption_form, refresh_form};
use super::report::{Spread, Workload, print_head};
use super::servers::{ALGORITHMS, Jotsmith, Process, SECRET, free_port, wait_until_listening};
use super::{Plan, host, plot};

/// More than this machine redeems in the time of one run.
const CODES_A_SECOND: usize = 25_000;

/// What a server holds when its start is measured.
const GRANTS_AT_START: usize = 10_000;

/// How often it is started then.
const STARTS: usize = 15;

/// Everything that was found, for `results.json`.
#[derive(Serialize, Default)]
struct Results {
    workloads: Vec<Workload>,
    process: BTreeMap<&'static str, f64>,
}

struct Bench<'a> {
    plan: &'a Plan,
    folder: tempfile::TempDir,
    ours: Jotsmith,
    people: SignedIn,
    limit: String,
    _limit: Process,
    peers: BTreeMap<&'static str, Rc<Peer>>,
    /// Another build, which is asked the same.
    other: Option<Jotsmith>,
    results: Results,
}

/// Runs all that the plan names.
pub(crate) fn run(plan: &Plan) {
    let peers = if plan.without_peer { BTreeMap::new() } else { start_peers(plan) };
    let folder = tempfile::tempdir().expect("a folder");
    let ours = Jotsmith::start(&folder.path().join("ours"), 0, plan.server_core);
    let mut results = Results::default();
    results.process.insert("idle_mib", ours.process.mebibytes("VmRSS:"));
    let people = SignedIn::at(&ours.issuer);
    let (limit, process) = start_limit(plan, folder.path(), &ours, &people);
    let other = plan
        .against
        .as_deref()
        .map(|program| Jotsmith::start_program(program, &folder.path().join("other"), 0, plan.server_core));
    let mut bench = Bench { plan, folder, ours, other, people, limit, _limit: process, peers, results };
    print_head();
    bench.client_credentials();
    bench.documents();
    bench.refresh();
    bench.codes();
    bench.introspection();
    bench.half_of_the_rate();
    bench.many_clients();
    bench.mix();
    bench.start();
    bench.finish();
}

fn start_peers(plan: &Plan) -> BTreeMap<&'static str, Rc<Peer>> {
    let packages = Packages::install();
    ALGORITHMS.into_iter().map(|algorithm| (algorithm, Rc::new(packages.start(algorithm, plan.server_core)))).collect()
}

fn start_limit(plan: &Plan, folder: &Path, ours: &Jotsmith, people: &SignedIn) -> (String, Process) {
    let input = |algorithm: &&str| {
        let token = people.machine_token(&resource(algorithm));
        let (input, _) = token.rsplit_once('.').expect("a JWT");
        ((*algorithm).to_owned(), input.to_owned())
    };
    let signing_inputs = ALGORITHMS.iter().map(input).collect();
    let answers = Answers { signing_inputs, document: people.get(&format!("{}{KEY_SET}", ours.issuer)) };
    let file = folder.join("answers.json");
    fs::write(&file, serde_json::to_vec(&answers).expect("JSON")).expect("written");
    let (port, log) = (free_port(), folder.join("limit.log"));
    let program = std::env::current_exe().expect("a program");
    let arguments = ["limit-server", &port.to_string(), file.to_str().expect("a path of ours")];
    let process = Process::start(&program, &arguments, plan.server_core, &log, &[]);
    wait_until_listening(port, &log);
    (format!("http://127.0.0.1:{port}"), process)
}

fn resource(algorithm: &str) -> String {
    format!("https://{}.example.com/v1", algorithm.to_lowercase())
}

const KEY_SET: &str = "/.well-known/jwks.json";

fn basic() -> String {
    format!("Basic {}", STANDARD.encode(format!("machine:{SECRET}")))
}

/// Who is asked, and for what: made anew for each run.
type Server = (&'static str, Box<dyn Fn() -> Load>);

/// The build that `--against` names.
const OTHER: &str = "other build";

/// One that is asked for the same in each run.
fn always(name: &'static str, load: Load) -> Server {
    (name, Box::new(move || load.clone()))
}

/// A run that the host has left alone.
fn run_calmly(plan: &Plan, folder: &Path, load: &dyn Fn() -> Load) -> Run {
    let (run, stolen) = host::calmest(|| {
        let load = load();
        host::watch(plan.cores(), || load.run(folder, plan.span(), plan.load_core))
    });
    Run { stolen, ..run }
}

impl Bench<'_> {
    fn is_wanted(&self, name: &str) -> bool {
        self.plan.only.as_deref().is_none_or(|only| name.contains(only))
    }

    /// Measures the servers in turn, after one short run of each to warm up. Each load is made anew for each run.
    fn measure(&mut self, name: &str, servers: &[Server]) {
        if !self.is_wanted(name) {
            return;
        }
        let folder = self.folder.path();
        let run = |load: &dyn Fn() -> Load, plan: &Plan| run_calmly(plan, folder, load);
        for (_, load) in servers {
            let _warm: Run = load().run(folder, Duration::from_secs(1), self.plan.load_core);
        }
        // Another one is first in each round: what lingers of one server does not always fall on the same neighbour.
        let round = |number: usize| {
            let turns = (0..servers.len()).map(|turn| (number + turn) % servers.len());
            let mut runs: Vec<(usize, Run)> = turns.map(|at| (at, run(&servers[at].1, self.plan))).collect();
            runs.sort_unstable_by_key(|(at, _)| *at);
            runs.into_iter().map(|(_, run)| run).collect()
        };
        let rounds: Vec<Vec<Run>> = (0..self.plan.runs).map(round).collect();
        let names: Vec<&str> = servers.iter().map(|(server, _)| *server).collect();
        let workload = Workload::new(name, &names, &rounds);
        workload.print();
        self.results.workloads.push(workload);
    }

    fn client_credentials(&mut self) {
        for algorithm in ALGORITHMS {
            let name = format!("client-credentials {algorithm}");
            let form = format!("grant_type=client_credentials&scope=read&resource={}", resource(algorithm));
            let mut servers = vec![
                always("Jotsmith", machine_load(&self.ours.issuer, "/token", &form)),
                always("limit", machine_load(&self.limit, &format!("/token/{algorithm}"), &form)),
            ];
            servers.extend(self.peers.get(algorithm).map(|peer| {
                let form = "grant_type=client_credentials&scope=read";
                always("oidc-provider", machine_load(&peer.issuer, "/token", form))
            }));
            servers
                .extend(self.other.as_ref().map(|other| always(OTHER, machine_load(&other.issuer, "/token", &form))));
            self.measure(&name, &servers);
        }
    }

    fn documents(&mut self) {
        for (name, path) in [("key set", KEY_SET), ("metadata", "/.well-known/oauth-authorization-server")] {
            let get = |issuer: &str, path: &str| Load::new(issuer, Asks::Same(Request::Get { path: path.to_owned() }));
            let mut servers =
                vec![always("Jotsmith", get(&self.ours.issuer, path)), always("limit", get(&self.limit, "/document"))];
            servers.extend(self.other.as_ref().map(|other| always(OTHER, get(&other.issuer, path))));
            self.measure(name, &servers);
        }
    }

    /// Durable refreshes, against client credentials of the same server and the peer's refreshes in memory.
    fn refresh(&mut self) {
        for connections in [1, 32, 64, 256] {
            let name = format!("refresh ES256, {connections} connections");
            if !self.is_wanted(&name) {
                continue;
            }
            let load =
                move |issuer: &str, tokens| Load { connections, ..Load::new(issuer, Asks::Refresh(pool(tokens))) };
            let refreshes = |name, issuer: &str| -> Server {
                let people = SignedIn::at(issuer);
                (name, Box::new(move || load(&people.issuer, people.refresh_tokens(2 * connections))))
            };
            let machine = Load { connections, ..machine_load(&self.ours.issuer, "/token", &machine_form()) };
            let mut servers = vec![refreshes("Jotsmith", &self.ours.issuer), always("credentials", machine)];
            // One of them is enough, and takes long.
            let peer = self.peers.get("ES256").filter(|_| connections == 64).cloned();
            servers.extend(peer.map(|peer| -> Server {
                ("oidc-provider", Box::new(move || load(&peer.issuer, peer.refresh_tokens(2 * connections))))
            }));
            servers.extend(self.other.as_ref().map(|other| refreshes(OTHER, &other.issuer)));
            self.measure(&name, &servers);
        }
    }

    fn codes(&mut self) {
        let name = "code redemption ES256";
        if !self.is_wanted(name) {
            return;
        }
        let people = SignedIn::at(&self.ours.issuer);
        // Codes are used once, so a run takes as many as it can: the shorter the better.
        let plan = Plan { seconds: 1, ..self.plan.clone() };
        let load = || {
            let form = format!("grant_type=authorization_code&code={{}}{}", redemption_form());
            let tokens = people.codes(CODES_A_SECOND * usize::try_from(plan.seconds).unwrap_or(1));
            Load::new(&people.issuer, Asks::Redeem(Pool { form, tokens }))
        };
        let folder = self.folder.path();
        let rounds: Vec<_> = (0..plan.runs).map(|_| vec![run_calmly(&plan, folder, &load)]).collect();
        let workload = Workload::new(name, &["Jotsmith"], &rounds);
        workload.print();
        self.results.workloads.push(workload);
    }

    fn introspection(&mut self) {
        let token = self.people.machine_token(&resource("ES256"));
        let load = machine_load(&self.ours.issuer, "/introspect", &format!("token={token}"));
        self.measure("introspection ES256", &[always("Jotsmith", load)]);
    }

    /// Client credentials at half the rate of saturation: what a request takes that seldom queues. Beside it the limit
    /// server at half of its own.
    fn half_of_the_rate(&mut self) {
        for (how, pace) in [("evenly", Pace::Evenly as fn(f64) -> Pace), ("by chance", Pace::ByChance)] {
            let name = format!("client-credentials ES256, half the rate, {how}");
            if !self.is_wanted(&name) {
                continue;
            }
            let half = |issuer: &str, path: &str| {
                let load = Load { connections: 64, ..machine_load(issuer, path, &machine_form()) };
                let full = load.run(self.folder.path(), self.plan.span(), self.plan.load_core);
                Load { pace: pace(full.rate / 2.0), ..load }
            };
            let (ours, limit) = (half(&self.ours.issuer, "/token"), half(&self.limit, "/token/ES256"));
            self.measure(&name, &[always("Jotsmith", ours), always("limit", limit)]);
        }
    }

    fn many_clients(&mut self) {
        let name = "client-credentials ES256, 100,000 clients";
        if !self.is_wanted(name) {
            return;
        }
        let folder = self.folder.path().join("many");
        let many = Jotsmith::start(&folder, 100_000, self.plan.server_core);
        let few = Jotsmith::start(&self.folder.path().join("few"), 10, self.plan.server_core);
        let load = |server: &Jotsmith| machine_load(&server.issuer, "/token", &machine_form());
        self.measure(name, &[always("Jotsmith", load(&many)), always("10 clients", load(&few))]);
    }

    /// Of ten requests seven refresh, two ask for client credentials, one reads the key set.
    fn mix(&mut self) {
        let name = "mix: 7 refresh, 2 credentials, 1 key set";
        if !self.is_wanted(name) {
            return;
        }
        let server = Jotsmith::start(&self.folder.path().join("mix"), 0, self.plan.server_core);
        let people = SignedIn::at(&server.issuer);
        let issuer = server.issuer.clone();
        let load = move || {
            let mix = Asks::Mix {
                refresh: pool(people.refresh_tokens(128)),
                machine: machine_request("/token", &machine_form()),
                document: Request::Get { path: KEY_SET.to_owned() },
            };
            Load { connections: 64, ..Load::new(&issuer, mix) }
        };
        self.measure(name, &[("Jotsmith", Box::new(load))]);
        self.results.process.insert("mix_mib", server.process.mebibytes("VmHWM:"));
    }

    /// How soon a server with keys and grants answers, and the size of its program.
    fn start(&mut self) {
        if !self.is_wanted("start") {
            return;
        }
        let folder = self.folder.path().join("start");
        let first = Jotsmith::start(&folder, 0, self.plan.server_core);
        SignedIn::at(&first.issuer).refresh_tokens(GRANTS_AT_START);
        first.process.stop();
        let ready = (0..STARTS).map(|_| {
            let start = || Jotsmith::start(&folder, 0, self.plan.server_core);
            let (ready, _) = host::calmest(|| {
                let (server, stolen) = host::watch(self.plan.cores(), start);
                let ready = server.ready_after.as_secs_f64() * 1000.0;
                server.process.stop();
                (ready, stolen)
            });
            ready
        });
        let ready = Spread::of(ready.collect::<Vec<_>>());
        self.results.process.insert("ready_ms", ready.median);
        println!("\nready after {:.0} ms ({:.0} to {:.0})", ready.median, ready.least, ready.most);
    }

    fn finish(mut self) {
        #[expect(clippy::cast_precision_loss, reason = "a few megabytes")]
        let size = fs::metadata(env!("CARGO_BIN_EXE_jotsmith")).expect("the program").len() as f64 / 1_048_576.0;
        self.results.process.insert("program_mib", size);
        println!();
        for (what, figure) in &self.results.process {
            println!("{what}: {figure:.1}");
        }
        fs::create_dir_all(&self.plan.out).expect("a folder");
        let json = serde_json::to_string_pretty(&self.results).expect("JSON");
        fs::write(self.plan.out.join("results.json"), json + "\n").expect("written");
        let plotted: Vec<_> = self.results.workloads.iter().filter(|workload| is_plotted(&workload.name)).collect();
        fs::write(self.plan.out.join("results.svg"), plot::svg(&plotted)).expect("written");
        println!("\nwritten to {}", self.plan.out.display());
    }
}

/// What the README shows.
fn is_plotted(name: &str) -> bool {
    ALGORITHMS.iter().any(|algorithm| name == format!("client-credentials {algorithm}"))
        || name == "refresh ES256, 64 connections"
}

fn machine_form() -> String {
    format!("grant_type=client_credentials&scope=read&resource={}", resource("ES256"))
}

fn machine_request(path: &str, form: &str) -> Request {
    Request::Post { path: path.to_owned(), authorization: Some(basic()), form: form.to_owned() }
}

fn machine_load(issuer: &str, path: &str, form: &str) -> Load {
    Load::new(issuer, Asks::Same(machine_request(path, form)))
}

fn pool(tokens: Vec<String>) -> Pool {
    Pool { form: format!("grant_type=refresh_token&refresh_token={{}}{}", refresh_form()), tokens }
}
