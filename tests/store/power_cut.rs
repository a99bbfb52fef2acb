//! A power cut at any moment: what was answered is there, what was spent is spent, what was not answered is there whole
//! or not at all, and the store opens.
//!
//! A program asks the real store for a run of verbs, in the files of a real folder, and strace records each of its calls:
//! every write with its place and bytes, every sync, every name that is made, moved or removed, in their order
//! (`recording.rs`). From that follows for every moment what a disk has surely kept, by the promises of POSIX and no others
//! (`disk.rs`). Of the rest a disk may have kept any part. So we make folders that a power cut may leave: every prefix in
//! the order of writing, and others out of order: each page, sector, length and name for itself (`Kept`). The store is
//! opened on each as a start does it, and what it knows is held against what was answered by then (`plan.rs`).
//!
//! The run has all verbs, many at once too; a store that is closed and opened, killed and opened, and that opens itself
//! anew after a failed sync; records that are written anew while requests go on; and enough large records for the log to
//! begin from the front, over segments that it had used before.
//!
//! ```sh
//! JOTSMITH_POWER_CUTS=20000 cargo test --release --test store -- --nocapture power_cut
//! JOTSMITH_POWER_CUT_SEED=7 cargo test --test store -- --nocapture power_cut
//! ```
//!
//! # What this cannot show
//!
//! - A disk that says that it has what it has not, sectors that rot, and a file system that does not keep its promises:
//!   its own journal, and what it does to files that it is not asked for, stay outside. Damage is `damage.rs`.
//! - Old bytes of other files where a file was made longer and its pages were not written: here these are zeros.
//! - A sector that is half written: a sector is kept as a whole, or as it was.
//! - Runs that no seed has drawn. One recording has one order of the store's threads; every run has another.
//! - [`Durability::Periodic`], which promises less.

mod disk;
mod plan;
mod recording;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;

use futures_util::future::join_all;
use jotsmith::foundation::once::Remembered;
use jotsmith::foundation::storage::StoreUnavailable;
use jotsmith::store::Durability;
use jotsmith::store::sled::{CommitStep, SledStore};
use tempfile::TempDir;

use self::disk::{Disk, Kept};
use self::plan::{Act, Group, Known, Plan};
use self::recording::{Event, What};
use crate::sled::{At, clock, options, try_open};

/// Where the store is; neither folder is there before.
const DATA: &str = "state/data";

const PEOPLE: usize = 40;
const LARGE: usize = 12;
const ROUNDS: usize = 110;

/// sled writes its log in parts of this many bytes.
const SEGMENT: usize = 512 * 1024;

/// The test that is the recorded program.
const RUN: &str = "power_cut::a_run_is_answered_as_planned";

const SEED: &str = "JOTSMITH_POWER_CUT_SEED";

/// Where the recorded program finds its folder, and with which act it begins.
const ROOT: &str = "JOTSMITH_POWER_CUT_ROOT";
const FROM: &str = "JOTSMITH_POWER_CUT_FROM";

fn number(variable: &str) -> Option<u64> {
    let set = std::env::var(variable).ok()?;
    Some(set.parse().unwrap_or_else(|_| panic!("{variable} is no number")))
}

fn plan(seed: u64) -> Plan {
    Plan::of(seed, PEOPLE, LARGE, ROUNDS)
}

/// The program that is recorded: it makes the acts of the plan from one on, until it is to be killed. Without a folder,
/// all of them in one of its own.
#[test]
fn a_run_is_answered_as_planned() {
    let seed = number(SEED).unwrap_or(1);
    let Some(root) = std::env::var_os(ROOT) else {
        let root = TempDir::new().expect("a folder");
        let mut from = 0;
        while let Some(killed) = (Run { plan: plan(seed), root: root.path().to_owned(), group: 0 }).make(from) {
            from = killed;
        }
        return;
    };
    let from = usize::try_from(number(FROM).expect("set with the folder")).expect("small");
    let run = Run { plan: plan(seed), root: root.into(), group: 0 };
    if run.make(from).is_some() {
        // As SIGKILL would end it: nothing is closed.
        std::process::exit(0);
    }
}

struct Run {
    plan: Plan,
    root: PathBuf,
    /// How many groups were asked.
    group: usize,
}

