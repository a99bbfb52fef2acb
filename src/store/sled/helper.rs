//! The thread beside the committer: what takes long and nobody waits for.
//!
//! One for as long as the store is open: an allocator gives each thread memory of its own and may hardly take any back. With
//! glibc's and a new thread for every rewriting a store of a million grants grew by a hundred MiB each time.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

type Task = Box<dyn FnOnce() + Send>;

/// A thread that does one thing after the other. Started when there is something to do; dropping it waits until all is
/// done. A task that panics costs none of those after it.
#[derive(Default)]
pub(super) struct Helper(Option<(Sender<Task>, JoinHandle<()>)>);

impl Helper {
    /// Has a task done after those before it.
    pub(super) fn have(&mut self, task: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let mut task: Task = Box::new(task);
        if let Some((tasks, _)) = &self.0 {
            match tasks.send(task) {
                Ok(()) => return Ok(()),
                // The thread has ended, which it does not while it can be sent anything. It costs little to be sure.
                Err(refused) => task = refused.0,
            }
        }
        let (tasks, received) = mpsc::channel::<Task>();
        let thread = thread::Builder::new().name("store helper".to_owned()).spawn(move || {
            for task in received {
                // A panic is told by its hook. Who waits for the task sees that it has ended.
                let _ = panic::catch_unwind(AssertUnwindSafe(task));
            }
        })?;
        // The thread has just begun to listen.
        let _ = tasks.send(task);
        self.0 = Some((tasks, thread));
        Ok(())
    }

    /// Waits until all is done.
    pub(super) fn wait(&mut self) {
        if let Some((tasks, thread)) = self.0.take() {
            drop(tasks);
            // A panic of the thread was told already.
            let _ = thread.join();
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_waits_behind_one_that_panics_is_done_all_the_same() {
        let mut helper = Helper::default();
        let (go_on, wait) = mpsc::channel::<()>();
        helper.have(move || assert!(wait.recv().is_err(), "as sled does now and then")).expect("started");
        let (done, is_done) = mpsc::channel();
        helper.have(move || done.send("done").expect("awaited")).expect("sent");
        go_on.send(()).expect("awaited");
        assert_eq!(is_done.recv(), Ok("done"));
        helper.wait();
    }
}
