//! What was recorded of a run.

use std::collections::BTreeSet;
use std::path::PathBuf;

use tempfile::TempDir;

use super::disk::Disk;
use super::plan::{Act, Plan};
use super::recording::{Event, What};
use super::replay::Left;
use super::{plan, program};

/// sled writes its log in parts of this many bytes.
const SEGMENT: usize = 512 * 1024;

/// A run, and all that it asked of the file system.
pub(super) struct Recorded {
    pub(super) seed: u64,
    pub(super) plan: Plan,
    pub(super) root: PathBuf,
    pub(super) before: Before,
    pub(super) events: Vec<Event>,
}

/// What was there before.
pub(super) struct Before {
    pub(super) disk: Disk,
    pub(super) answered: usize,
    pub(super) asked: usize,
}

impl Recorded {
    pub(super) fn new(seed: u64) -> Self {
        let folder = TempDir::new().expect("a folder");
        let root = folder.path().canonicalize().expect("there");
        let plan = plan(seed);
        let kills = plan.acts.iter().enumerate().filter(|(_, act)| matches!(act, Act::Kill));
        let mut events = Vec::new();
        for from in [0].into_iter().chain(kills.map(|(number, _)| number + 1)) {
            program::record(&root, seed, from, &mut events);
        }
        let before = Before { disk: Disk::empty(), answered: 0, asked: 0 };
        Self { seed, plan, root, before, events }
    }

    /// The next start after a power cut, and a close in good order.
    pub(super) fn of_opening(seed: u64, left: Left) -> Self {
        let Left { folder: root, answered, asked, .. } = left;
        let (plan, before) = (plan(seed), Before { disk: Disk::of(&root), answered, asked });
        let mut events = Vec::new();
        program::record(&root, seed, plan.acts.len(), &mut events);
        Self { seed, plan, root, before, events }
    }

    /// How often a segment of a log was begun that had been one before.
    pub(super) fn segments_used_again(&self) -> usize {
        let (mut begun, mut again) = (BTreeSet::new(), 0);
        for event in &self.events {
            match &event.what {
                What::Write { path, at, bytes } if path.ends_with("db") && at.is_multiple_of(SEGMENT) => {
                    // What is free is overwritten with zeros now and then.
                    let is_head = bytes.iter().take(20).any(|byte| *byte != 0);
                    again += usize::from(is_head && !begun.insert((path, at)));
                }
                What::Remove(removed) => begun.retain(|(path, _)| *path != removed),
                _ => {}
            }
        }
        again
    }

    /// What is in it, in words.
    pub(super) fn tell(&self) -> String {
        let count = |is: fn(&What) -> bool| self.events.iter().filter(|event| is(&event.what)).count();
        format!(
            "{} groups of verbs, {} writes, {} segments of the log used again, {} syncs, {} names made, moved or removed",
            self.plan.known.len() - 1,
            count(|what| matches!(what, What::Write { .. })),
            self.segments_used_again(),
            count(|what| matches!(what, What::Sync(_))),
            count(|what| matches!(what, What::Folder(_) | What::Rename(..) | What::Remove(_))),
        )
    }
}
