//! The pool that bounds what slow hashes may take of the machine.
//!
//! Whoever may ask for hashes may ask for all of the machine, so [`SlowHash`] bounds how many run, how many wait, and
//! how many of those places one network holds. What finds no place is told [`Busy`] at once: no line is without an end.
//!
//! There are two lines. Whoever is known to be welcome stands in one with places of its own, and comes first: before it
//! lie at most the hashes that run, and as many that were about to. So who floods the common line keeps nobody waiting in the other. Beside it nothing
//! more runs at once, and where the line of the known is full they stand in the common one like everybody.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::network::Network;
use super::password_hash::{Password, PasswordHash};

/// There is no place in the pool, or none for this network, or no memory for the hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being verified; try again in {} s", retry_after.as_secs())]
pub struct Busy {
    /// How long to wait before trying again.
    pub retry_after: Duration,
}

impl Busy {
    // A full queue at the recommended cost is worked off in about that time.
    const NOW: Self = Self { retry_after: Duration::from_secs(2) };
}

/// How many hashes may run and wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSize {
    /// Hashes that run at the same time, each on a thread of its own.
    pub running: NonZeroUsize,
    /// Hashes that wait for one of those to end.
    pub waiting: usize,
}

impl PoolSize {
    /// One hash a core, with one core left to answer everything else where there is more than one; a second's work or
    /// two waits for each.
    pub fn for_cores(cores: NonZeroUsize) -> Self {
        let running = NonZeroUsize::new(cores.get() - 1).unwrap_or(NonZeroUsize::MIN);
        Self { running, waiting: running.get() * 32 }
    }

    /// As [`PoolSize::for_cores`], for the cores that the operating system or the container grants.
    pub fn for_this_machine() -> Self {
        Self::for_cores(std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }
}

/// How full a pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occupancy {
    /// Hashes that run and wait now.
    pub now: Hashes,
    /// How many may.
    pub most: Hashes,
}

/// Hashes of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hashes {
    /// That run.
    pub running: usize,
    /// That wait for one of those to end.
    pub waiting: usize,
}

/// Verifies passwords off the event loop, so many at a time and no more. One for the process: cheap to clone.
#[derive(Debug, Clone)]
pub struct SlowHash {
    runners: Arc<Semaphore>,
    /// Who comes from the common line passes here first. It has as many permits as there are runners, so nobody of that
    /// line ever waits for a runner beside those who run: the next runner that is free is for the other line.
    gate: Arc<Semaphore>,
    places: Arc<Places>,
    #[cfg(test)]
    computed: Arc<std::sync::atomic::AtomicUsize>,
}

impl SlowHash {
    /// A pool of that size.
    pub fn new(size: PoolSize) -> Self {
        let common = size.running.get() + size.waiting;
        let known = (common / 4).max(1);
        Self {
            runners: Arc::new(Semaphore::new(size.running.get())),
            gate: Arc::new(Semaphore::new(size.running.get())),
            places: Arc::new(Places {
                running: size.running.get(),
                common: Share::of(common),
                known: Share::of(known),
                taken: Mutex::default(),
            }),
            #[cfg(test)]
            computed: Arc::default(),
        }
    }

    /// How many hashes it has computed: that two ways cost the same work is asserted on this and not on time.
    #[cfg(test)]
    pub(crate) fn computed(&self) -> usize {
        self.computed.load(std::sync::atomic::Ordering::SeqCst)
    }

    /// Whether `hash` is a hash of `password`. Needs a tokio runtime.
    pub async fn verify(&self, network: Network, password: Password, hash: &PasswordHash) -> Result<bool, Busy> {
        self.queue(network)?.turn().await?.verify(password, hash).await
    }

    /// How full it is.
    pub fn occupancy(&self) -> Occupancy {
        let places = &self.places;
        let taken = {
            let taken = places.taken();
            taken.common.all + taken.known.all
        };
        let running = places.running.saturating_sub(self.runners.available_permits()).min(taken);
        let all = places.common.all + places.known.all;
        Occupancy {
            now: Hashes { running, waiting: taken - running },
            most: Hashes { running: places.running, waiting: all - places.running },
        }
    }

