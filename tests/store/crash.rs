//! A crash at any point, a disk that fails, and a clean end: what was answered is there, and nothing is half there.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;

use jotsmith::authorize::code::AuthorizationCode;
use jotsmith::authorize::store::Redemption;
use jotsmith::foundation::random::OsRandom;
use jotsmith::foundation::storage::StoreUnavailable;
use jotsmith::login::session::{EarlyEnd, SessionId};
use jotsmith::store::Durability;
use jotsmith::store::sled::CommitStep;
use jotsmith::tokens::grant::Grant;
use jotsmith::tokens::store::Rotation;
use tempfile::TempDir;
use uuid::Uuid;

use crate::sled::{At, copy, folder, open, open_with_probe};
use crate::suite::{self, BEGIN, POLICY, Shared, after, answer, code_of, grant_of, new_id, try_answer};

/// All that one person's records say.
type Seen = (Option<AuthorizationCode>, Option<Grant>, EarlyEnd);

fn see(store: &Shared, id: Uuid, sid: SessionId) -> Seen {
    (answer(store.read_code(id)), answer(store.read_grant(id)), answer(store.early_end(sid, "alice")))
}

/// A verb, and what it must answer.
type Verb = Box<dyn Fn(&Shared)>;

/// One person's way through every verb, one step at a time.
fn steps(code: &AuthorizationCode, sid: SessionId) -> Vec<Verb> {
    let (id, code) = (code.id, code.clone());
    let rotate = |presented, now| {
        move |store: &Shared| {
            assert!(matches!(answer(store.rotate(id, presented, now, POLICY)), Rotation::Rotated(_)));
        }
    };
    let redeem = {
        let grant = grant_of(&code);
        move |store: &Shared| assert_eq!(answer(store.redeem(grant.clone(), BEGIN)), Redemption::Redeemed)
    };
    vec![
        Box::new(move |store| answer(store.put_code(code.clone()))),
        Box::new(redeem),
        Box::new(rotate(0, after(1))),
        Box::new(rotate(1, after(2))),
        Box::new(move |store| assert!(matches!(answer(store.rotate(id, 0, after(3), POLICY)), Rotation::Reused(_)))),
        Box::new(move |store| answer(store.end_session(sid, after(100)))),
        Box::new(|store| answer(store.end_all("alice", after(4)))),
        Box::new(|store| assert_eq!(answer(store.sweep(BEGIN + 2 * suite::ABSOLUTE, suite::IDLE, 100)).removed, 2)),
    ]
}

#[test]
fn a_crash_between_any_two_steps_loses_nothing_that_was_answered_and_leaves_nothing_half() {
    let folder = folder();
    let data = folder.path().join("data");
    let answered = Arc::new(AtomicUsize::new(0));
    let left: Arc<Mutex<Vec<(CommitStep, usize, PathBuf)>>> = Arc::default();
    let probe = {
        let (answered, left, data) = (Arc::clone(&answered), Arc::clone(&left), data.clone());
        move |step| {
            let mut left = left.lock().expect("unpoisoned");
            let to = data.with_file_name(format!("left-{}", left.len()));
            copy(&data, &to);
            left.push((step, answered.load(Ordering::SeqCst), to));
            Ok(())
        }
    };
    let store = open_with_probe(&data, Durability::Fsync, At(probe));
    let (code, sid) = (code_of("alice"), SessionId::new(&OsRandom));
    let mut states = vec![see(&store, code.id, sid)];
    for step in steps(&code, sid) {
        step(&store);
        answered.fetch_add(1, Ordering::SeqCst);
        states.push(see(&store, code.id, sid));
    }
    drop(store);

    let left = left.lock().expect("unpoisoned");
    // The first commit is that of the opening itself; three more points a step have copies, and so has the answer.
    assert_eq!(left.len(), (1 + 8) * 4);
    for (step, answered, path) in left.iter().skip(4) {
        let found = see(&open(path), code.id, sid);
        let is_before = found == states[*answered];
        let is_after = found == states[*answered + 1];
        let is_right = match step {
            CommitStep::Apply => is_before,
            CommitStep::Flush | CommitStep::Sync => is_before || is_after,
            CommitStep::Answer | CommitStep::Reopen => is_after,
        };
        assert!(is_right, "a crash before {step:?} after {answered} answers left {found:?}");
    }
}

