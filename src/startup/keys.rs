//! Signing keys from their files; and the first ones, made where the store is new.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::authorize::consent::LONGEST_CONSENT;
use crate::authorize::pending::PENDING_LIFETIME;
use crate::config::schedule_file::{self, ScheduleFileError};
use crate::config::{ConfigErrors, GenerateIfMissing, SealingKeyEntry, Settings, SigningKeyEntry};
use crate::foundation::clock::{CLOCK_TOLERANCE, Timestamp};
use crate::foundation::random::Random;
use crate::keys::algorithm::Algorithm;
use crate::keys::history::History;
use crate::keys::key_files::{self, KeyFileRefused};
use crate::keys::key_ring::{KeyRing, KeyRingRefused, Occasion, RingDemands};
use crate::keys::schedule::{Demands, Lifecycle, Scheduled};
use crate::keys::sealing_files::{self, SealingFileRefused};
use crate::keys::sealing_ring::{SealingRing, SealingRingRefused};
use crate::keys::signing_key::{self, SigningKey, SigningKeyRefused};
use crate::store::sled as store;

use super::StartError;

/// Why there are no keys to serve with.
#[derive(Debug, thiserror::Error)]
pub enum KeysRefused {
    /// A file cannot be read or made.
    #[error(transparent)]
    File(#[from] KeyFileRefused),
    /// A file is no key for what it is configured for.
    #[error("the key file {}: {reason}", .file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: SigningKeyRefused,
    },
    /// An entry names a key that is not good.
    #[error("{place}: {reason}")]
    Entry {
        /// Its `file:line` and key.
        place: String,
        /// What is wrong with the key.
        reason: Box<Self>,
    },
    /// A key that was killed is there again.
    #[error(
        "the key {0} was killed, because it had leaked: take its entry out, `jotsmith keys generate` makes another"
    )]
    Killed(String),
    /// The keys do not fit together.
    #[error("keys.signing: {0}")]
    Ring(#[from] KeyRingRefused),
    /// No key is configured, and none may be made.
    #[error(
        "no signing key is configured, and keys are made by themselves only where the store is new: run `jotsmith keys generate --algorithm {0}` and put what it prints into the configuration, or bring back the key files and {schedule}",
        schedule = schedule_file::NAME
    )]
    Missing(Algorithm),
    /// A sealing key's file cannot be read, or holds none.
    #[error(transparent)]
    SealingFile(#[from] SealingFileRefused),
    /// The sealing keys do not fit together.
    #[error("keys.sealing: {0}")]
    SealingRing(#[from] SealingRingRefused),
    /// No sealing key is configured, and none may be made.
    #[error(
        "no sealing key is configured, and keys are made by themselves only where the store is new: run `jotsmith keys generate --sealing` and put what it prints into the configuration, or bring back the key files and {schedule}",
        schedule = schedule_file::NAME
    )]
    SealingMissing,
    /// The schedule of the new keys cannot be written.
    #[error(transparent)]
    Schedule(#[from] ScheduleFileError),
    /// Nobody can tell whether the store is new.
    #[error("cannot look into {}, which store.url names: {reason}", .folder.display())]
    StoreFolder {
        /// The folder.
        folder: PathBuf,
        /// What the operating system says.
        reason: io::Error,
    },
    /// The folder of the keys cannot be made.
    #[error("cannot make the folder {}, which keys.directory names: {reason}", .folder.display())]
    NoFolder {
        /// The folder.
        folder: PathBuf,
        /// What the operating system says.
        reason: io::Error,
    },
}

/// The signing keys that the settings name, judged as a whole as if nothing had been published before.
pub fn load_ring(settings: &Settings, now: Timestamp) -> Result<KeyRing, KeysRefused> {
    load_ring_after(settings, now, History::none(), Occasion::Start)
}

/// The signing keys that the settings name, judged as a whole, and as those that follow what was published before.
pub(super) fn load_ring_after(
    settings: &Settings,
    now: Timestamp,
    history: &History,
    occasion: Occasion,
) -> Result<KeyRing, KeysRefused> {
    if settings.keys.signing.is_empty() {
        return Err(KeysRefused::Missing(settings.keys.default_algorithm));
    }
    let keys = settings.keys.signing.iter().map(|entry| {
        load(&settings.keys.directory, entry)
            .and_then(|key| refuse_killed(settings, key.key.kid()).map(|()| key))
            .map_err(|reason| reason.at(entry.place.as_ref()))
    });
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    let demands = RingDemands {
        jwks_max_age: settings.keys.jwks_max_age,
        longest_lifetime: longest_lifetime(settings),
        algorithms: &algorithms(settings),
        now,
        history,
        occasion,
        killed: &settings.keys.killed,
    };
    let ring = KeyRing::new(keys, &demands)?;
    for note in ring.notes() {
        tracing::warn!(%note, "a key is not used as it is configured");
    }
    Ok(ring)
}