    /// Takes a place in the common line, if there is one.
    ///
    /// A network holds at most a quarter of the places, so that one cannot keep all others from signing in.
    pub fn queue(&self, network: Network) -> Result<Place, Busy> {
        self.place(Line::Common, network)
    }

    /// Takes a place in the line of those who are known, or in the common one where that is full. It has places for a
    /// quarter of the common line, and of these a network holds at most a quarter.
    pub fn queue_known(&self, network: Network) -> Result<Place, Busy> {
        self.place(Line::Known, network).or_else(|_| self.queue(network))
    }

    fn place(&self, line: Line, network: Network) -> Result<Place, Busy> {
        let share = self.places.share(line);
        let mut taken = self.places.taken();
        let taken = taken.of(line);
        let of_network = taken.by_network.get(&network).copied().unwrap_or(0);
        if taken.all >= share.all || of_network >= share.a_network {
            return Err(Busy::NOW);
        }
        taken.all += 1;
        taken.by_network.insert(network, of_network + 1);
        Ok(Place { pool: self.clone(), line, network })
    }
}

/// Where somebody stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Common,
    Known,
}

/// A place in the pool, given back when dropped: whoever goes away leaves the line.
#[derive(Debug)]
#[must_use]
pub struct Place {
    pool: SlowHash,
    line: Line,
    network: Network,
}

impl Place {
    /// Waits until a hash may run.
    pub async fn turn(self) -> Result<Turn, Busy> {
        let gate = match self.line {
            Line::Common => Some(permit(&self.pool.gate).await?),
            Line::Known => None,
        };
        Ok(Turn { runner: permit(&self.pool.runners).await?, gate, place: self })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.pool.places.taken();
        let taken = taken.of(self.line);
        taken.all -= 1;
        if let Entry::Occupied(mut of_network) = taken.by_network.entry(self.network) {
            *of_network.get_mut() -= 1;
            if *of_network.get() == 0 {
                of_network.remove();
            }
        }
    }
}