#[test]
fn a_crash_during_the_very_first_start_is_no_obstacle_to_the_next() {
    let folder = folder();
    let data = folder.path().join("data");
    let left = Arc::new(AtomicUsize::new(0));
    let probe = {
        let (data, left) = (data.clone(), Arc::clone(&left));
        move |_| {
            copy(&data, &data.with_file_name(format!("left-{}", left.fetch_add(1, Ordering::SeqCst))));
            Ok(())
        }
    };
    drop(open_with_probe(&data, Durability::Fsync, At(probe)));
    for number in 0..left.load(Ordering::SeqCst) {
        let left = folder.path().join(format!("left-{number}"));
        let store = crate::sled::try_open(&left).expect("it opens");
        assert!(store.is_new(), "nothing was answered yet");
    }
    assert!(!crate::sled::try_open(&data).expect("it opens").is_new());
}

#[test]
fn a_crash_under_load_loses_no_refresh_that_was_answered() {
    const CALLERS: usize = 16;
    const ROTATIONS: u32 = 60;
    let folder = folder();
    let data = folder.path().join("data");
    let answered: Arc<[AtomicU32; CALLERS]> = Arc::new([const { AtomicU32::new(0) }; CALLERS]);
    let left = Arc::new(Mutex::new(Vec::<(PathBuf, [u32; CALLERS])>::new()));
    let probe = {
        let (answered, left, data) = (Arc::clone(&answered), Arc::clone(&left), data.clone());
        let mut reached = 0;
        move |_| {
            reached += 1;
            if reached % 19 == 0 {
                let seen = std::array::from_fn(|caller| answered[caller].load(Ordering::SeqCst));
                let mut left = left.lock().expect("unpoisoned");
                let to = data.with_file_name(format!("left-{}", left.len()));
                copy(&data, &to);
                left.push((to, seen));
            }
            Ok(())
        }
    };
    let store = open_with_probe(&data, Durability::Fsync, At(probe));
    let grants: Vec<_> = (0..CALLERS).map(|_| suite::put_grant(&store, 0)).collect();
    thread::scope(|scope| {
        for (grant, answered) in grants.iter().zip(answered.iter()) {
            let store = &store;
            scope.spawn(move || {
                for presented in 0..ROTATIONS {
                    let rotation = answer(store.rotate(grant.id, presented, after(1), POLICY));
                    let Rotation::Rotated(next) = rotation else { panic!("not rotated: {rotation:?}") };
                    answered.store(next.generation, Ordering::SeqCst);
                }
            });
        }
    });
    drop(store);
    let left = left.lock().expect("unpoisoned");
    assert!(left.len() > 5, "{} copies say little", left.len());
    for (path, answered) in left.iter() {
        let store = open(path);
        for (grant, answered) in grants.iter().zip(answered) {
            let found = answer(store.read_grant(grant.id)).map_or(0, |grant| grant.generation);
            assert!(found >= *answered, "{found} of {answered} refreshes survived");
            assert!(found <= answered + 1, "more than what was on its way survived");
        }
    }
}

#[test]
fn reopening_keeps_everything() {
    let folder = folder();
    let (code, sid) = (code_of("alice"), SessionId::new(&OsRandom));
    let grant = grant_of(&code_of("bob"));
    let mut seen = Vec::new();
    for round in 0..20 {
        let store = open(folder.path());
        if round == 0 {
            answer(store.put_code(code.clone()));
            answer(store.put_grant(grant.clone()));
            answer(store.end_session(sid, after(100)));
            answer(store.end_all("alice", after(0)));
        }
        seen.push((see(&store, code.id, sid), see(&store, grant.id, sid)));
    }
    assert_eq!(seen[0].0.0, Some(code));
    assert_eq!(seen[0].1.1, Some(grant));
    assert!(seen.iter().all(|round| *round == seen[0]));
}

