//! When records are written anew for space, what becomes of it, and how it is told.

use std::path::Path;
use std::time::{Duration, Instant};

use sled::IVec;

use super::committer::{drop_guarded, now};
use super::generations;
use super::helper::Helper;
use super::opening::Database;
use super::queue::RewriteAnswer;
use super::rewrite::{self, Rewrite};
use super::{CommitStep, Figures, SharedProbe, unavailable};

/// Below this, a store is never written anew for space, in bytes on the disk.
const FLOOR: u64 = 32 << 20;

/// How many times the bytes of a fresh database the disk may hold.
const MOST: u64 = 3;

/// How many bytes a fresh database takes for a hundred of records, until it is known better.
pub(super) const OVERHEAD: u64 = 200;

/// How long after a failed rewriting the next is tried, at first and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(1));

/// How often the committer looks whether one is done.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What the committer knows of rewritings.
pub(super) struct Rewriting {
    probe: SharedProbe,
    current: Option<Rewrite>,
    /// Who waits for the current one, or for the next.
    asked: Vec<RewriteAnswer>,
    helper: Helper,
    next_try: Option<Instant>,
    back_off: Duration,
    /// How many bytes a fresh database takes for a hundred of records.
    overhead: u64,
}

impl Rewriting {
    pub(super) fn new(probe: SharedProbe) -> Self {
        let (back_off, _) = BACK_OFF;
        Self {
            probe,
            current: None,
            asked: Vec::new(),
            helper: Helper::default(),
            next_try: None,
            back_off,
            overhead: OVERHEAD,
        }
    }

    /// Whether one is on its way.
    pub(super) fn is_on(&self) -> bool {
        self.current.is_some()
    }

    /// Somebody wants one.
    pub(super) fn ask(&mut self, answer: RewriteAnswer) {
        self.asked.push(answer);
    }

    /// Takes note that these keys were changed.
    pub(super) fn note<'a>(&self, keys: impl Iterator<Item = &'a IVec>) {
        if let Some(current) = &self.current {
            current.note(keys);
        }
    }

    /// Begins one where there is need, or where somebody has asked for it.
    pub(super) fn begin_if_due(&mut self, folder: &Path, cache_bytes: u64, database: &Database, figures: Figures) {
        let is_time = self.next_try.is_none_or(|next_try| next_try <= now());
        let is_due = is_time && is_due(figures, self.overhead);
        if self.current.is_some() || (!is_due && self.asked.is_empty()) {
            return;
        }
        tracing::info!(
            folder = %folder.display(),
            live.records = figures.live_records,
            live.bytes = figures.live_bytes,
            disk.bytes = figures.disk_bytes,
            "the records are being written anew"
        );
        let tree = (*database.tree).clone();
        let bytes = expected(figures.live_bytes, self.overhead);
        let begun = generations::next(folder).and_then(|generation| {
            let (rewrite, copying) = rewrite::begin(folder, generation, cache_bytes, tree, bytes, self.probe.clone());
            self.helper.have(copying).map(|()| rewrite)
        });
        match begun {
            Ok(rewrite) => self.current = Some(rewrite),
            Err(cause) => self.failed(&cause.to_string()),
        }
    }

    /// The current one, once its thread has done what it can.
    pub(super) fn done(&mut self) -> Option<Rewrite> {
        self.current.take_if(|rewrite| rewrite.is_done())
    }

    /// One did not succeed, and what there was is what there is.
    pub(super) fn failed(&mut self, cause: &str) {
        let (_, most) = BACK_OFF;
        tracing::error!(cause, next_try = ?self.back_off, "the records could not be written anew; the store goes on with the old ones");
        metrics::counter!("jotsmith_store_rewrites_total", "outcome" => "failed").increment(1);
        for answer in self.asked.drain(..) {
            // Whoever has gone away needs no answer.
            let _ = answer.send(Err(unavailable(&cause)));
        }
        self.next_try = Some(now() + self.back_off);
        self.back_off = (self.back_off * 2).min(most);
    }

    /// One did; `old` is not needed any more.
    pub(super) fn succeeded(
        &mut self,
        folder: &Path,
        old: Database,
        figures: Figures,
        begun: Instant,
        pause: Duration,
    ) {
        let took = begun.elapsed();
        tracing::info!(
            folder = %folder.display(),
            live.records = figures.live_records,
            disk.bytes = figures.disk_bytes,
            ?took,
            ?pause,
            "the records were written anew"
        );
        metrics::counter!("jotsmith_store_rewrites_total", "outcome" => "done").increment(1);
        metrics::histogram!("jotsmith_store_rewrite_seconds").record(took.as_secs_f64());
        metrics::histogram!("jotsmith_store_rewrite_pause_seconds").record(pause.as_secs_f64());
        (self.next_try, self.back_off) = (None, BACK_OFF.0);
        self.overhead = overhead(figures);
        self.remove(folder, old);
        for answer in self.asked.drain(..) {
            let _ = answer.send(Ok(()));
        }
    }

    /// Closes and removes a database that does not count, beside the requests: with a million records that takes time.
    pub(super) fn remove(&mut self, folder: &Path, database: Database) {
        let (folder, probe) = (folder.to_owned(), self.probe.clone());
        let removed = self.helper.have(move || {
            let generation = database.generation;
            drop_guarded(database);
            if probe.reach(CommitStep::Remove).is_ok() {
                rewrite::remove(&folder, generation);
            }
        });
        if let Err(cause) = removed {
            // The next start removes it.
            tracing::warn!(%cause, "what a rewriting left cannot be removed yet");
        }
    }

    /// Gives up what is on its way, and waits until nothing is.
    pub(super) fn give_up(&mut self, folder: &Path, cause: &str) {
        if let Some(current) = self.current.take() {
            current.give_up(folder);
        }
        for answer in self.asked.drain(..) {
            let _ = answer.send(Err(unavailable(&cause)));
        }
        self.helper.wait();
    }
}

