//! Grants that all are over at once, beside requests.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jotsmith::foundation::clock::Timestamp;
use jotsmith::store::Store as _;
use jotsmith::store::sled::SledStore;
use jotsmith::tokens::grant::Grant;
use jotsmith::tokens::store::GrantStore as _;

use super::filled::{BEGIN, DAY, grant, runtime};
use super::refreshes::{Latencies, Measured, Refreshed, SPAN, head, row};

const MINUTE: Duration = Duration::from_mins(1);
/// How the server sweeps: so many records, and a pause.
const SLICE: usize = 500;
const PAUSE: Duration = Duration::from_millis(50);

/// What it takes when so many grants are over.
pub(crate) fn report(root: &Path, grants: u64) {
    let folder = tempfile::tempdir_in(root).expect("a folder");
    let data = folder.path().join("data");
    let refreshed = Refreshed::with(&data, grants);
    let store = &refreshed.store;
    println!("\nexpiry of {grants} grants");
    head("beside refreshes", "rotations");
    let at_rest = refreshed.measure("at rest", 16).p99;
    // The store forgets a little later than it might.
    for (what, now) in [("some of a round, nothing over", BEGIN), ("the same, all over", BEGIN + 2 * DAY + 2 * MINUTE)]
    {
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let sweeping = scope.spawn(|| {
                let swept = sweep(store, now, |begun| begun.elapsed() >= 3 * SPAN, PAUSE);
                is_over.store(true, Ordering::Relaxed);
                swept
            });
            let is_over = || is_over.load(Ordering::Relaxed);
            // Refreshes of grants that the sweeper takes away would fail; new ones are put then.
            let beside = if now == BEGIN {
                refreshed.measure_until(what, 16, |_| is_over())
            } else {
                put_until(what, &refreshed, grants, is_over)
            };
            let (removed, longest) = sweeping.join().expect("no panic");
            println!(
                "{removed} removed; longest slice {longest:.1} ms; p99 {:.1} times that at rest",
                beside.p99 / at_rest
            );
        });
    }
    let begun = Instant::now();
    let (removed, longest) = sweep(store, BEGIN + 2 * DAY + 2 * MINUTE, |_| false, Duration::ZERO);
    println!(
        "the others without a pause: {removed} removed in {:.1} s; longest slice {longest:.1} ms",
        begun.elapsed().as_secs_f64()
    );
    let held = store.figures();
    println!("{} records live on {} bytes of disk", held.live_records, held.disk_bytes);
    let begun = Instant::now();
    while store.figures().disk_bytes > 32 << 20 && begun.elapsed() < Duration::from_mins(1) {
        runtime().block_on(store.put_grant(grant(0))).expect("answered");
    }
    let held = store.figures();
    println!("{:.1} s later {} on {}", begun.elapsed().as_secs_f64(), held.live_records, held.disk_bytes);
}

/// Puts grants one after the other, with numbers from `first` on, until told to stop.
fn put_until(what: &str, refreshed: &Refreshed, first: u64, is_over: impl Fn() -> bool) -> Measured {
    let (begun, before) = (Instant::now(), refreshed.syncs.load(Ordering::Relaxed));
    let (mut number, mut took) = (first, Latencies::default());
    runtime().block_on(async {
        while !is_over() {
            number += 1;
            let fresh = Grant { expires_at: BEGIN + 30 * DAY, ..grant(number) };
            let begun = Instant::now();
            refreshed.store.put_grant(fresh).await.expect("answered");
            took.add(begun.elapsed());
        }
    });
    row(what, 1, &mut took, begun.elapsed(), refreshed.syncs.load(Ordering::Relaxed) - before)
}

/// Sweeps until the end of a round, or until told to stop: how many records were removed, and what the longest slice took in
/// milliseconds.
fn sweep(store: &SledStore, now: Timestamp, is_enough: impl Fn(Instant) -> bool, pause: Duration) -> (usize, f64) {
    let (begun, mut removed, mut longest) = (Instant::now(), 0, Duration::ZERO);
    while !is_enough(begun) {
        let slice_begun = Instant::now();
        let swept = runtime().block_on(store.sweep(now, DAY, SLICE)).expect("answered");
        longest = longest.max(slice_begun.elapsed());
        removed += swept.removed;
        if swept.is_at_end {
            break;
        }
        std::thread::sleep(pause);
    }
    (removed, longest.as_secs_f64() * 1000.0)
}
