//! Counting with callgrind: a program runs beneath it, and says itself when it begins to count and when it ends.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::process::{self, Command};

/// The first caches of an AMD EPYC, and its second one: size in bytes, ways, bytes of a line.
const CACHES: [&str; 4] = ["--cache-sim=yes", "--I1=32768,8,64", "--D1=32768,8,64", "--LL=524288,8,64"];

/// What callgrind counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    /// Instructions.
    pub(crate) instructions: u64,
    /// Instructions that were not in the first cache.
    pub(crate) code_misses: u64,
    /// Reads and writes of what was not in the first cache.
    pub(crate) data_misses: u64,
}

/// Runs this program once more with these arguments, and gives what it counted between [`begin`] and [`end`].
///
/// # Panics
/// Where there is no valgrind, or the program fails.
pub(crate) fn run(arguments: &[&str]) -> Counts {
    let folder = tempfile::tempdir().expect("a folder");
    let written = folder.path().join("counts");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--instr-atstart=no"])
        .args(CACHES)
        .arg(format!("--callgrind-out-file={}", written.display()))
        .arg(env::current_exe().expect("a program"))
        .args(arguments)
        .output()
        .expect("valgrind is there (apt-get install valgrind)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let written = fs::read_to_string(written).expect("callgrind writes its counts");
    let line = |name| written.lines().find_map(|line| line.strip_prefix(name)).expect("a line of callgrind's format");
    let totals = line("totals: ").split(' ').map(|count| count.parse::<u64>().expect("a number"));
    let totals: BTreeMap<_, _> = line("events: ").split(' ').zip(totals).collect();
    // A count of zero at the end of the line is left out.
    let total = |event| totals.get(event).copied().unwrap_or_default();
    Counts { instructions: total("Ir"), code_misses: total("I1mr"), data_misses: total("D1mr") + total("D1mw") }
}

/// From now on it is counted.
pub(crate) fn begin() {
    instrumentation("on");
}

/// From now on it is not.
pub(crate) fn end() {
    instrumentation("off");
}

fn instrumentation(state: &str) {
    let mut vgdb = Command::new("vgdb")
        .args([&format!("--pid={}", process::id()), "instrumentation", state])
        .stdout(process::Stdio::null())
        .stderr(process::Stdio::null())
        .spawn()
        .expect("vgdb is there, which valgrind brings");
    // A process that waits is not heard by valgrind, which looks for commands every few thousand instructions.
    let ended = loop {
        if let Some(ended) = vgdb.try_wait().expect("our child") {
            break ended;
        }
    };
    assert!(ended.success(), "vgdb: {ended}");
}
