//! argon2id (RFC 9106) for secrets that a person chose, and the pool that bounds what hashing may take.
//!
//! A hash costs some 20 ms of a core and 19 MiB, on purpose. Whoever may ask for hashes may therefore ask for all of
//! the machine, so [`SlowHash`] bounds how many run, how many wait, and how many of those places one network holds.
//! What finds no place is told [`Busy`] at once; nothing ever waits in a line without an end.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret as _, SecretBox};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::digest::{SHA256_BYTES, sha256};
use super::network::Network;
use super::random::{self, Random};
use super::secret::is_equal;

/// The longest password, in bytes.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// A password in plain, wiped when dropped; never empty, never longer than [`MAX_PASSWORD_BYTES`].
#[derive(Debug)]
pub struct Password(SecretBox<[u8]>);

/// The bytes cannot be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPassword {
    /// There is none.
    #[error("the password is empty")]
    Empty,
    /// Hashing it would cost more than it is worth.
    #[error("the password is longer than {MAX_PASSWORD_BYTES} bytes")]
    TooLong,
}

impl Password {
    /// Takes a copy of `bytes`, which the caller wipes.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, InvalidPassword> {
        let bytes = bytes.as_ref();
        match bytes.len() {
            0 => Err(InvalidPassword::Empty),
            1..=MAX_PASSWORD_BYTES => Ok(Self(SecretBox::new(bytes.into()))),
            _ => Err(InvalidPassword::TooLong),
        }
    }

    pub(super) fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }
}

/// What one hash costs: the parameters of RFC 9106 §3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub passes: u32,
    /// Lanes; they are computed one after the other, on one thread.
    pub lanes: u32,
}

impl Cost {
    /// 19 MiB, two passes, one lane: the minimum of the OWASP Password Storage Cheat Sheet, and what a server that must
    /// answer many people at once can afford.
    pub const RECOMMENDED: Self = Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 };

    const MAX_MEMORY_KIB: u32 = 1024 * 1024;
    const MAX_PASSES: u32 = 64;
    const MAX_LANES: u32 = 16;
    /// Memory times passes: about four seconds of one core.
    const MAX_WORK_KIB: u64 = 4 * 1024 * 1024;

    /// Refuses what would let one line of configuration stall the server.
    fn params(self) -> Result<Params, InvalidPasswordHash> {
        let is_bounded = self.memory_kib <= Self::MAX_MEMORY_KIB
            && self.passes <= Self::MAX_PASSES
            && self.lanes <= Self::MAX_LANES
            && u64::from(self.memory_kib) * u64::from(self.passes) <= Self::MAX_WORK_KIB;
        if !is_bounded {
            return Err(InvalidPasswordHash::TooCostly);
        }
        Params::new(self.memory_kib, self.passes, self.lanes, None).map_err(|_| InvalidPasswordHash::Parameters)
    }
}

/// An argon2id hash of a password, judged when it was read: verifying against it has a known bound.
#[derive(Clone)]
pub struct PasswordHash {
    params: Params,
    salt: phc::Salt,
    output: phc::Output,
}

/// The text is not an argon2id hash that this server computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPasswordHash {
    /// Not `$name$v=..$parameters$salt$hash`, or salt or hash is missing.
    #[error("not a PHC string such as $argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>")]
    NotPhc,
    /// Another function, or argon2d or argon2i.
    #[error("not argon2id; hash the password anew")]
    NotArgon2id,
    /// RFC 9106 describes version 19 (0x13) alone; a missing one means the older 16.
    #[error("not version 19 of argon2id (`v=19`); hash the password anew")]
    Version,
    /// `m`, `t` or `p` is missing or too small, or something else stands beside them.
    #[error("the parameters are not m, t and p with t and p at least 1 and m at least 8 times p")]
    Parameters,
    /// One hash would take too much of the machine.
    #[error(
        "too costly: at most m={}, t={}, p={}, and m times t at most {}",
        Cost::MAX_MEMORY_KIB,
        Cost::MAX_PASSES,
        Cost::MAX_LANES,
        Cost::MAX_WORK_KIB
    )]
    TooCostly,
    /// Too few bytes for a hash that nothing else has.
    #[error("the hash is shorter than {} bytes", PasswordHash::MIN_OUTPUT_BYTES)]
    TooShort,
}

