//! Many grants: the rate, opening, and what a rewriting does to those who wait meanwhile.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::filled::{open, runtime};
use super::refreshes::{Refreshed, head};
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
    let begun = Instant::now();
    let Refreshed { store, ids, .. } = Refreshed::with(&data, grants);
    println!("\nput in {:.1} s", begun.elapsed().as_secs_f64());
    space("as put", &store, &data);
    drop(store);
    opened("opened, without a snapshot", &data);
    opened("opened again", &data);
    let (store, syncs) = open(&data);
    let refreshed = Refreshed { store: Arc::clone(&store), syncs, ids };
    let begun = Instant::now();
    runtime().block_on(store.rewrite()).expect("written anew");
    println!("written anew at rest in {:.1} s", begun.elapsed().as_secs_f64());
    space("right after it", &store, &data);
    compare_with_few(&folder.path().join("few"), &refreshed);
    head("during a rewriting", "rotations");
    for callers in [256, 64, 1] {
        let at_rest = refreshed.measure("at rest", callers).p99;
        let is_over = Arc::new(AtomicBool::new(false));
        let rewriting = {
            let (store, is_over) = (Arc::clone(&store), Arc::clone(&is_over));
            std::thread::spawn(move || {
                runtime().block_on(store.rewrite()).expect("written anew");
                is_over.store(true, Ordering::Relaxed);
            })
        };
        let begun = Instant::now();
        let p99 = refreshed.measure_until("while written anew", callers, |_| is_over.load(Ordering::Relaxed)).p99;
        rewriting.join().expect("no panic");
        println!("took {:.1} s; p99 is {:.1} times that at rest", begun.elapsed().as_secs_f64(), p99 / at_rest);
        space("right after it", &store, &data);
    }
    // As it goes on for a while: the store rewrites itself when it is due.
    let largest = AtomicU64::new(0);
    refreshed.measure_until("half a minute of refreshes", 64, |elapsed| {
        largest.fetch_max(store.figures().disk_bytes, Ordering::Relaxed);
        elapsed >= Duration::from_secs(30)
    });
    println!("largest file meanwhile: {} bytes a grant", largest.load(Ordering::Relaxed) / grants);
    space("after it", &store, &data);
    drop((store, refreshed));
    opened("opened after that", &data);
}

/// The rate of 64 callers with all these grants and with a thousand in another store, in turn.
fn compare_with_few(folder: &Path, all: &Refreshed) {
    let few = Refreshed::with(folder, 1000);
    head("rate by what is there", "rotations");
    let mut ratios: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let rate = few.measure_until("1,000 grants", 64, |elapsed| elapsed >= ROUND).rate;
            all.measure_until("all of them", 64, |elapsed| elapsed >= ROUND).rate / rate
        })
        .collect();
    ratios.sort_unstable_by(f64::total_cmp);
    println!("{:.2} of the rate at 1,000 grants ({:.2} to {:.2})", ratios[ROUNDS / 2], ratios[0], ratios[ROUNDS - 1]);
}