/// A store in which the next commit fails at a step, each time that `fails` is set; and how often it was opened anew.
fn failing(data: &Path, at: CommitStep, fails: &Arc<AtomicBool>) -> (Shared, Arc<AtomicUsize>) {
    let reopened = Arc::new(AtomicUsize::new(0));
    let probe = {
        let (fails, reopened) = (Arc::clone(fails), Arc::clone(&reopened));
        move |step| {
            if step == CommitStep::Reopen {
                reopened.fetch_add(1, Ordering::SeqCst);
            }
            if step == at && fails.swap(false, Ordering::SeqCst) {
                return Err(io::Error::other("the disk is on fire"));
            }
            Ok(())
        }
    };
    (open_with_probe(data, Durability::Fsync, At(probe)), reopened)
}

#[test]
fn a_commit_that_fails_is_not_answered_and_the_store_works_again() {
    for at in [CommitStep::Apply, CommitStep::Flush, CommitStep::Sync, CommitStep::Answer] {
        let folder = folder();
        let data = folder.path().join("data");
        let fails = Arc::new(AtomicBool::new(false));
        let (store, reopened) = failing(&data, at, &fails);
        let grant = suite::put_grant(&store, 0);
        let inode = || fs::metadata(data.join("records/db")).expect("there").ino();
        let before = inode();

        fails.store(true, Ordering::SeqCst);
        let refused = try_answer(store.rotate(grant.id, 0, after(1), POLICY)).expect_err("the disk failed");
        assert!(refused.cause.contains("on fire"), "{refused}");
        assert!(!refused.retry_after.is_zero());

        // Whether the step was made is not known: it is rotated now, or was and this is the retry.
        let rotation = answer(store.rotate(grant.id, 0, after(2), POLICY));
        let (Rotation::Rotated(next) | Rotation::Retried(next)) = rotation else { panic!("{at:?}: {rotation:?}") };
        assert_eq!(next.generation, 1);
        assert_eq!(reopened.load(Ordering::SeqCst), 1);
        assert_eq!(answer(store.read_grant(grant.id)), Some(next.clone()));
        // A file whose sync failed once is never trusted again.
        assert_ne!(inode(), before);
        assert!(!data.join("rewritten").exists());
        drop(store);
        assert_eq!(answer(open(&data).read_grant(grant.id)), Some(next));
    }
}

#[test]
fn a_crash_while_records_are_rewritten_is_no_obstacle() {
    let folder = folder();
    let data = folder.path().join("data");
    let store = open(&data);
    let grant = suite::put_grant(&store, 0);
    drop(store);
    // Cut short before the exchange: half a database. After it: the old one.
    fs::create_dir_all(data.join("rewritten/blobs")).expect("created");
    fs::write(data.join("rewritten/db"), [1; 100]).expect("written");
    let store = open(&data);
    assert_eq!(answer(store.read_grant(grant.id)), Some(grant.clone()));
    assert!(!data.join("rewritten").exists());
    drop(store);
    copy(&data.join("records"), &data.join("rewritten"));
    assert_eq!(answer(open(&data).read_grant(grant.id)), Some(grant));
}

#[test]
fn a_crash_while_the_database_was_opened_brings_back_what_was_there_before() {
    let folder = folder();
    let data = folder.path().join("data");
    let store = open(&data);
    let grant = suite::put_grant(&store, 0);
    drop(store);
    fs::copy(data.join("records/db"), data.join("before-opening")).expect("copied");
    fs::write(data.join("records/db"), [0; 100]).expect("written");
    fs::write(data.join("before-opening.part"), [0; 100]).expect("written");
    assert_eq!(answer(open(&data).read_grant(grant.id)), Some(grant));
    assert!(!data.join("before-opening").exists() && !data.join("before-opening.part").exists());
}

#[test]
fn a_read_opens_a_failed_store_anew_too() {
    let folder = folder();
    let fails = Arc::new(AtomicBool::new(false));
    let (store, reopened) = failing(&folder.path().join("data"), CommitStep::Apply, &fails);
    let grant = suite::put_grant(&store, 0);
    fails.store(true, Ordering::SeqCst);
    assert!(try_answer(store.revoke_grant(grant.id, after(1))).is_err());
    assert_eq!(answer(store.read_grant(grant.id)), Some(grant));
    assert_eq!(reopened.load(Ordering::SeqCst), 1);
}

