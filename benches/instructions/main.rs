//! How many instructions single steps and whole requests take, counted by callgrind: unlike times, nearly the same on every
//! run of one machine. And how often the first caches of the processor would have missed, as callgrind simulates them.
//!
//! `instructions.txt` has the counts of before; more than the tolerance above them is a failure, below them a reason to
//! write them anew. How to run it stands in `README.md`.

#![expect(clippy::print_stdout, reason = "what it finds is what it is for")]

mod callgrind;
#[path = "../rules/fixture.rs"]
mod fixture;
#[path = "../http/limit.rs"]
mod limit;
mod steps;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use callgrind::Counts;
use steps::{STEPS, TIMES};

/// As in the program: what it allocates counts too.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// By how much a count may differ from the one that is kept, in percent.
const TOLERANCE: u64 = 5;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["step", name] => {
            let (_, step) = STEPS.into_iter().find(|(step, _)| step == name).expect("a step");
            step();
        }
        ["keep"] => keep(),
        [] => return compare(),
        _ => println!("nothing: compare with instructions.txt; keep: write it anew"),
    }
    ExitCode::SUCCESS
}

fn file() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.txt"))
}

fn keep() {
    let counted = STEPS.map(|(step, _)| format!("{step}: {}\n", callgrind::run(&["step", step]).instructions / TIMES));
    fs::write(file(), counted.concat()).expect("written");
}

fn compare() -> ExitCode {
    let kept = fs::read_to_string(file()).expect("instructions.txt");
    let kept: BTreeMap<&str, u64> = kept
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(step, count)| (step, count.parse().expect("a number")))
        .collect();
    let mut outcome = ExitCode::SUCCESS;
    println!("| step | instructions | kept | misses of code | of data | |\n|---|---|---|---|---|---|");
    for (step, _) in STEPS {
        let Counts { instructions, code_misses, data_misses } = callgrind::run(&["step", step]);
        let count = instructions / TIMES;
        let (before, verdict) = match kept.get(step).copied() {
            None => (0, "not kept yet"),
            Some(before) if count * 100 > before * (100 + TOLERANCE) => {
                outcome = ExitCode::FAILURE;
                (before, "more than is allowed")
            }
            Some(before) if count * 100 < before * (100 - TOLERANCE) => {
                (before, "less: keep it with `cargo bench --bench instructions -- keep`")
            }
            Some(before) => (before, ""),
        };
        println!("| {step} | {count} | {before} | {} | {} | {verdict} |", code_misses / TIMES, data_misses / TIMES);
    }
    outcome
}