async fn permit(semaphore: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Busy> {
    Arc::clone(semaphore).acquire_owned().await.map_err(|_| Busy::NOW)
}

/// The right to compute one hash now.
#[derive(Debug)]
#[must_use]
pub struct Turn {
    runner: OwnedSemaphorePermit,
    gate: Option<OwnedSemaphorePermit>,
    place: Place,
}

impl Turn {
    /// Whether `hash` is a hash of `password`, computed on a thread of its own. Needs a tokio runtime.
    ///
    /// A hash that runs keeps its place until it has ended, also when the caller goes away: leaving does not let one
    /// start another.
    pub async fn verify(self, password: Password, hash: &PasswordHash) -> Result<bool, Busy> {
        let Self { runner, gate, place } = self;
        #[cfg(test)]
        place.pool.computed.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let hash = hash.clone();
        let verdict = tokio::task::spawn_blocking(move || {
            step_back();
            // In this order: who is known takes the runner before the next of the common line asks for it.
            let _held = (runner, gate, place);
            hash.is_hash_of(&password)
        });
        // Out of memory, or the runtime is shutting down: neither says anything about the password.
        verdict.await.map_err(|_| Busy::NOW)?.map_err(|_| Busy::NOW)
    }
}

/// How much the threads that hash stand back, on the scale of setpriority(2): 19 is the most.
const NICENESS: i32 = 10;

/// Whoever answers a request goes before whoever hashes, also where there are fewer cores than both want: a hash takes a
/// hundred times as long as most answers, and nobody notices a little more.
///
/// The threads are those for blocking work, which nothing else of ours uses. On Linux a priority is a thread's own;
/// elsewhere it would be the whole process's.
fn step_back() {
    if cfg!(target_os = "linux") {
        // What the system does not let one do is left as it was.
        let _ = rustix::process::setpriority_process(None, NICENESS);
    }
}

/// The places of the pool, those of running hashes and those of waiting ones.
#[derive(Debug)]
struct Places {
    running: usize,
    common: Share,
    known: Share,
    taken: Mutex<Lines>,
}

/// How many places there are in a line.
#[derive(Debug)]
struct Share {
    all: usize,
    a_network: usize,
}

/// How many of them are taken.
#[derive(Debug, Default)]
struct Lines {
    common: Taken,
    known: Taken,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_network: HashMap<Network, usize>,
}

impl Share {
    fn of(all: usize) -> Self {
        Self { all, a_network: (all / 4).max(1) }
    }
}

impl Lines {
    const fn of(&mut self, line: Line) -> &mut Taken {
        match line {
            Line::Common => &mut self.common,
            Line::Known => &mut self.known,
        }
    }
}

impl Places {
    const fn share(&self, line: Line) -> &Share {
        match line {
            Line::Common => &self.common,
            Line::Known => &self.known,
        }
    }

    fn taken(&self) -> MutexGuard<'_, Lines> {
        // Nothing panics while holding it, and numbers have no half-made state.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::net::IpAddr;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::super::password_hash::Cost;
    use super::super::random::OsRandom;
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text).expect("a password")
    }

    fn network(last: u8) -> Network {
        IpAddr::from([192, 0, 2, last]).into()
    }

    fn pool(running: usize, waiting: usize) -> SlowHash {
        SlowHash::new(PoolSize { running: NonZeroUsize::new(running).expect("not zero"), waiting })
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
    }

    fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_hash_verifies_its_password_and_no_other_also_after_it_was_written_and_read() {
        let made = PasswordHash::hash_blocking(&password("correct horse"), Cost::CHEAPEST, &OsRandom);
        let read = PasswordHash::parse(&made.to_phc_string()).expect("what we wrote");
        assert_eq!(read.cost(), Cost::CHEAPEST);
        assert_eq!(read.digest(), made.digest());
        let pool = pool(1, 3);
        runtime().block_on(async {
            assert_eq!(pool.verify(network(1), password("correct horse"), &read).await, Ok(true));
            assert_eq!(pool.verify(network(1), password("correct horsf"), &read).await, Ok(false));
        });
    }

    #[test]
    fn a_full_queue_says_busy_at_once() {
        let runtime = runtime();
        let _entered = runtime.enter();
        let (pool, hash) = (pool(1, 1), PasswordHash::unmatchable(Cost::CHEAPEST, &OsRandom));
        let runner = pool.runners.try_acquire().expect("it is free");
        // One would run if the runner were free, one waits behind it.
        let mut first = pin!(pool.verify(network(1), password("x"), &hash));
        let mut second = pin!(pool.verify(network(2), password("x"), &hash));
        assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
        let mut third = pin!(pool.verify(network(3), password("x"), &hash));
        assert_eq!(poll(third.as_mut()), Poll::Ready(Err(Busy::NOW)));
        drop(runner);
        assert_eq!(runtime.block_on(first), Ok(false));
        assert_eq!(runtime.block_on(second), Ok(false));
        assert_eq!(runtime.block_on(pool.verify(network(3), password("x"), &hash)), Ok(false));
    }

    #[test]
    fn one_network_holds_at_most_a_quarter_of_the_places() {
        let (pool, hash) = (pool(1, 7), PasswordHash::unmatchable(Cost::CHEAPEST, &OsRandom));
        let _runner = pool.runners.try_acquire().expect("it is free");
        let mut two = [(); 2].map(|()| Box::pin(pool.verify(network(1), password("x"), &hash)));
        assert!(two.iter_mut().all(|one| poll(one.as_mut()).is_pending()));
        assert!(poll(pin!(pool.verify(network(1), password("x"), &hash))).is_ready());
        assert!(poll(pin!(pool.verify(network(2), password("x"), &hash))).is_pending());
    }

    #[test]
    fn who_leaves_the_queue_gives_the_place_back() {
        let (pool, hash) = (pool(1, 0), PasswordHash::unmatchable(Cost::CHEAPEST, &OsRandom));
        let _runner = pool.runners.try_acquire().expect("it is free");
        for _ in 0..3 {
            assert!(poll(pin!(pool.verify(network(1), password("x"), &hash))).is_pending());
        }
        let lines = pool.places.taken();
        assert!(lines.common.all == 0 && lines.common.by_network.is_empty(), "{lines:?}");
    }

    #[test]
    fn a_hash_that_runs_keeps_its_place_when_its_caller_goes_away() {
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().expect("a runtime");
        let (pool, hash) = (pool(1, 0), PasswordHash::unmatchable(Cost::CHEAPEST, &OsRandom));
        runtime.block_on(async {
            let (go, wait) = std::sync::mpsc::channel::<()>();
            let blocker = tokio::task::spawn_blocking(move || wait.recv());
            // Handed to the only thread, which is not free yet.
            assert!(poll(pin!(pool.verify(network(1), password("x"), &hash))).is_pending());
            assert!(pool.queue(network(2)).is_err());
            go.send(()).expect("the thread listens");
            blocker.await.expect("it ends").expect("it was told to");
            tokio::task::spawn_blocking(|| ()).await.expect("the hash before it has ended");
            assert!(pool.queue(network(2)).is_ok());
        });
    }

    #[test]
    fn who_is_known_has_a_place_in_a_full_pool_and_goes_first() {
        let runtime = runtime();
        runtime.block_on(async {
            let pool = pool(1, 7);
            let held = pool.queue(network(9)).expect("a place").turn().await.expect("a free runner");
            let strangers: Vec<_> = (1..8).map(|last| pool.queue(network(last)).expect("a place")).collect();
            assert!(pool.queue(network(10)).is_err(), "it is full");
            let mut strangers: Vec<_> = strangers.into_iter().map(|place| Box::pin(place.turn())).collect();
            assert!(strangers.iter_mut().all(|stranger| poll(stranger.as_mut()).is_pending()));
            let mut known = pin!(pool.queue_known(network(10)).expect("a place of its own").turn());
            assert!(poll(known.as_mut()).is_pending());
            assert_eq!(pool.occupancy().now, Hashes { running: 1, waiting: 8 });
            drop(held);
            assert!(strangers.iter_mut().all(|stranger| poll(stranger.as_mut()).is_pending()));
            drop(known.await.expect("the next runner"));
            assert_eq!(
                strangers
                    .iter_mut()
                    .filter_map(|stranger| match poll(stranger.as_mut()) {
                        Poll::Ready(turn) => {
                            drop(turn);
                            Some(())
                        }
                        Poll::Pending => None,
                    })
                    .count(),
                7,
                "then one after the other"
            );
        });
    }

    #[test]
    fn the_line_of_the_known_is_bounded_and_shared_out_too_and_the_common_one_is_open_to_them() {
        let pool = pool(1, 31);
        // Eight places of their own, two for a network; then eight of the common line for one.
        let of_one: Vec<_> = (0..10).map(|_| pool.queue_known(network(1)).expect("a place")).collect();
        assert!(pool.queue_known(network(1)).is_err());
        let others: Vec<_> = (2..5).flat_map(|last| [last; 2]).map(|last| pool.queue_known(network(last))).collect();
        assert!(others.iter().all(|place| place.as_ref().is_ok_and(|place| place.line == Line::Known)));
        let late = pool.queue_known(network(6)).expect("a place");
        assert_eq!(late.line, Line::Common);
        assert_eq!(pool.occupancy().most, Hashes { running: 1, waiting: 39 });
        drop((of_one, others, late));
        assert_eq!(pool.occupancy().now, Hashes { running: 0, waiting: 0 });
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_that_hashes_stands_back_and_the_others_do_not() {
        use rustix::process::getpriority_process;
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().expect("a runtime");
        let before = getpriority_process(None).expect("a priority");
        let (pool, hash) = (pool(1, 3), PasswordHash::unmatchable(Cost::CHEAPEST, &OsRandom));
        runtime.block_on(async {
            assert_eq!(pool.verify(network(1), password("x"), &hash).await, Ok(false));
            let of_pool = tokio::task::spawn_blocking(|| getpriority_process(None)).await.expect("no panic");
            assert_eq!(of_pool.expect("a priority"), NICENESS);
        });
        assert_eq!(getpriority_process(None).expect("a priority"), before);
    }

    #[test]
    fn one_core_is_left_to_answer_where_there_is_more_than_one() {
        let running = |cores| PoolSize::for_cores(NonZeroUsize::new(cores).expect("not zero")).running.get();
        assert_eq!([1, 2, 8].map(running), [1, 1, 7]);
    }
}