impl PasswordHash {
    const MIN_OUTPUT_BYTES: usize = 16;
    /// RFC 9106 §3.1: 16 bytes are recommended for password hashing.
    const SALT_BYTES: usize = 16;
    const OUTPUT_BYTES: usize = 32;

    /// Reads a PHC string, `$argon2id$v=19$m=..,t=..,p=..$salt$hash`, and judges it.
    pub fn parse(text: &str) -> Result<Self, InvalidPasswordHash> {
        let parsed = phc::PasswordHash::new(text).map_err(|_| InvalidPasswordHash::NotPhc)?;
        if parsed.algorithm != argon2::ARGON2ID_IDENT {
            return Err(InvalidPasswordHash::NotArgon2id);
        }
        if parsed.version != Some(Version::V0x13.into()) {
            return Err(InvalidPasswordHash::Version);
        }
        let number = |name| parsed.params.get_decimal(name).ok_or(InvalidPasswordHash::Parameters);
        let cost = Cost { memory_kib: number("m")?, passes: number("t")?, lanes: number("p")? };
        // Three names and no repetition, which the reader refuses: nothing stands beside m, t and p.
        if parsed.params.iter().count() != 3 {
            return Err(InvalidPasswordHash::Parameters);
        }
        let params = cost.params()?;
        let (Some(salt), Some(output)) = (parsed.salt, parsed.hash) else { return Err(InvalidPasswordHash::NotPhc) };
        if output.len() < Self::MIN_OUTPUT_BYTES {
            return Err(InvalidPasswordHash::TooShort);
        }
        Ok(Self { params, salt, output })
    }

    /// Hashes `password` on the calling thread, for some 20 ms: for the command line and start-up, never for a request.
    ///
    /// # Panics
    /// When there is no memory for it, or `cost` is out of the bounds that [`PasswordHash::parse`] keeps.
    pub fn hash_blocking(password: &Password, cost: Cost, random: &dyn Random) -> Self {
        let unhashed = Self::unmatchable(cost, random);
        let output = unhashed.compute(password).expect("there is memory for one hash");
        let output = phc::Output::new(&output).expect("as long as the one before");
        Self { output, ..unhashed }
    }

    /// A hash that costs `cost` to verify and that no password has: what an unknown name is verified against.
    ///
    /// # Panics
    /// When `cost` is out of the bounds that [`PasswordHash::parse`] keeps.
    pub fn unmatchable(cost: Cost, random: &dyn Random) -> Self {
        Self {
            params: cost.params().expect("the cost is within bounds"),
            salt: phc::Salt::new(&random::bytes::<{ Self::SALT_BYTES }>(random)).expect("a length that salts have"),
            output: phc::Output::new(&random::bytes::<{ Self::OUTPUT_BYTES }>(random)).expect("a length hashes have"),
        }
    }

    /// What verifying against it costs.
    pub fn cost(&self) -> Cost {
        Cost { memory_kib: self.params.m_cost(), passes: self.params.t_cost(), lanes: self.params.p_cost() }
    }

    /// The PHC string. To be written where password hashes are kept, and nowhere else.
    pub fn to_phc_string(&self) -> String {
        phc::PasswordHash {
            algorithm: argon2::ARGON2ID_IDENT,
            version: Some(Version::V0x13.into()),
            params: (&self.params).try_into().expect("three numbers fit a PHC string"),
            salt: Some(self.salt),
            hash: Some(self.output),
        }
        .to_string()
    }

    /// SHA-256 of the PHC string: another password, or the same one hashed anew, has another.
    pub fn digest(&self) -> [u8; SHA256_BYTES] {
        sha256(self.to_phc_string())
    }