/// The sealing keys that the settings name, judged as a whole.
pub fn load_sealing_ring(settings: &Settings, now: Timestamp) -> Result<SealingRing, KeysRefused> {
    if settings.keys.sealing.is_empty() {
        return Err(KeysRefused::SealingMissing);
    }
    let keys = settings.keys.sealing.iter().map(|entry| {
        let key = sealing_files::read(&settings.keys.directory.join(&entry.file)).map_err(KeysRefused::from);
        let key = key.and_then(|key| refuse_killed(settings, &key.id().to_string()).map(|()| key));
        let key = key.map_err(|reason| reason.at(entry.place.as_ref()))?;
        Ok(Scheduled { name: entry.file.clone(), lifecycle: entry.lifecycle, key })
    });
    let keys = keys.collect::<Result<Vec<_>, KeysRefused>>()?;
    Ok(SealingRing::new(&settings.issuer, keys, now)?)
}

fn refuse_killed(settings: &Settings, name: &str) -> Result<(), KeysRefused> {
    if settings.keys.killed.iter().any(|killed| killed == name) {
        return Err(KeysRefused::Killed(name.to_owned()));
    }
    Ok(())
}

impl KeysRefused {
    fn at(self, place: Option<&String>) -> Self {
        match place {
            Some(place) => Self::Entry { place: place.clone(), reason: Box::new(self) },
            None => self,
        }
    }
}

fn load(directory: &Path, entry: &SigningKeyEntry) -> Result<Scheduled<SigningKey>, KeysRefused> {
    let file = directory.join(&entry.file);
    let pem = key_files::read(&file)?;
    let key = SigningKey::from_pem(&pem, entry.algorithm, entry.kid.clone());
    let key = key.map_err(|reason| KeysRefused::Key { file, reason })?;
    Ok(Scheduled { name: entry.file.clone(), lifecycle: entry.lifecycle, key })
}

/// The algorithms that some resource's tokens are signed with.
fn algorithms(settings: &Settings) -> Vec<Algorithm> {
    let asked: BTreeSet<_> = settings.resources.iter().map(|resource| resource.algorithm).collect();
    asked.into_iter().collect()
}

/// The longest lifetime of an access token, of any client and resource.
pub(super) fn longest_lifetime(settings: &Settings) -> Duration {
    let of_clients = settings.clients.iter().filter_map(|client| client.access_token_lifetime);
    let of_resources = settings.resources.iter().filter_map(|resource| resource.access_token_lifetime);
    of_clients.chain(of_resources).fold(settings.lifetimes.access_token, Duration::max)
}

/// What the settings ask of the signing keys of an algorithm.
pub fn signing_demands(settings: &Settings, algorithm: Algorithm, now: Timestamp) -> Demands {
    Demands {
        lead: settings.keys.jwks_max_age + CLOCK_TOLERANCE,
        longest_lifetime: longest_lifetime(settings),
        is_needed: algorithms(settings).contains(&algorithm),
        now,
    }
}

/// What the settings ask of a change of sealing keys: every server has the new one before the first seals with it, and
/// the old one stays until the last thing that it sealed has ended.
pub fn sealing_demands(settings: &Settings, now: Timestamp) -> Demands {
    let lifetimes = &settings.lifetimes;
    let sealed = [
        lifetimes.authorization_code,
        lifetimes.refresh_token_idle,
        lifetimes.session,
        LONGEST_CONSENT,
        PENDING_LIFETIME,
    ];
    Demands {
        lead: settings.keys.jwks_max_age + CLOCK_TOLERANCE,
        longest_lifetime: sealed.into_iter().fold(Duration::ZERO, Duration::max),
        is_needed: true,
        now,
    }
}

/// The name of a configured signing key in tokens, and of a sealing key in what it seals, from its file.
pub fn name_of_signing_key(settings: &Settings, entry: &SigningKeyEntry) -> Result<String, KeysRefused> {
    let loaded = load(&settings.keys.directory, entry);
    loaded.map(|loaded| loaded.key.kid().to_owned()).map_err(|reason| reason.at(entry.place.as_ref()))
}