impl Run {
    /// Makes the acts from this one on; the one after which it was killed, if it was.
    fn make(mut self, from: usize) -> Option<usize> {
        let fails = Arc::new(AtomicBool::new(false));
        let mut store = Some(self.open(&fails));
        for (number, act) in self.plan.acts.clone().into_iter().enumerate() {
            if number < from {
                self.group += act.groups();
                continue;
            }
            let open = || Arc::clone(store.as_ref().expect("open"));
            match act {
                Act::Ask(group) => self.ask(&open(), &group),
                Act::Sweep => self.tell_of(|_| run(plan::sweep(&open())).expect("swept")),
                Act::Rewrite(meanwhile) => {
                    let store = open();
                    let rewriting = thread::spawn(move || run(store.rewrite()).expect("written anew"));
                    for group in &meanwhile {
                        self.ask(&open(), group);
                    }
                    rewriting.join().expect("no panic");
                }
                Act::Reopen => {
                    drop(store.take());
                    store = Some(self.open(&fails));
                }
                Act::Trouble(group) => {
                    fails.store(true, Ordering::SeqCst);
                    self.ask(&open(), &group);
                }
                Act::Kill => {
                    // Where it is not recorded, dropping it has to do.
                    if std::env::var_os(ROOT).is_some() {
                        std::mem::forget(store);
                    }
                    return Some(number + 1);
                }
            }
        }
        None
    }

    fn open(&self, fails: &Arc<AtomicBool>) -> Arc<SledStore> {
        let fails = Arc::clone(fails);
        let probe = At(move |step| match step {
            CommitStep::Sync if fails.swap(false, Ordering::SeqCst) => Err(io::Error::other("as a disk does")),
            _ => Ok(()),
        });
        let options = options(&self.root.join(DATA), Durability::Fsync);
        Arc::new(SledStore::open_with_probe(options, clock(), Box::new(probe)).expect("it opens"))
    }

    fn ask(&mut self, store: &SledStore, group: &Group) {
        self.tell_of(|run_of| {
            let known = &run_of.plan.known[run_of.group - 1];
            let ask = |(person, verb): &(usize, plan::Verb)| {
                let (person, known, verb) = (&run_of.plan.people[*person], known[*person], *verb);
                async move {
                    // Only after a trouble it is asked more than once.
                    while verb.ask(store, person, known).await.is_err() {}
                }
            };
            run(async { Ok(join_all(group.iter().map(ask)).await) }).expect("asked");
        });
    }

    /// Does it, and tells of it before and after.
    fn tell_of(&mut self, act: impl FnOnce(&Self)) {
        self.group += 1;
        self.tell(&format!("asked {}", self.group));
        act(self);
        self.tell(&format!("answered {}", self.group));
    }

    fn tell(&self, tidings: &str) {
        let file = OpenOptions::new().append(true).create(true).open(recording::tidings(&self.root));
        file.and_then(|mut file| file.write_all(tidings.as_bytes())).expect("told");
    }
}

impl Act {
    fn groups(&self) -> usize {
        match self {
            Self::Ask(_) | Self::Sweep | Self::Trouble(_) => 1,
            Self::Rewrite(meanwhile) => meanwhile.len(),
            Self::Reopen | Self::Kill => 0,
        }
    }
}

fn run<T>(asked: impl Future<Output = Result<T, StoreUnavailable>>) -> Result<T, StoreUnavailable> {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(asked)
}

/// A run, and all that it asked of the file system.
struct Recorded {
    seed: u64,
    plan: Plan,
    root: PathBuf,
    before: Before,
    events: Vec<Event>,
}

/// What was there before.
struct Before {
    disk: Disk,
    answered: usize,
    asked: usize,
}

impl Recorded {
    fn new(seed: u64) -> Self {
        let folder = TempDir::new().expect("a folder");
        let root = folder.path().canonicalize().expect("there");
        let plan = plan(seed);
        let kills = plan.acts.iter().enumerate().filter(|(_, act)| matches!(act, Act::Kill));
        let mut events = Vec::new();
        for from in [0].into_iter().chain(kills.map(|(number, _)| number + 1)) {
            let variables = [(SEED, seed.to_string()), (ROOT, root.display().to_string()), (FROM, from.to_string())];
            recording::record(&root, RUN, &variables, &mut events);
        }
        let before = Before { disk: Disk::empty(), answered: 0, asked: 0 };
        Self { seed, plan, root, before, events }
    }

    /// The next start after a power cut, and a close in good order.
    fn of_opening(seed: u64, left: Left) -> Self {
        let Left { folder: root, answered, asked, .. } = left;
        let (plan, before) = (plan(seed), Before { disk: Disk::of(&root), answered, asked });
        let all = plan.acts.len().to_string();
        let variables = [(SEED, seed.to_string()), (ROOT, root.display().to_string()), (FROM, all)];
        let mut events = Vec::new();
        recording::record(&root, RUN, &variables, &mut events);
        Self { seed, plan, root, before, events }
    }
}

