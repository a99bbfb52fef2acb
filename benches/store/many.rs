//! Many grants: the rate, opening, and what a rewriting does to those who wait meanwhile.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jotsmith::store::sled::SledStore;
use uuid::Uuid;

use super::filled::{fill, open, runtime};
use super::refreshes::{head, measure, measure_for, rotate, row};
use super::space::{opened, space};

/// How often two stores are compared, and for how long each time: often and shortly, for the disk of a shared machine has its
/// moods.
const ROUNDS: usize = 15;
const ROUND: Duration = Duration::from_secs(1);

/// What so many grants cost.
pub(crate) fn report(root: &Path, grants: u64) {
    let folder = tempfile::tempdir_in(root).expect("a folder");
    let data = folder.path().join("data");
    println!("\n{grants} grants");
    let (store, _) = open(&data);
    let begun = Instant::now();
    let ids: Arc<[Uuid]> = fill(&store, grants).into();
    println!("\nput in {:.1} s", begun.elapsed().as_secs_f64());
    space("as put", &store, &data);
    drop(store);
    opened("opened, without a snapshot", &data);
    opened("opened again", &data);
    let (store, syncs) = open(&data);
    let begun = Instant::now();
    runtime().block_on(store.rewrite()).expect("written anew");
    println!("written anew at rest in {:.1} s", begun.elapsed().as_secs_f64());
    space("right after it", &store, &data);
    compare_with_few(&folder.path().join("few"), &store, &syncs, &ids);
    head("during a rewriting", "rotations");
    for callers in [256, 64, 1] {
        let (_, at_rest) = measure("at rest", &store, &syncs, &ids, callers);
        let is_over = Arc::new(AtomicBool::new(false));
        let rewriting = {
            let (store, is_over) = (Arc::clone(&store), Arc::clone(&is_over));
            std::thread::spawn(move || {
                runtime().block_on(store.rewrite()).expect("written anew");
                is_over.store(true, Ordering::Relaxed);
            })
        };
        let (begun, before) = (Instant::now(), syncs.load(Ordering::Relaxed));
        let mut latencies = rotate(&store, &ids, callers, || is_over.load(Ordering::Relaxed));
        rewriting.join().expect("no panic");
        let span = begun.elapsed();
        row("while written anew", callers, &mut latencies, span, syncs.load(Ordering::Relaxed) - before);
        let p99 = latencies.at(0.99);
        println!("took {:.1} s; p99 is {:.1} times that at rest", span.as_secs_f64(), p99 / at_rest);
        space("right after it", &store, &data);
    }
    // As it goes on for a while: the store rewrites itself when it is due.
    let begun = Instant::now();
    let largest = AtomicU64::new(0);
    let mut latencies = rotate(&store, &ids, 64, || {
        largest.fetch_max(store.figures().disk_bytes, Ordering::Relaxed);
        begun.elapsed() >= Duration::from_secs(30)
    });
    row("half a minute of refreshes", 64, &mut latencies, begun.elapsed(), 0);
    println!("largest file meanwhile: {} bytes a grant", largest.load(Ordering::Relaxed) / grants);
    space("after it", &store, &data);
    drop(store);
    opened("opened after that", &data);
}

/// The rate of 64 callers with all these grants and with a thousand in another store, in turn.
fn compare_with_few(folder: &Path, store: &Arc<SledStore>, syncs: &AtomicU64, ids: &Arc<[Uuid]>) {
    let (small, small_syncs) = open(folder);
    let few: Arc<[Uuid]> = fill(&small, 1000).into();
    head("rate by what is there", "rotations");
    let mut ratios: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let (rate, _) = measure_for(ROUND, "1,000 grants", &small, &small_syncs, &few, 64);
            measure_for(ROUND, "all of them", store, syncs, ids, 64).0 / rate
        })
        .collect();
    ratios.sort_unstable_by(f64::total_cmp);
    println!("{:.2} of the rate at 1,000 grants ({:.2} to {:.2})", ratios[ROUNDS / 2], ratios[0], ratios[ROUNDS - 1]);
}
