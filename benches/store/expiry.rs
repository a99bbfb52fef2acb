//! Grants that all are over at once, beside requests.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jotsmith::foundation::clock::Timestamp;
use jotsmith::store::Store as _;
use jotsmith::store::sled::SledStore;
use jotsmith::tokens::grant::Grant;
use jotsmith::tokens::store::GrantStore as _;
use uuid::Uuid;

use super::filled::{BEGIN, DAY, fill, grant, open, runtime};
use super::refreshes::{Latencies, SPAN, head, measure, rotate, row};

const MINUTE: Duration = Duration::from_mins(1);
/// How the server sweeps: so many records, and a pause.
const SLICE: usize = 500;
const PAUSE: Duration = Duration::from_millis(50);

/// What it takes when so many grants are over.
pub(crate) fn report(root: &Path, grants: u64) {
    let folder = tempfile::tempdir_in(root).expect("a folder");
    let data = folder.path().join("data");
    let (store, syncs) = open(&data);
    let ids: Arc<[Uuid]> = fill(&store, grants).into();
    println!("\nexpiry of {grants} grants");
    head("beside refreshes", "rotations");
    let (_, at_rest) = measure("at rest", &store, &syncs, &ids, 16);
    // The store forgets a little later than it might.
    for (what, now) in [("some of a round, nothing over", BEGIN), ("the same, all over", BEGIN + 2 * DAY + 2 * MINUTE)]
    {
        let is_over = Arc::new(AtomicBool::new(false));
        let sweeping = {
            let (store, is_over) = (Arc::clone(&store), Arc::clone(&is_over));
            std::thread::spawn(move || {
                let swept = sweep(&store, now, |begun| begun.elapsed() >= 3 * SPAN, PAUSE);
                is_over.store(true, Ordering::Relaxed);
                swept
            })
        };
        let (begun, before) = (Instant::now(), syncs.load(Ordering::Relaxed));
        let mut number = grants;
        // Refreshes of grants that the sweeper takes away would fail; new ones are put then.
        let mut latencies = if now == BEGIN {
            rotate(&store, &ids, 16, || is_over.load(Ordering::Relaxed))
        } else {
            let mut took = Latencies::default();
            runtime().block_on(async {
                while !is_over.load(Ordering::Relaxed) {
                    number += 1;
                    let fresh = Grant { expires_at: BEGIN + 30 * DAY, ..grant(number) };
                    let begun = Instant::now();
                    store.put_grant(fresh).await.expect("answered");
                    took.add(begun.elapsed());
                }
            });
            took
        };
        let (removed, longest) = sweeping.join().expect("no panic");
        let callers = if now == BEGIN { 16 } else { 1 };
        row(what, callers, &mut latencies, begun.elapsed(), syncs.load(Ordering::Relaxed) - before);
        println!(
            "{removed} removed; longest slice {longest:.1} ms; p99 {:.1} times that at rest",
            latencies.at(0.99) / at_rest
        );
    }
    let begun = Instant::now();
    let (removed, longest) = sweep(&store, BEGIN + 2 * DAY + 2 * MINUTE, |_| false, Duration::ZERO);
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
