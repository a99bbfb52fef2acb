//! The thread that loads the configuration again: when it is asked to, and when a file of it changes.
//!
//! It is no thread that answers requests: a large configuration takes seconds to read and to judge, and the old one takes
//! a while to be taken apart. Requests notice no more of it than another pointer.
//!
//! What is watched are folders, for editors and Kubernetes put another file into the place of the old one. A change of
//! anything there is looked into; what the configuration was read from decides whether it is one.

use std::collections::BTreeSet;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::Reloader;

/// How long nothing may change before what has changed is read: whoever writes a file writes it in parts.
const QUIET: Duration = Duration::from_millis(200);

/// How long a change waits for quiet.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How often it is tried to take apart what requests still had when it was replaced.
const RETRY_RETIRING: Duration = Duration::from_millis(500);

/// How many files are watched besides their folders. A file that is mounted by itself changes where its folder does not
/// see it; these are few, and each costs a watch of the operating system.
const MOST_FILES: usize = 256;

/// How often what is watched may change with what is read, in one turn.
const MOST_ROUNDS: usize = 8;

/// Why the thread has something to do.
enum Occasion {
    /// Somebody asked.
    Asked,
    /// Something changed in a folder.
    Changed,
    /// The server ends.
    Over,
}

/// The thread that loads the configuration again. Dropping this waits for what it is doing, and ends it.
pub(super) struct ReloadThread {
    sender: Sender<Occasion>,
    thread: Option<JoinHandle<()>>,
}

impl ReloadThread {
    /// Begins to watch. Without a watcher, which the operating system may refuse, it goes on and warns.
    pub(super) fn start(reloader: Arc<Reloader>) -> io::Result<Self> {
        let (sender, occasions) = mpsc::channel();
        let changes = sender.clone();
        let begin = move || {
            let mut watched = Watched::new(changes);
            guarded(|| watched.follow(&reloader));
            run(&reloader, &occasions, &mut watched);
        };
        let thread = thread::Builder::new().name("jotsmith-reload".to_owned()).spawn(begin)?;
        Ok(Self { sender, thread: Some(thread) })
    }

    /// What asks for a reload.
    pub(super) fn asker(&self) -> Asker {
        Asker(self.sender.clone())
    }
}

impl Drop for ReloadThread {
    fn drop(&mut self) {
        // It may have ended before, by a panic that is in the log.
        let _ = self.sender.send(Occasion::Over);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Asks for a reload.
#[derive(Clone)]
pub(super) struct Asker(Sender<Occasion>);

impl Asker {
    /// Has the configuration loaded again, soon, whether it has changed or not.
    pub(super) fn ask(&self) {
        if self.0.send(Occasion::Asked).is_err() {
            tracing::error!("the thread that loads the configuration is gone; only a restart helps");
        }
    }
}

fn run(reloader: &Reloader, occasions: &Receiver<Occasion>, watched: &mut Watched) {
    loop {
        let next = if reloader.has_retired() {
            occasions.recv_timeout(RETRY_RETIRING)
        } else {
            occasions.recv().map_err(|_| RecvTimeoutError::Disconnected)
        };
        match next {
            Ok(Occasion::Asked) => guarded(|| reload_and_follow(reloader, watched)),
            Ok(Occasion::Changed) => match wait_for_quiet(occasions) {
                Quiet::Over => return,
                Quiet::AskedToo => guarded(|| reload_and_follow(reloader, watched)),
                Quiet::ChangesAlone => guarded(|| watched.follow(reloader)),
            },
            Ok(Occasion::Over) | Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {}
        }
        reloader.drop_retired();
    }
}

/// A panic is in the log; what was live before still is, and the next reload may do better.
fn guarded(work: impl FnOnce()) {
    let _ = panic::catch_unwind(AssertUnwindSafe(work));
}

fn reload_and_follow(reloader: &Reloader, watched: &mut Watched) {
    // What it finds is told by itself.
    let _ = reloader.reload();
    watched.follow(reloader);
}

enum Quiet {
    ChangesAlone,
    AskedToo,
    Over,
}

fn wait_for_quiet(occasions: &Receiver<Occasion>) -> Quiet {
    let begun = now();
    let mut quiet = Quiet::ChangesAlone;
    while begun.elapsed() < LONGEST_WAIT {
        match occasions.recv_timeout(QUIET) {
            Ok(Occasion::Changed) => {}
            // Whoever asks has written all of it.
            Ok(Occasion::Asked) => {
                quiet = Quiet::AskedToo;
                break;
            }
            Ok(Occasion::Over) => return Quiet::Over,
            Err(_) => break,
        }
    }
    quiet
}

#[expect(clippy::disallowed_methods, reason = "measures how long files keep changing, which no injected clock knows")]
fn now() -> Instant {
    Instant::now()
}

/// What the operating system tells the thread about.
struct Watched {
    watcher: Option<RecommendedWatcher>,
    paths: BTreeSet<PathBuf>,
    /// What cannot be watched, as the log has it already.
    refused: BTreeSet<PathBuf>,
}

impl Watched {
    fn new(changes: Sender<Occasion>) -> Self {
        let tell = move |event: Result<Event, notify::Error>| {
            if is_change(&event) {
                // A thread that is gone needs no news.
                let _ = changes.send(Occasion::Changed);
            }
        };
        let watcher = notify::recommended_watcher(tell).map_err(|cause| warn(&cause));
        Self { watcher: watcher.ok(), paths: BTreeSet::new(), refused: BTreeSet::new() }
    }

    /// Watches what the configuration came from, and loads it again where that is not what it was: before it was
    /// watched, nothing told of a change.
    fn follow(&mut self, reloader: &Reloader) {
        for _ in 0..MOST_ROUNDS {
            let is_new = self.watch(reloader.watched(MOST_FILES));
            let is_loaded = reloader.reload_if_changed();
            if !is_new && !is_loaded {
                return;
            }
        }
    }

    /// Watches these paths and no others. Whether one is new.
    fn watch(&mut self, wanted: BTreeSet<PathBuf>) -> bool {
        let Some(watcher) = &mut self.watcher else { return false };
        for gone in self.paths.difference(&wanted) {
            // What does not exist any more is not watched any more.
            let _ = watcher.unwatch(gone);
        }
        let mut kept = BTreeSet::new();
        for path in wanted {
            // Again also where it is watched: something else may be in its place now.
            match watcher.watch(&path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.refused.remove(&path);
                    kept.insert(path);
                }
                // It went away meanwhile, of which its folder tells.
                Err(cause) if matches!(cause.kind, notify::ErrorKind::PathNotFound) => {}
                Err(cause) => {
                    if self.refused.insert(path) {
                        warn(&cause);
                    }
                }
            }
        }
        let is_new = !kept.is_subset(&self.paths);
        self.paths = kept;
        is_new
    }
}

/// Reading is no change, and ours would go on for ever if it were.
fn is_change(event: &Result<Event, notify::Error>) -> bool {
    match event {
        Ok(event) => match event.kind {
            EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
            _ => true,
        },
        // Something was missed.
        Err(_) => true,
    }
}

fn warn(cause: &notify::Error) {
    tracing::warn!(
        error.cause = %cause,
        "not every change of a file will be noticed: send SIGHUP after one, or raise fs.inotify.max_user_instances and \
         fs.inotify.max_user_watches"
    );
}