    fn is_hash_of(&self, password: &Password) -> Result<bool, argon2::Error> {
        Ok(is_equal(&self.compute(password)?, self.output.as_bytes()))
    }

    fn compute(&self, password: &Password) -> Result<Zeroizing<Vec<u8>>, argon2::Error> {
        let mut output = Zeroizing::new(vec![0; self.output.len()]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone()).hash_password_into(
            password.expose(),
            &self.salt,
            &mut output,
        )?;
        Ok(output)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordHash").field("cost", &self.cost()).finish_non_exhaustive()
    }
}

/// There is no place in the pool, or none for this network, or no memory for the hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being verified; try again in {} s", retry_after.as_secs())]
pub struct Busy {
    /// How long to wait before trying again.
    pub retry_after: Duration,
}

impl Busy {
    // A full queue at the recommended cost is worked off in about that time.
    const NOW: Self = Self { retry_after: Duration::from_secs(1) };
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
    /// One hash a core, with one core left to answer everything else where there is more than one; a second's work
    /// waits for each.
    pub fn for_cores(cores: NonZeroUsize) -> Self {
        let running = NonZeroUsize::new(cores.get() - 1).unwrap_or(NonZeroUsize::MIN);
        Self { running, waiting: running.get() * 32 }
    }

    /// As [`PoolSize::for_cores`], for the cores that the operating system or the container grants.
    pub fn for_this_machine() -> Self {
        Self::for_cores(std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }
}

/// Verifies passwords off the event loop, so many at a time and no more. One for the process: cheap to clone.
#[derive(Debug, Clone)]
pub struct SlowHash {
    runners: Arc<Semaphore>,
    places: Arc<Places>,
}

impl SlowHash {
    /// A pool of that size.
    pub fn new(size: PoolSize) -> Self {
        let all = size.running.get() + size.waiting;
        Self {
            runners: Arc::new(Semaphore::new(size.running.get())),
            places: Arc::new(Places { all, a_network: (all / 4).max(1), taken: Mutex::default() }),
        }
    }

    /// Whether `hash` is a hash of `password`. Needs a tokio runtime.
    ///
    /// A network holds at most a quarter of the pool's places, so that one cannot keep all others from signing in.
    /// A caller that goes away leaves the queue; a hash that runs already keeps its place until it has ended.
    pub async fn verify(&self, network: Network, password: Password, hash: &PasswordHash) -> Result<bool, Busy> {
        let place = Place::take(&self.places, network)?;
        let runner = Arc::clone(&self.runners).acquire_owned().await.map_err(|_| Busy::NOW)?;
        let hash = hash.clone();
        let verdict = tokio::task::spawn_blocking(move || {
            // Moved in here so that a caller who goes away cannot start another hash while this one runs.
            let _held = (place, runner);
            hash.is_hash_of(&password)
        });
        // Out of memory, or the runtime is shutting down: neither says anything about the password.
        verdict.await.map_err(|_| Busy::NOW)?.map_err(|_| Busy::NOW)
    }
}

/// The places of the pool, those of running hashes and those of waiting ones.
#[derive(Debug)]
struct Places {
    all: usize,
    a_network: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_network: HashMap<Network, usize>,
}

impl Places {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Nothing panics while holding it, and numbers have no half-made state.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One place of the pool, given back when dropped.
#[derive(Debug)]
struct Place {
    places: Arc<Places>,
    network: Network,
}

impl Place {
    fn take(places: &Arc<Places>, network: Network) -> Result<Self, Busy> {
        let mut taken = places.taken();
        let of_network = taken.by_network.get(&network).copied().unwrap_or(0);
        if taken.all >= places.all || of_network >= places.a_network {
            return Err(Busy::NOW);
        }
        taken.all += 1;
        taken.by_network.insert(network, of_network + 1);
        Ok(Self { places: Arc::clone(places), network })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= 1;
        if let Entry::Occupied(mut of_network) = taken.by_network.entry(self.network) {
            *of_network.get_mut() -= 1;
            if *of_network.get() == 0 {
                of_network.remove();
            }
        }
    }
}
