//! Callers that refresh, and the table of what that took.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jotsmith::store::sled::SledStore;
use jotsmith::tokens::refresh_rotation::RotationPolicy;
use jotsmith::tokens::store::{GrantStore as _, Rotation};
use uuid::Uuid;

use super::filled::{BEGIN, DAY, fill, open, runtime};

pub(crate) const POLICY: RotationPolicy = RotationPolicy { retry_window: Duration::from_secs(30), idle: DAY };
/// How long each row is measured.
pub(crate) const SPAN: Duration = Duration::from_secs(3);
/// How often whoever waits for an end looks for it.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// How long each of many took, in microseconds: few bytes each, for the memory of this process is measured.
#[derive(Default)]
pub(crate) struct Latencies(pub(crate) Vec<u32>);

impl Latencies {
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(took.as_micros().try_into().unwrap_or(u32::MAX));
    }

    pub(crate) fn at(&mut self, share: f64) -> f64 {
        self.0.sort_unstable();
        #[expect(clippy::cast_precision_loss, clippy::cast_sign_loss, reason = "a place in a list")]
        #[expect(clippy::cast_possible_truncation, reason = "a place in a list")]
        let place = (self.0.len() as f64 * share) as usize;
        f64::from(self.0.get(place.min(self.0.len().saturating_sub(1))).copied().unwrap_or_default()) / 1000.0
    }
}

/// A store whose grants are refreshed.
pub(crate) struct Refreshed {
    pub(crate) store: Arc<SledStore>,
    /// How often it has asked the disk.
    pub(crate) syncs: Arc<AtomicU64>,
    pub(crate) ids: Arc<[Uuid]>,
}

/// What a row of refreshes says.
pub(crate) struct Measured {
    /// Refreshes a second.
    pub(crate) rate: f64,
    /// 99 of 100 took no longer, in milliseconds.
    pub(crate) p99: f64,
}

/// Prints a row of the table.
pub(crate) fn row(what: &str, callers: usize, latencies: &mut Latencies, span: Duration, syncs: u64) -> Measured {
    #[expect(clippy::cast_precision_loss, reason = "few")]
    let (rotations, syncs, seconds) = (latencies.0.len() as f64, syncs as f64, span.as_secs_f64());
    println!(
        "{what:<28} {callers:>7} {:>12.0} {:>9.0} {:>12.1} {:>8.2} {:>8.2} {:>8.2}",
        rotations / seconds,
        syncs / seconds,
        rotations / syncs.max(1.0),
        latencies.at(0.5),
        latencies.at(0.99),
        latencies.at(1.0),
    );
    Measured { rate: rotations / seconds, p99: latencies.at(0.99) }
}

/// The head of a table.
pub(crate) fn head(title: &str, what: &str) {
    println!("\n{title}");
    println!(
        "{:<28} {:>7} {:>12} {:>9} {:>12} {:>8} {:>8} {:>8}",
        "",
        "callers",
        format!("{what}/s"),
        "syncs/s",
        format!("{what}/"),
        "p50 ms",
        "p99 ms",
        "max ms"
    );
    println!("{:<28} {:>7} {:>12} {:>9} {:>12}", "", "", "", "", "sync");
}

impl Refreshed {
    /// A new one, with so many grants.
    pub(crate) fn with(folder: &Path, grants: u64) -> Self {
        let (store, syncs) = open(folder);
        let ids = fill(&store, grants).into();
        Self { store, syncs, ids }
    }

    /// Measures for as long as every row.
    pub(crate) fn measure(&self, what: &str, callers: usize) -> Measured {
        self.measure_until(what, callers, |elapsed| elapsed >= SPAN)
    }

    /// Measures until told to stop, and prints the row.
    pub(crate) fn measure_until(&self, what: &str, callers: usize, is_over: impl Fn(Duration) -> bool) -> Measured {
        let (begun, before) = (Instant::now(), self.syncs.load(Ordering::Relaxed));
        let mut latencies = self.refresh(callers, || is_over(begun.elapsed()));
        let syncs = self.syncs.load(Ordering::Relaxed) - before;
        row(what, callers, &mut latencies, begun.elapsed(), syncs)
    }

    /// Has `callers` refresh one grant after the other, each its own, spread over all, until told to stop.
    fn refresh(&self, callers: usize, is_over: impl Fn() -> bool) -> Latencies {
        let stop = Arc::new(AtomicBool::new(false));
        runtime().block_on(async {
            let tasks: Vec<_> = (0..callers)
                .map(|caller| {
                    let (store, ids, stop) = (Arc::clone(&self.store), Arc::clone(&self.ids), Arc::clone(&stop));
                    tokio::spawn(async move {
                        let mut took = Latencies::default();
                        // Steps through all of them in no order, and meets nobody else's.
                        let mut place = caller;
                        let own = ids.len() / callers;
                        while !stop.load(Ordering::Relaxed) {
                            place = (place + 7919 * callers) % (own * callers);
                            let begun = Instant::now();
                            let grant = store.read_grant(ids[place]).await.expect("answered").expect("there");
                            let rotation = store.rotate(grant.id, grant.generation, BEGIN, POLICY).await;
                            let rotation = rotation.expect("answered");
                            assert!(matches!(rotation, Rotation::Rotated(_)), "{rotation:?}");
                            took.add(begun.elapsed());
                        }
                        took
                    })
                })
                .collect();
            while !is_over() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            stop.store(true, Ordering::Relaxed);
            let mut all = Latencies::default();
            for task in tasks {
                all.0.extend(task.await.expect("no panic").0);
            }
            all
        })
    }
}

/// Commits by the number of waiting callers.
pub(crate) fn commits(root: &Path) {
    let folder = tempfile::tempdir_in(root).expect("a folder");
    let refreshed = Refreshed::with(&folder.path().join("data"), 1000);
    head("commits, 1,000 grants", "rotations");
    let rates: Vec<f64> = [1, 16, 64, 256].iter().map(|callers| refreshed.measure("refresh", *callers).rate).collect();
    println!("64 callers make {:.1} times the rate of one", rates[2] / rates[0]);
}
