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
mod program;
mod recorded;
mod recording;
mod replay;

use std::sync::atomic::AtomicBool;
use std::sync::{LazyLock, mpsc};

use self::plan::Plan;
use self::recorded::Recorded;
use self::replay::{Cutting, Flaw, replay};
use crate::sled::in_memory;

/// Where the store is; neither folder is there before.
const DATA: &str = "state/data";

const SEED: &str = "JOTSMITH_POWER_CUT_SEED";

fn number(variable: &str) -> Option<u64> {
    let set = std::env::var(variable).ok()?;
    Some(set.parse().unwrap_or_else(|_| panic!("{variable} is no number")))
}

fn cuts() -> usize {
    number("JOTSMITH_POWER_CUTS").map_or(300, |cuts| usize::try_from(cuts).expect("not that many"))
}

/// What is asked of the store.
fn plan(seed: u64) -> Plan {
    const PEOPLE: usize = 40;
    const LARGE: usize = 12;
    const ROUNDS: usize = 110;
    Plan::of(seed, PEOPLE, LARGE, ROUNDS)
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