/// How many bytes a fresh database would take.
pub(super) fn expected(live_bytes: u64, overhead: u64) -> u64 {
    live_bytes.saturating_mul(overhead) / 100
}

/// Whether the disk holds far more than what lives.
fn is_due(figures: Figures, overhead: u64) -> bool {
    figures.disk_bytes >= FLOOR && figures.disk_bytes >= expected(figures.live_bytes, overhead).saturating_mul(MOST)
}

/// What a fresh database has shown. Never so little that the next one would be due at once.
fn overhead(fresh: Figures) -> u64 {
    if fresh.disk_bytes < FLOOR {
        return OVERHEAD;
    }
    (fresh.disk_bytes.saturating_mul(100) / fresh.live_bytes.max(1)).max(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn figures(live_bytes: u64, disk_bytes: u64) -> Figures {
        Figures { live_records: live_bytes / 250, live_bytes, disk_bytes }
    }

    #[test]
    fn a_store_is_written_anew_when_it_holds_three_times_what_a_fresh_one_would() {
        let million = 250_000_000;
        assert!(!is_due(figures(million, 1_499_999_999), OVERHEAD));
        assert!(is_due(figures(million, 1_500_000_000), OVERHEAD));
        assert!(is_due(figures(million, 1_200_000_000), 160));
    }

    #[test]
    fn a_small_store_is_left_alone_however_little_lives() {
        assert!(!is_due(figures(0, FLOOR - 1), OVERHEAD));
        assert!(is_due(figures(0, FLOOR), OVERHEAD));
    }

    #[test]
    fn a_store_that_was_just_written_anew_is_never_due() {
        for live in [0, 1, 250, 1 << 20, FLOOR, 1 << 40] {
            for disk in [0, 1, FLOOR - 1, FLOOR, FLOOR + 1, 1 << 30, 1 << 50] {
                let fresh = figures(live, disk);
                let is_odd = live == 0 && disk >= FLOOR;
                assert!(is_odd || !is_due(fresh, overhead(fresh)), "{fresh:?}");
            }
        }
    }
}
