//! What was found: medians, and ratios of runs that stood side by side.

use std::collections::BTreeMap;

use serde::Serialize;

use super::load::Run;

/// One workload, by who answered it. The first one named is ours.
#[derive(Serialize)]
pub(crate) struct Workload {
    pub(crate) name: String,
    /// In the order in which they were measured in each round.
    pub(crate) servers: Vec<Measured>,
    /// Ours against each of the others.
    pub(crate) ratios: BTreeMap<String, Spread>,
}

/// One server's runs.
#[derive(Serialize)]
pub(crate) struct Measured {
    pub(crate) server: String,
    pub(crate) rate: Spread,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    /// What the host took in all runs that count, as a part of their time.
    pub(crate) stolen: f64,
    pub(crate) runs: Vec<Run>,
}

/// The least, the middle and the most.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) most: f64,
}

impl Spread {
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_unstable_by(f64::total_cmp);
        let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
        Self { least: at(0), median: at(values.len() / 2), most: at(values.len().saturating_sub(1)) }
    }
}

impl Workload {
    /// `rounds`: in each the runs of all servers, in the order of `servers`.
    pub(crate) fn new(name: &str, servers: &[&str], rounds: &[Vec<Run>]) -> Self {
        let of = |place: usize| rounds.iter().map(move |round| round[place]);
        let measured = servers.iter().enumerate().map(|(place, server)| Measured {
            server: (*server).to_owned(),
            rate: Spread::of(of(place).map(|run| run.rate)),
            p50_us: median(of(place).map(|run| run.p50_us)),
            p99_us: median(of(place).map(|run| run.p99_us)),
            stolen: mean(of(place).map(|run| run.stolen)),
            runs: of(place).collect(),
        });
        let ratios = servers.iter().enumerate().skip(1).map(|(place, server)| {
            ((*server).to_owned(), Spread::of(rounds.iter().map(|round| round[0].rate / round[place].rate)))
        });
        Self { name: name.to_owned(), servers: measured.collect(), ratios: ratios.collect() }
    }

    /// Prints it as rows of one table.
    pub(crate) fn print(&self) {
        for measured in &self.servers {
            let ratio = self.ratios.get(&measured.server).map_or_else(String::new, |ratio| {
                format!("{:.2} ({:.2} to {:.2})", ratio.median, ratio.least, ratio.most)
            });
            println!(
                "| {:<50} | {:<14} | {:>8.0} | {:>8} | {:>8} | {:>6.1}% | {:<22} |",
                self.name,
                measured.server,
                measured.rate.median,
                measured.p50_us,
                measured.p99_us,
                measured.stolen * 100.0,
                ratio
            );
        }
    }
}

/// The head of the table.
pub(crate) fn print_head() {
    println!(
        "| {:<50} | {:<14} | {:>8} | {:>8} | {:>8} | {:>7} | {:<22} |",
        "workload", "server", "answers/s", "p50 µs", "p99 µs", "stolen", "Jotsmith against it"
    );
    println!("|---|---|---|---|---|---|---|");
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0_f64);
    for value in values {
        sum += value;
        count += 1.0;
    }
    sum / count.max(1.0)
}

fn median(values: impl Iterator<Item = u64>) -> u64 {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}
