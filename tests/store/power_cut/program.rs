//! The program that is recorded: it asks a store for what is planned, and tells of every question and answer.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use futures_util::future::join_all;
use jotsmith::foundation::storage::StoreUnavailable;
use jotsmith::store::Durability;
use jotsmith::store::sled::{CommitStep, SledStore};
use tempfile::TempDir;

use super::plan::{self, Act, Group, Plan};
use super::recording::Event;
use super::{DATA, SEED, number, recording};
use crate::sled::{At, clock, options};

/// The name of the test that is this program.
const NAME: &str = "power_cut::program::a_run_is_answered_as_planned";

/// Where it finds its folder, and with which act it begins.
const ROOT: &str = "JOTSMITH_POWER_CUT_ROOT";
const FROM: &str = "JOTSMITH_POWER_CUT_FROM";

/// Runs it in a folder from this act on, and adds what it asked of the file system.
pub(super) fn record(root: &Path, seed: u64, from: usize, events: &mut Vec<Event>) {
    let variables = [(SEED, seed.to_string()), (ROOT, root.display().to_string()), (FROM, from.to_string())];
    recording::record(root, NAME, &variables, events);
}

/// It makes the acts of the plan from one on, until it is to be killed. Without a folder,
/// all of them in one of its own.
#[test]
fn a_run_is_answered_as_planned() {
    let seed = number(SEED).unwrap_or(1);
    let Some(root) = std::env::var_os(ROOT) else {
        let root = TempDir::new().expect("a folder");
        let mut from = 0;
        while let Some(killed) = (Run { plan: super::plan(seed), root: root.path().to_owned(), group: 0 }).make(from) {
            from = killed;
        }
        return;
    };
    let from = usize::try_from(number(FROM).expect("set with the folder")).expect("small");
    let run = Run { plan: super::plan(seed), root: root.into(), group: 0 };
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

/// Asks the store, and waits.
pub(super) fn run<T>(asked: impl Future<Output = Result<T, StoreUnavailable>>) -> Result<T, StoreUnavailable> {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(asked)
}