/// What a store might leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
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
struct Left {
    folder: PathBuf,
    what: String,
    kept: Kept,
    answered: usize,
    asked: usize,
}

/// How the replays went.
#[derive(Default)]
struct Report {
    moments: usize,
    folders: BTreeMap<Kept, usize>,
    broken: Vec<String>,
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
fn replay(recorded: &Recorded, flaw: Flaw, cuts: usize) -> Report {
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

/// A folder for what is looked at and thrown away, where its syncs cost nothing.
fn in_memory() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).expect("a folder")
}

struct Cutting<'a> {
    recorded: &'a Recorded,
    flaw: Flaw,
    random: fastrand::Rng,
    cuts: usize,
    /// Of a flaw it is enough to be found once.
    is_found: &'a AtomicBool,
}

impl Cutting<'_> {
    /// Goes through the run, and cuts it off at chosen moments; at how many.
    fn cut(mut self, to: &Path, send: &SyncSender<Left>) -> usize {
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

impl Event {
    fn describe(&self, root: &Path) -> String {
        let what = format!("{:?}", self.what).replace(&format!("{}/", root.display()), "");
        let short: String = what.chars().take(110).collect();
        format!("line {}: {short}", self.begun)
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

fn cuts() -> usize {
    number("JOTSMITH_POWER_CUTS").map_or(300, |cuts| usize::try_from(cuts).expect("not that many"))
}

impl Recorded {
    /// How often a segment of a log was begun that had been one before.
    fn segments_used_again(&self) -> usize {
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

    fn tell(&self) -> String {
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

/// One recording, for all tests; none, where it cannot be made here.
fn recorded() -> Option<&'static Recorded> {
    static RECORDED: LazyLock<Option<Recorded>> = LazyLock::new(|| {
        let seed = number(SEED).unwrap_or_else(|| fastrand::u64(..));
        recording::is_possible().then(|| Recorded::new(seed))
    });
    RECORDED.as_ref()
}

#[test]
fn a_power_cut_loses_nothing_that_was_answered_and_brings_nothing_back() {
    let Some(recorded) = recorded() else { return };
    println!("{SEED}={}: {}", recorded.seed, recorded.tell());
    let report = replay(recorded, Flaw::None, cuts());
    println!("{report}");
    assert!(recorded.segments_used_again() > 0, "the log has not begun from the front");
    assert!(report.broken.is_empty(), "{SEED}={}\n{report}", recorded.seed);
}

/// After some power cuts the store is opened once more, and the power is cut again meanwhile.
#[test]
fn a_power_cut_while_a_store_recovers_from_one_loses_nothing_either() {
    let Some(recorded) = recorded() else { return };
    let folder = in_memory();
    let openings = cuts() / 50;
    let (send, left) = mpsc::sync_channel(openings);
    let random = fastrand::Rng::with_seed(!recorded.seed);
    let cutting = Cutting { recorded, flaw: Flaw::None, random, cuts: openings, is_found: &AtomicBool::new(false) };
    cutting.cut(&folder.path().canonicalize().expect("there"), &send);
    drop(send);
    for left in left {
        let what = left.what.clone();
        let report = replay(&Recorded::of_opening(recorded.seed, left), Flaw::None, 25);
        println!("opened after {what}: {report}");
        assert!(report.broken.is_empty(), "{SEED}={}, opened after {what}\n{report}", recorded.seed);
    }
}

/// The same power cuts of a store with a flaw must find it.
fn assert_finds(flaw: Flaw) {
    let Some(recorded) = recorded() else { return };
    let report = replay(recorded, flaw, 3000);
    assert!(!report.broken.is_empty(), "{flaw:?} was not found, {SEED}={}\n{report}", recorded.seed);
}

#[test]
fn a_store_that_answers_before_the_disk_has_it_is_found() {
    assert_finds(Flaw::NoSyncOfRecords);
}

#[test]
fn a_store_that_does_not_sync_its_folders_is_found() {
    assert_finds(Flaw::NoSyncOfFolders);
}

#[test]
fn a_store_that_removes_old_records_before_the_mark_names_the_fresh_ones_on_the_disk_is_found() {
    assert_finds(Flaw::NoSyncOfMark);
}

#[test]
fn a_store_that_brings_back_a_copy_which_the_disk_never_had_is_found() {
    assert_finds(Flaw::NoSyncOfCopies);
}
