//! What `keys rotate` and `keys kill` share: the keys of one schedule, a new key, and the file that is written.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::cli::Failure;
use crate::config::schedule_file::{self, KeyList, NewKeyFile, ScheduleFile};
use crate::config::{SealingKeyEntry, Settings, SigningKeyEntry};
use crate::foundation::clock::Timestamp;
use crate::foundation::random::{OsRandom, Random as _};
use crate::foundation::sealing::{KEY_BYTES, SealingKey};
use crate::keys::algorithm::Algorithm;
use crate::keys::schedule::{Demands, Lifecycle, Scheduled};
use crate::keys::signing_key::{self, SigningKey};
use crate::startup::{self, Source};

use super::generate::{sealing_file_name, signing_file_name};

/// Which schedule is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Signing(Algorithm),
    Sealing,
}

impl Which {
    pub(super) const fn list(self) -> KeyList {
        match self {
            Self::Signing(_) => KeyList::Signing,
            Self::Sealing => KeyList::Sealing,
        }
    }

    pub(super) fn words(self) -> String {
        match self {
            Self::Signing(algorithm) => format!("{algorithm} signing key"),
            Self::Sealing => "sealing key".to_owned(),
        }
    }

    pub(super) fn demands(self, settings: &Settings, now: Timestamp) -> Demands {
        match self {
            Self::Signing(algorithm) => startup::signing_demands(settings, algorithm, now),
            Self::Sealing => startup::sealing_demands(settings, now),
        }
    }

    /// The configured keys of the schedule, by their files.
    pub(super) fn entries(self, settings: &Settings) -> Vec<Scheduled<()>> {
        let entry = |file: &String, lifecycle| Scheduled { name: file.clone(), lifecycle, key: () };
        match self {
            Self::Signing(algorithm) => {
                let own = settings.keys.signing.iter().filter(|key| key.algorithm == algorithm);
                own.map(|key| entry(&key.file, key.lifecycle)).collect()
            }
            Self::Sealing => settings.keys.sealing.iter().map(|key| entry(&key.file, key.lifecycle)).collect(),
        }
    }

    /// Where the entry of a key stands.
    pub(super) fn place(self, settings: &Settings, file: &str) -> String {
        let place = match self {
            Self::Signing(_) => {
                settings.keys.signing.iter().find(|key| key.file == file).and_then(|key| key.place.clone())
            }
            Self::Sealing => {
                settings.keys.sealing.iter().find(|key| key.file == file).and_then(|key| key.place.clone())
            }
        };
        place.unwrap_or_else(|| file.to_owned())
    }
}

/// The configuration, read while nobody else changes the schedule.
pub(super) fn lock(source: &Source) -> Result<(Settings, ScheduleFile), Failure> {
    let directory = source.load()?.keys.directory;
    let schedule = ScheduleFile::lock(&directory)?;
    // Read again: another command may have changed it until the lock was ours.
    Ok((source.load()?, schedule))
}

/// A key that was made and is in no file yet.
pub(super) struct NewKey {
    pub(super) file: String,
    pub(super) name: String,
    which: Which,
    content: Zeroizing<Vec<u8>>,
}

impl NewKey {
    pub(super) fn make(which: Which) -> Result<Self, Failure> {
        match which {
            Which::Signing(algorithm) => {
                let pem = signing_key::generate(algorithm);
                let key = SigningKey::from_pem(pem.as_bytes(), algorithm, None)?;
                let content = Zeroizing::new(pem.as_bytes().to_vec());
                Ok(Self { file: signing_file_name(&key), name: key.kid().to_owned(), which, content })
            }
            Which::Sealing => {
                let mut content = Zeroizing::new(vec![0; KEY_BYTES]);
                OsRandom.fill(&mut content);
                let bytes = content.as_slice().try_into().expect("made of this length");
                let name = SealingKey::new(bytes).id().to_string();
                Ok(Self { file: sealing_file_name(), name, which, content })
            }
        }
    }

    /// Its entry as a person would write it.
    pub(super) fn block(&self, lifecycle: Lifecycle) -> String {
        match self.which {
            Which::Signing(algorithm) => schedule_file::block(&[self.signing(algorithm, lifecycle)], &[]),
            Which::Sealing => schedule_file::block(&[], &[self.sealing(lifecycle)]),
        }
    }

    /// The command that makes another one under its name.
    pub(super) fn command(&self, settings: &Settings) -> String {
        let file = settings.keys.directory.join(&self.file);
        let kind = match self.which {
            Which::Signing(algorithm) => format!("--algorithm {algorithm}"),
            Which::Sealing => "--sealing".to_owned(),
        };
        format!("jotsmith keys generate {kind} --out {}", file.display())
    }

    pub(super) fn add_to(&self, schedule: &mut ScheduleFile, lifecycle: Lifecycle) -> Result<(), Failure> {
        match self.which {
            Which::Signing(algorithm) => schedule.add_signing(&self.signing(algorithm, lifecycle))?,
            Which::Sealing => schedule.add_sealing(&self.sealing(lifecycle))?,
        }
        Ok(())
    }

    pub(super) fn new_file(&self) -> NewKeyFile<'_> {
        NewKeyFile { name: &self.file, content: &self.content }
    }

    fn signing(&self, algorithm: Algorithm, lifecycle: Lifecycle) -> SigningKeyEntry {
        SigningKeyEntry { file: self.file.clone(), kid: None, algorithm, lifecycle, place: None }
    }

    fn sealing(&self, lifecycle: Lifecycle) -> SealingKeyEntry {
        SealingKeyEntry { file: self.file.clone(), lifecycle, place: None }
    }
}

/// The times that differ, as a person would write them into an entry; `-name` is one to take out.
pub(super) fn times_to_write(lifecycle: &Lifecycle) -> String {
    let Lifecycle { publish_at, sign_from, retire_at } = lifecycle;
    let lines = [("publish_at", publish_at), ("sign_from", sign_from), ("retire_at", retire_at)]
        .map(|(name, time)| time.map_or_else(|| format!("  (no {name})"), |time| format!("  {name} = \"{time}\"")));
    lines.join("\n")
}

/// What is said after a change.
pub(super) const LOAD_IT: &str =
    "Every server loads this when it sees the file change; kill -HUP asks it to, where it cannot see it.";

/// A moment and how far it is away: `2026-11-22T12:00:00Z, in 1day`.
pub(super) fn when(at: Timestamp, now: Timestamp) -> String {
    const DAY: u64 = 24 * 60 * 60;
    let seconds = at.as_seconds().saturating_sub(now.as_seconds());
    // Nobody wants to know the seconds of a day.
    let rounded = if seconds > 60 * 60 { seconds.div_ceil(60) * 60 } else { seconds };
    // Months are no measure: they are not equally long.
    let (days, rest) = (rounded / DAY, rounded % DAY);
    let days = match days {
        0 => None,
        1 => Some("1day".to_owned()),
        more => Some(format!("{more}days")),
    };
    let rest = (rest > 0).then(|| humantime::format_duration(Duration::from_secs(rest)).to_string());
    let words: Vec<_> = days.into_iter().chain(rest).collect();
    if words.is_empty() { format!("{at}, now") } else { format!("{at}, in {}", words.join(" ")) }
}
