//! The folders that power cuts may leave of a recorded run, and whether a store opens on each and knows what it must.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::{fmt, fs, thread};

use futures_util::future::join_all;
use jotsmith::foundation::once::Remembered;
use jotsmith::store::sled::SledStore;

use super::DATA;
use super::disk::Kept;
use super::plan::{self, Known, Plan};
use super::program::run;
use super::recorded::Recorded;
use super::recording::{Event, What};
use crate::sled::{in_memory, try_open};

/// What a store might leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    /// It answers without asking the disk for its records.
    NoSyncOfRecords,
    /// It does not ask the disk for the names in its folders.
    NoSyncOfFolders,
    /// It removes the old records before the disk has the mark that names the fresh ones.
    NoSyncOfMark,
    /// It names a copy before the disk has it.
    NoSyncOfCopies,
}

impl Flaw {
    /// The call as such a store would have made it; none: it would not have.
    fn leaves(self, event: &Event, is_folder: impl Fn(&Path) -> bool) -> bool {
        let What::Sync(path) = &event.what else { return true };
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match self {
            Self::None => true,
            Self::NoSyncOfRecords => name != "db",
            Self::NoSyncOfFolders => !is_folder(path),
            Self::NoSyncOfMark => name != "jotsmith.store",
            Self::NoSyncOfCopies => name != "before-opening.part",
        }
    }
}

/// A folder that a power cut may leave, and what must be in it.
pub(super) struct Left {
    pub(super) folder: PathBuf,
    pub(super) what: String,
    kept: Kept,
    pub(super) answered: usize,
    pub(super) asked: usize,
}

/// How the replays went.
#[derive(Default)]
pub(super) struct Report {
    moments: usize,
    folders: BTreeMap<Kept, usize>,
    pub(super) broken: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { moments, folders, broken } = self;
        let total: usize = folders.values().sum();
        writeln!(f, "{total} folders that a power cut may leave, at {moments} moments: {folders:?}")?;
        writeln!(f, "{} rules broken", broken.len())?;
        broken.iter().take(10).try_for_each(|rule| writeln!(f, "  {rule}"))
    }
}

/// Opens what power cuts may leave of a recorded run, `cuts` folders, on as many threads as there are processors.
pub(super) fn replay(recorded: &Recorded, flaw: Flaw, cuts: usize) -> Report {
    let folder = in_memory();
    let (report, (send, receive)) = (Mutex::new(Report::default()), mpsc::sync_channel(4));
    let (receive, is_found) = (Mutex::new(receive), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, |processors| processors.get().clamp(2, 8)) {
            scope.spawn(|| {
                check_each(&recorded.plan, (flaw != Flaw::None).then_some(&is_found), &receive, &report);
            });
        }
        let random = fastrand::Rng::with_seed(recorded.seed);
        let cutting = Cutting { recorded, flaw, random, cuts, is_found: &is_found };
        report.lock().expect("unpoisoned").moments = cutting.cut(folder.path(), &send);
        drop(send);
    });
    report.into_inner().expect("unpoisoned")
}

/// Who makes them.
pub(super) struct Cutting<'a> {
    pub(super) recorded: &'a Recorded,
    pub(super) flaw: Flaw,
    pub(super) random: fastrand::Rng,
    /// How many folders it makes.
    pub(super) cuts: usize,
    /// Of a flaw it is enough to be found once.
    pub(super) is_found: &'a AtomicBool,
}

