//! What the host of a virtual machine does meanwhile: it gives cores to others, and what is measured then says nothing of
//! a server.

use std::fs;

/// The most of the time of the cores that others may have had in a run that counts.
const CALM: f64 = 0.02;

/// How often a run is made at most, until the host leaves it alone.
const MOST_TRIES: usize = 4;

/// Makes a run again while the host takes time from it; of runs that all were disturbed the calmest. Each comes with what
/// was taken.
pub(crate) fn calmest<T>(mut run: impl FnMut() -> (T, f64)) -> (T, f64) {
    let mut calmest = run();
    for _ in 1..MOST_TRIES {
        if calmest.1 <= CALM {
            break;
        }
        let next = run();
        if next.1 < calmest.1 {
            calmest = next;
        }
    }
    calmest
}

/// The part of the time of these cores, 0 to 1, that others had while this went on (`steal` of `proc_stat(5)`).
pub(crate) fn watch<T>(cores: [usize; 2], act: impl FnOnce() -> T) -> (T, f64) {
    let before = Ticks::of(cores);
    let done = act();
    let after = Ticks::of(cores);
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let stolen = (after.stolen - before.stolen) as f64 / (after.all - before.all).max(1) as f64;
    (done, stolen)
}

/// What the cores have done since the machine began.
#[derive(Default)]
struct Ticks {
    stolen: u64,
    all: u64,
}

impl Ticks {
    fn of(cores: [usize; 2]) -> Self {
        /// The eighth column; the two after it are in others too.
        const STEAL: usize = 7;
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let names = cores.map(|core| format!("cpu{core}"));
        let mut sum = Self::default();
        for line in stat.lines() {
            let mut words = line.split_ascii_whitespace();
            if words.next().is_some_and(|name| names.iter().any(|one| one == name)) {
                let ticks: Vec<u64> = words.take(STEAL + 1).filter_map(|word| word.parse().ok()).collect();
                sum.stolen += ticks.get(STEAL).copied().unwrap_or_default();
                sum.all += ticks.iter().sum::<u64>();
            }
        }
        sum
    }
}