/// A store whose commits can be held before they change anything, and the steps that they take.
struct Held {
    store: Shared,
    gate: Arc<Mutex<()>>,
    steps: Receiver<CommitStep>,
    _folder: TempDir,
}

impl Held {
    /// With a disk that fails at one of its syncs, the opening's not counted.
    fn new(failing_sync: Option<usize>) -> Self {
        let folder = folder();
        let gate = Arc::new(Mutex::new(()));
        let (reached, steps) = mpsc::channel();
        let probe = {
            let gate = Arc::clone(&gate);
            let mut syncs = 0;
            move |step| {
                // Nobody may listen any more.
                let _ = reached.send(step);
                if step == CommitStep::Apply {
                    drop(gate.lock().expect("unpoisoned"));
                }
                if step == CommitStep::Sync {
                    syncs += 1;
                    if failing_sync.is_some_and(|failing| syncs == failing + 1) {
                        return Err(io::Error::other("the disk is on fire"));
                    }
                }
                Ok(())
            }
        };
        let store = open_with_probe(&folder.path().join("data"), Durability::Fsync, At(probe));
        Self { store, gate, steps, _folder: folder }
    }

    /// Makes `waiting` steps that have all come while one commit was on its way; what they got.
    fn make_together(&self, waiting: usize) -> Vec<Result<(), StoreUnavailable>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let _ = self.steps.try_iter().count();
        let put = || {
            let store = Arc::clone(&self.store);
            async move { store.put_grant(grant_of(&code_of("alice"))).await }
        };
        let held = self.gate.lock().expect("unpoisoned");
        let (first, steps) = runtime.block_on(async {
            let first = tokio::spawn(put());
            tokio::task::yield_now().await;
            assert_eq!(self.steps.recv(), Ok(CommitStep::Apply));
            let steps: Vec<_> = (0..waiting).map(|_| tokio::spawn(put())).collect();
            // The runtime takes up a few tasks at each turn.
            for _ in 0..waiting {
                tokio::task::yield_now().await;
            }
            (first, steps)
        });
        drop(held);
        runtime.block_on(async {
            first.await.expect("no panic").expect("the first one is answered");
            let mut answers = Vec::new();
            for step in steps {
                answers.push(step.await.expect("no panic"));
            }
            answers
        })
    }
}

#[test]
fn all_that_wait_share_one_sync() {
    let held = Held::new(None);
    assert!(held.make_together(100).iter().all(Result::is_ok));
    let syncs = held.steps.try_iter().filter(|step| *step == CommitStep::Sync).count();
    assert_eq!(syncs, 2, "one for the first step and one for the hundred that waited");
}

#[test]
fn everybody_in_a_batch_that_fails_is_refused() {
    let answers = Held::new(Some(2)).make_together(8);
    assert!(answers.iter().all(Result::is_err), "{answers:?}");
}