impl Cutting<'_> {
    /// Goes through the run, and cuts it off at chosen moments; at how many.
    pub(super) fn cut(mut self, to: &Path, send: &SyncSender<Left>) -> usize {
        let chosen = self.choose();
        let Recorded { root, events, before, .. } = self.recorded;
        let mut disk = before.disk.clone();
        let (mut answered, mut asked, mut made, mut moments) = (before.answered, before.asked, 0, 0);
        for (number, event) in events.iter().enumerate() {
            if let Some(kinds) = chosen.get(&number) {
                moments += 1;
                for kept in kinds {
                    if self.is_found.load(Ordering::SeqCst) {
                        return moments;
                    }
                    made += 1;
                    let folder = to.join(made.to_string());
                    let choice = self.random.u64(..);
                    disk.leave(*kept, choice, &folder);
                    let what = format!("{kept:?} ({choice}) before {}", event.describe(root));
                    let left = Left { folder, what, kept: *kept, answered, asked };
                    send.send(left).expect("somebody checks");
                }
            }
            if let What::Told(tidings) = &event.what {
                let (what, group) = tidings.split_once(' ').expect("tidings");
                let group = group.parse().expect("a number");
                *(if what == "asked" { &mut asked } else { &mut answered }) = group;
            }
            let is_folder = |path: &Path| disk.is_folder(path.strip_prefix(root).expect("below it"));
            if self.flaw.leaves(event, is_folder) {
                disk.apply(root, event);
            }
        }
        moments
    }

    /// Before which events, and how.
    fn choose(&mut self) -> BTreeMap<usize, Vec<Kept>> {
        let Recorded { root, events, before, .. } = self.recorded;
        let mut disk = before.disk.clone();
        let mut moments = Vec::new();
        let mut syncs = Vec::new();
        let mut names = Vec::new();
        for (number, event) in events.iter().enumerate() {
            // A line of our own changes nothing on the disk, and yet what must be there.
            let is_after_answer = number > 0 && matches!(events[number - 1].what, What::Told(_));
            let pending = disk.pending();
            if !pending.is_empty() {
                moments.push(number);
                if (event.is_sync() && pending.len() > 1) || is_after_answer {
                    syncs.push(number);
                }
                if disk.has_pending_names() {
                    names.push(number);
                }
            }
            disk.apply(root, event);
        }
        let mut chosen: BTreeMap<usize, Vec<Kept>> = BTreeMap::new();
        for cut in 0..self.cuts {
            let among = Some([&moments, &syncs, &names][cut % 3]).filter(|some| !some.is_empty()).unwrap_or(&moments);
            let number = *self.random.choice(among).expect("all are asked for something");
            let kinds = chosen.entry(number).or_default();
            let kept = Kept::EVERY[(cut / 3) % Kept::EVERY.len()];
            kinds.push(kept);
        }
        chosen
    }
}

fn check_each(plan: &Plan, is_found: Option<&AtomicBool>, receive: &Mutex<Receiver<Left>>, report: &Mutex<Report>) {
    loop {
        let Ok(left) = receive.lock().expect("unpoisoned").recv() else { return };
        let (known, records) = plan.may_know(left.answered, left.asked);
        let checked = check(plan, &left.folder.join(DATA), &known, records);
        let mut report = report.lock().expect("unpoisoned");
        *report.folders.entry(left.kept).or_default() += 1;
        if let Err(broken) = checked {
            report.broken.push(format!("{}, {} answered: {broken}", left.what, left.answered));
            if let Some(is_found) = is_found {
                is_found.store(true, Ordering::SeqCst);
            }
        }
        fs::remove_dir_all(&left.folder).expect("removed");
    }
}

/// Opens a store, and looks whether it knows of everybody one of what it may; that it goes on, and is the same when it is
/// opened again.
fn check(plan: &Plan, data: &Path, may: &[Vec<Known>], records: std::ops::RangeInclusive<u64>) -> Result<(), String> {
    let store = try_open(data).map_err(|refused| refused.to_string())?;
    let found = store.figures().live_records;
    if !records.contains(&found) {
        return Err(format!("{found} records are there, and {records:?} should be"));
    }
    let known = run(async { Ok(look(plan, &store, may).await) }).expect("looked")?;
    drop(store);
    let again = try_open(data).map_err(|refused| format!("opened once more: {refused}"))?;
    run(async { Ok(look(plan, &again, &known).await) })
        .expect("looked")
        .map_err(|broken| format!("opened once more: {broken}"))?;
    Ok(())
}

/// What a store knows of everybody, which must be among what it may. What can be shown once was shown afterwards.
async fn look(plan: &Plan, store: &SledStore, may: &[Vec<Known>]) -> Result<Vec<Vec<Known>>, String> {
    let mut all = Vec::new();
    let shown = join_all(plan.people.iter().map(|person| person.show(store))).await;
    for ((person, may), shown) in plan.people.iter().zip(may).zip(shown) {
        let was_shown = shown.map_err(|refused| refused.to_string())? == Remembered::Before;
        let seen = Known { was_shown, ..plan::see(store, person).await? };
        let is_known = may.iter().any(|may| Known { was_shown: may.was_shown, ..plan::seen(*may) } == seen);
        if !is_known {
            return Err(format!("of {} it knows {seen:?} and should {may:?}", person.code.subject));
        }
        all.push(vec![Known { was_shown: true, ..seen }]);
    }
    Ok(all)
}
