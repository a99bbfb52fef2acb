//! Load against the running server, beside two others: a *limit server*, which does nothing but what no server can leave
//! out (`limit.rs`), and a peer (npm `oidc-provider`, `peer/`). All run at the same time on one core and are asked in
//! turn from another, so that a noisy machine is noisy for each of them; what counts is the ratio of neighbours.
//!
//! How to run it, and figures, stand in `benches/README.md`.

#![expect(clippy::print_stdout, reason = "what it finds is what it is for")]
#![expect(clippy::disallowed_methods, reason = "measures spans on this machine")]

mod generator;
mod host;
mod limit;
mod load;
mod peer;
mod people;
mod plot;
mod report;
mod servers;
mod workloads;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// Measures what a token request costs.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  cargo bench --bench http\n  cargo bench --bench http -- --only client-credentials --runs 9"
)]
struct Command {
    #[command(flatten)]
    plan: Plan,
    #[command(subcommand)]
    role: Option<Role>,
    /// Cargo says so.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What is measured.
#[derive(Args, Clone)]
struct Plan {
    /// Only workloads whose name has this in it.
    #[arg(long)]
    only: Option<String>,
    /// How often each is measured; the median counts.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// How long one measurement takes, in seconds.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Without oidc-provider, which needs npm.
    #[arg(long)]
    without_peer: bool,
    /// Beside another build of this server, by its path.
    #[arg(long, value_name = "PROGRAM")]
    against: Option<PathBuf>,
    /// Where `results.json` and `results.svg` are written.
    #[arg(long, default_value = "target/http-bench")]
    out: PathBuf,
    /// The core of the servers.
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// The core of the load.
    #[arg(long, default_value_t = 1)]
    load_core: usize,
}

impl Plan {
    /// Those that must not be taken away in a run that counts.
    const fn cores(&self) -> [usize; 2] {
        [self.server_core, self.load_core]
    }

    fn span(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

#[derive(Subcommand)]
enum Role {
    /// What this program starts beside the server.
    #[command(hide = true)]
    LimitServer { port: u16, answers: PathBuf },
    /// What this program starts to ask.
    #[command(hide = true)]
    Load { plan: PathBuf, milliseconds: u64 },
}

fn main() {
    let command = Command::parse();
    match command.role {
        Some(Role::LimitServer { port, answers }) => limit::serve(port, &answers).expect("it serves"),
        Some(Role::Load { plan, milliseconds }) => {
            println!("{}", load::run_process(&plan, Duration::from_millis(milliseconds)).expect("it asks"));
        }
        None => workloads::run(&command.plan),
    }
}