#[test]
fn more_steps_than_may_wait_are_refused_at_once() {
    let held = Held::new(None);
    let answers = held.make_together(5000);
    let (answered, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((answered.len(), refused.len()), (4096, 5000 - 4096));
    assert!(refused.iter().all(|answer| answer.as_ref().is_err_and(|refused| !refused.retry_after.is_zero())));
}

#[test]
fn a_store_that_cannot_be_opened_anew_says_when_to_come_again_and_does_not_try_at_every_request() {
    let folder = folder();
    let data = folder.path().join("data");
    let (is_broken, tries) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let probe = {
        let (is_broken, tries) = (Arc::clone(&is_broken), Arc::clone(&tries));
        move |step| {
            tries.fetch_add(usize::from(step == CommitStep::Reopen), Ordering::SeqCst);
            if is_broken.load(Ordering::SeqCst) { Err(io::Error::other("no disk")) } else { Ok(()) }
        }
    };
    let store = open_with_probe(&data, Durability::Fsync, At(probe));
    let grant = suite::put_grant(&store, 0);
    is_broken.store(true, Ordering::SeqCst);
    for _ in 0..20 {
        let refused = try_answer(store.put_grant(grant.clone())).expect_err("there is no disk");
        assert!(!refused.retry_after.is_zero());
    }
    let count = tries.load(Ordering::SeqCst);
    assert!((1..20).contains(&count), "tried {count} times");
    drop(store);
    assert_eq!(answer(open(&data).read_grant(grant.id)), Some(grant));
}

#[test]
fn a_read_sees_nothing_that_is_not_durable() {
    let folder = folder();
    let id = new_id();
    let seen: Arc<Mutex<Vec<Option<u32>>>> = Arc::default();
    let shared: Arc<Mutex<Option<Shared>>> = Arc::default();
    let probe = {
        let (shared, seen) = (Arc::clone(&shared), Arc::clone(&seen));
        move |_| {
            if let Some(store) = &*shared.lock().expect("unpoisoned") {
                let found = answer(store.read_grant(id)).map(|grant| grant.generation);
                seen.lock().expect("unpoisoned").push(found);
            }
            Ok(())
        }
    };
    let store = open_with_probe(&folder.path().join("data"), Durability::Fsync, At(probe));
    *shared.lock().expect("unpoisoned") = Some(Arc::clone(&store));
    answer(store.put_grant(Grant { id, ..grant_of(&code_of("alice")) }));
    assert!(matches!(answer(store.rotate(id, 0, after(1), POLICY)), Rotation::Rotated(_)));
    *shared.lock().expect("unpoisoned") = None;
    assert_eq!(*seen.lock().expect("unpoisoned"), [[None; 4], [Some(0); 4]].concat());
    assert_eq!(answer(store.read_grant(id)).map(|grant| grant.generation), Some(1));
}

#[test]
fn a_periodic_store_answers_before_the_sync_and_keeps_everything_when_it_is_closed() {
    let folder = folder();
    let data = folder.path().join("data");
    let syncs = Arc::new(AtomicUsize::new(0));
    let probe = {
        let syncs = Arc::clone(&syncs);
        move |step| {
            syncs.fetch_add(usize::from(step == CommitStep::Sync), Ordering::SeqCst);
            Ok(())
        }
    };
    let store = open_with_probe(&data, Durability::Periodic, At(probe));
    let grant = suite::put_grant(&store, 0);
    for presented in 0..200 {
        assert!(matches!(answer(store.rotate(grant.id, presented, after(1), POLICY)), Rotation::Rotated(_)));
        assert_eq!(answer(store.read_grant(grant.id)).map(|grant| grant.generation), Some(presented + 1));
    }
    drop(store);
    // One at the opening, one at the end, and one every half second.
    let syncs = syncs.load(Ordering::SeqCst);
    assert!((2..100).contains(&syncs), "{syncs} syncs for 201 steps");
    let store = open(&data);
    assert_eq!(answer(store.read_grant(grant.id)).map(|grant| grant.generation), Some(200));
    // It was closed in good order, so it is not behind its tokens.
    assert!(matches!(answer(store.rotate(grant.id, 201, after(2), POLICY)), Rotation::Ahead(_)));
}

#[test]
fn a_periodic_store_that_failed_takes_itself_for_recovered() {
    let folder = folder();
    let fails = Arc::new(AtomicBool::new(false));
    let probe = {
        let fails = Arc::clone(&fails);
        move |step| {
            if step == CommitStep::Apply && fails.swap(false, Ordering::SeqCst) {
                return Err(io::Error::other("the disk is on fire"));
            }
            Ok(())
        }
    };
    let store = open_with_probe(&folder.path().join("data"), Durability::Periodic, At(probe));
    let grant = suite::put_grant(&store, 0);
    fails.store(true, Ordering::SeqCst);
    assert!(try_answer(store.rotate(grant.id, 0, after(1), POLICY)).is_err());
    assert!(matches!(answer(store.rotate(grant.id, 3, after(2), POLICY)), Rotation::Rotated(_)));
}
