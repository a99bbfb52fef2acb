//! The steps that wait for the committer, and how their callers are answered.

use std::io;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::sync::{Mutex, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use super::batch::View;
use super::records::Fault;
use super::unavailable;
use crate::foundation::storage::StoreUnavailable;

/// How many steps may wait. One more is refused: it would be answered too late to be of use.
const LONGEST: usize = 4096;

/// How often a batch waits for others who are about to ask.
const TURNS: u8 = 2;

/// The way to the thread that makes the steps. Dropping it waits until that has ended.
#[derive(Debug)]
pub(super) struct Queue {
    jobs: RwLock<Option<SyncSender<Asked>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Queue {
    /// Starts a thread that takes what waits, until nothing more can come.
    pub(super) fn start(take: impl FnOnce(&Receiver<Asked>) + Send + 'static) -> io::Result<Self> {
        let (sender, jobs) = mpsc::sync_channel(LONGEST);
        let thread = thread::Builder::new().name("store".to_owned()).spawn(move || {
            let_others_finish();
            take(&jobs);
        })?;
        Ok(Self { jobs: RwLock::new(Some(sender)), thread: Mutex::new(Some(thread)) })
    }

    /// Makes a step and waits until it is durable. Dropping the future does not take the step back.
    pub(super) async fn make<S, T>(&self, step: S) -> Result<T, StoreUnavailable>
    where
        S: FnOnce(&mut View<'_>) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job = Pending { step: Some(step), decided: None, answer };
        self.send(Asked::Step(Box::new(job)))?;
        answered.await.map_err(|_| gone())?
    }

    /// Has all records written anew, and waits until that is done.
    pub(super) async fn rewrite(&self) -> Result<(), StoreUnavailable> {
        let (answer, answered) = oneshot::channel();
        self.send(Asked::Rewrite(answer))?;
        answered.await.map_err(|_| gone())?
    }

    fn send(&self, asked: Asked) -> Result<(), StoreUnavailable> {
        let jobs = self.jobs.read().unwrap_or_else(PoisonError::into_inner);
        jobs.as_ref().ok_or_else(gone)?.try_send(asked).map_err(|refused| match refused {
            TrySendError::Full(_) => unavailable(&"too many steps wait for the disk"),
            TrySendError::Disconnected(_) => gone(),
        })
    }

    /// Takes no further step, and returns when those that wait are made and the thread has ended.
    pub(super) fn close(&self) {
        *self.jobs.write().unwrap_or_else(PoisonError::into_inner) = None;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic of the thread has been told already; to panic again would only hide it.
            let _ = thread.join();
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.close();
    }
}

/// A thread that wakes takes the core at once from whoever woke it. This one is woken by the first step of many: where it
/// shares a core with those that ask, each batch would hold few, and a batch costs far more than a step. So it takes no core
/// from anybody in the middle of something (`SCHED_BATCH` of sched(7)). Where a core is free it makes no difference.
#[cfg(target_os = "linux")]
fn let_others_finish() {
    use rustix::process::{getpriority_process, setpriority_process};
    use thread_priority::unix::{NormalThreadSchedulePolicy, ThreadSchedulePolicy};
    use thread_priority::{ThreadPriority, set_thread_priority_and_policy, thread_native_id};

    /// Niceness 0 on the scale of the library, which sets one with each policy.
    const USUAL: u8 = 47;

    // What the system does not let one do is left as it was.
    let before = getpriority_process(None);
    let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
    let priority = USUAL.try_into().map(ThreadPriority::Crossplatform).expect("it is less than 100");
    let _ = set_thread_priority_and_policy(thread_native_id(), priority, policy);
    if let Ok(before) = before {
        let _ = setpriority_process(None, before);
    }
}

#[cfg(not(target_os = "linux"))]
const fn let_others_finish() {}

/// What a caller is told when nobody makes steps any more.
pub(super) fn gone() -> StoreUnavailable {
    unavailable(&"the thread that writes has ended")
}

/// What the thread is asked for.
pub(super) enum Asked {
    /// To make a step.
    Step(Box<dyn Job>),
    /// To write all records anew now, whether there is need or not.
    Rewrite(RewriteAnswer),
}

/// The way back to whoever asked for a rewriting.
pub(super) type RewriteAnswer = oneshot::Sender<Result<(), StoreUnavailable>>;

/// What a batch may still take: what waits, and what comes while others have their turn.
///
/// A batch costs far more than a step: a sync, and threads of the database that are woken. Where those who ask share a
/// core with the thread that writes, many are in the middle of asking when nothing waits any more. So it lets them go on
/// first, again where that brought something, and not for ever: whoever asked first waits for all of it. Whoever asks alone
/// waits for nobody.
pub(super) struct Gathering<'a> {
    jobs: &'a Receiver<Asked>,
    turns_left: u8,
    /// Whether anything came beside the first step, and since others had their last turn.
    has_come: bool,
}

impl<'a> Gathering<'a> {
    /// A batch that has its first step.
    pub(super) const fn new(jobs: &'a Receiver<Asked>) -> Self {
        Self { jobs, turns_left: TURNS, has_come: false }
    }

    /// What the batch takes next; none: it is as large as it gets.
    pub(super) fn next(&mut self) -> Option<Asked> {
        self.next_after(thread::yield_now)
    }

    fn next_after(&mut self, let_others_go_on: impl Fn()) -> Option<Asked> {
        loop {
            if let Ok(asked) = self.jobs.try_recv() {
                self.has_come = true;
                return Some(asked);
            }
            if self.turns_left == 0 || !self.has_come {
                return None;
            }
            (self.turns_left, self.has_come) = (self.turns_left - 1, false);
            let_others_go_on();
        }
    }
}

/// A step that waits for its turn, and its caller.
pub(super) trait Job: Send {
    /// Makes the step, and keeps its answer.
    fn decide(&mut self, view: &mut View<'_>) -> Result<(), sled::Error>;

    /// Tells the caller, now that the step is durable or is not.
    fn answer(self: Box<Self>, outcome: Result<(), StoreUnavailable>);
}

struct Pending<S, T> {
    step: Option<S>,
    decided: Option<Result<T, StoreUnavailable>>,
    answer: oneshot::Sender<Result<T, StoreUnavailable>>,
}

impl<S, T> Job for Pending<S, T>
where
    S: FnOnce(&mut View<'_>) -> Result<T, Fault> + Send,
    T: Send,
{
    fn decide(&mut self, view: &mut View<'_>) -> Result<(), sled::Error> {
        let step = self.step.take().expect("a step is made once");
        self.decided = Some(match step(view) {
            Ok(answer) => Ok(answer),
            Err(Fault::Database(cause)) => return Err(cause),
            // One bad record is no reason to keep the others waiting, and nothing of its step is done.
            Err(fault) => {
                view.undo();
                Err(unavailable(&fault))
            }
        });
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreUnavailable>) {
        let Self { decided, answer, .. } = *self;
        // A caller that has gone away needs no answer.
        let _ = answer.send(outcome.and_then(|()| decided.expect("decided before it is answered")));
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn ask(jobs: &SyncSender<Asked>) {
        let (answer, _) = oneshot::channel();
        jobs.try_send(Asked::Rewrite(answer)).expect("there is room");
    }

    /// How many a batch takes, and how many turns others have meanwhile, where so many wait and so many come in each turn.
    fn gathered(waiting: usize, come: &[usize]) -> (usize, usize) {
        let (sender, jobs) = mpsc::sync_channel(LONGEST);
        let turns = Cell::new(0);
        let turn = || {
            (0..come.get(turns.get()).copied().unwrap_or(0)).for_each(|_| ask(&sender));
            turns.set(turns.get() + 1);
        };
        (0..waiting).for_each(|_| ask(&sender));
        let mut gathering = Gathering::new(&jobs);
        let taken = std::iter::from_fn(|| gathering.next_after(turn)).count();
        (taken, turns.get())
    }

    #[test]
    fn a_batch_takes_what_comes_while_others_go_on_and_waits_for_nobody_else() {
        for (waiting, come, expected) in
            [(0, &[1][..], (0, 0)), (3, &[], (3, 1)), (3, &[2], (5, 2)), (1, &[2, 1, 1], (4, 2)), (1, &[0, 1], (1, 1))]
        {
            assert_eq!(gathered(waiting, come), expected, "{waiting} wait, then come {come:?}");
        }
    }

    #[test]
    fn a_batch_ends_where_nobody_can_ask_any_more() {
        let (sender, jobs) = mpsc::sync_channel(LONGEST);
        ask(&sender);
        drop(sender);
        let mut gathering = Gathering::new(&jobs);
        assert!(gathering.next().is_some());
        assert!(gathering.next().is_none());
    }
}

#[cfg(all(test, target_os = "linux"))]
mod linux_tests {
    use super::*;

    /// The fields of stat of proc(5) from the third on.
    fn fields() -> Vec<String> {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("there is a thread");
        let (_, after_name) = stat.rsplit_once(") ").expect("a name in brackets");
        after_name.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_thread_that_writes_gives_way_and_is_as_nice_as_it_was() {
        const NICENESS: usize = 19 - 3;
        const POLICY: usize = 41 - 3;
        const SCHED_BATCH: &str = "3";
        let before = fields();
        let (told, heard) = mpsc::channel();
        let queue = Queue::start(move |_| told.send(fields()).expect("somebody waits")).expect("a thread");
        let fields = heard.recv().expect("told");
        assert_eq!((&*fields[POLICY], &fields[NICENESS]), (SCHED_BATCH, &before[NICENESS]));
        queue.close();
    }
}