/// The name of a configured sealing key in what it seals, from its file.
pub fn name_of_sealing_key(settings: &Settings, entry: &SealingKeyEntry) -> Result<String, KeysRefused> {
    let read = sealing_files::read(&settings.keys.directory.join(&entry.file));
    read.map(|key| key.id().to_string()).map_err(|reason| KeysRefused::from(reason).at(entry.place.as_ref()))
}

/// Judges the keys that are configured, without making any: those of each kind, or that the first of that kind may be
/// made, because the store is new and the settings allow it. What will be made is left out of what it gives.
pub fn judge(settings: &Settings, now: Timestamp) -> Result<Option<KeyRing>, KeysRefused> {
    judge_rings(settings, now).map(|(signing, _)| signing)
}

/// The same, with the sealing keys.
pub fn judge_rings(settings: &Settings, now: Timestamp) -> Result<(Option<KeyRing>, Option<SealingRing>), KeysRefused> {
    let may_make = may_make(settings)?;
    let ring = match load_ring(settings, now) {
        Err(KeysRefused::Missing(_)) if may_make => None,
        judged => Some(judged?),
    };
    let sealing = match load_sealing_ring(settings, now) {
        Err(KeysRefused::SealingMissing) if may_make => None,
        judged => Some(judged?),
    };
    Ok((ring, sealing))
}

fn may_make(settings: &Settings) -> Result<bool, KeysRefused> {
    let folder = &settings.store.path;
    // A store whose keys are lost is no reason to make new ones, and one that cannot be looked into is not known to be new.
    let is_new = store::is_new(folder).map_err(|reason| KeysRefused::StoreFolder { folder: folder.clone(), reason })?;
    Ok(is_new && settings.keys.generate_if_missing == GenerateIfMissing::NewStore)
}

/// Where no key is configured and the store is new, makes a signing key for every algorithm that is asked for and a
/// sealing key, writes the schedule and reads the configuration again; else gives back what it got.
pub(super) fn make_if_missing(
    settings: Settings,
    read_again: impl FnOnce() -> Result<Settings, ConfigErrors>,
    random: &dyn Random,
) -> Result<Settings, StartError> {
    let is_complete = !settings.keys.signing.is_empty() && !settings.keys.sealing.is_empty();
    if is_complete || !may_make(&settings)? {
        return Ok(settings);
    }
    make(&settings, random)?;
    Ok(read_again()?)
}

fn make(settings: &Settings, random: &dyn Random) -> Result<(), KeysRefused> {
    let directory = &settings.keys.directory;
    fs::create_dir_all(directory).map_err(|reason| KeysRefused::NoFolder { folder: directory.clone(), reason })?;
    if settings.keys.signing.is_empty() {
        for algorithm in algorithms(settings) {
            let file = format!("first-{}.pem", algorithm.as_str().to_ascii_lowercase());
            let made = key_files::create(&directory.join(&file), signing_key::generate(algorithm).as_bytes());
            let entry = SigningKeyEntry { file, kid: None, algorithm, lifecycle: Lifecycle::default(), place: None };
            unless_there(made, || load(directory, &entry).map(drop))?;
            tracing::info!(key.file = %entry.file, key.algorithm = %algorithm, "made the first signing key");
            schedule_file::append(directory, &[entry], &[])?;
        }
    }
    if settings.keys.sealing.is_empty() {
        let file = "first.seal".to_owned();
        let path = directory.join(&file);
        let made = sealing_files::generate(&path, random).map(drop);
        unless_there(made, || Ok(sealing_files::read(&path).map(drop)?))?;
        tracing::info!(key.file = %file, "made the first sealing key");
        schedule_file::append(
            directory,
            &[],
            &[SealingKeyEntry { file, lifecycle: Lifecycle::default(), place: None }],
        )?;
    }
    Ok(())
}

/// A first start that was cut off may have made a key and not yet its entry: if the file that is there holds a good key,
/// it is taken.
fn unless_there(
    made: Result<(), KeyFileRefused>,
    is_good: impl FnOnce() -> Result<(), KeysRefused>,
) -> Result<(), KeysRefused> {
    match made {
        Err(KeyFileRefused::Exists { .. }) => is_good(),
        made => Ok(made?),
    }
}
