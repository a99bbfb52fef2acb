//! `[keys]`, `[[keys.signing]]`, `[[keys.sealing]]`: where the keys are and when each works.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::foundation::clock::Timestamp;
use crate::keys::Algorithm;
use crate::keys::schedule::{Lifecycle, Schedule, ScheduleRefused, Scheduled};

use super::environment::Environment;
use super::error::{Place, Problems};
use super::layers::JoinedList;
use super::reading::{Entry, Reading, Taken};
use super::text;

/// Where the keys are and when each works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySettings {
    /// The folder of the key files.
    pub directory: PathBuf,
    /// What signs where a resource asks for nothing else.
    pub default_algorithm: Algorithm,
    /// Whether missing keys are made.
    pub generate_if_missing: GenerateIfMissing,
    /// How long a verifier may keep the key set.
    pub jwks_max_age: Duration,
    /// The signing keys, in the order of the files.
    pub signing: Vec<SigningKeyEntry>,
    /// The sealing keys, in the order of the files.
    pub sealing: Vec<SealingKeyEntry>,
}

/// When missing keys are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GenerateIfMissing {
    /// Where the store is new.
    NewStore,
    /// Never.
    Never,
}

/// A signing key by its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKeyEntry {
    /// The file, within [`KeySettings::directory`].
    pub file: String,
    /// The key's identifier, where it is not its thumbprint (RFC 7638).
    pub kid: Option<String>,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// When it works.
    pub lifecycle: Lifecycle,
}

/// A sealing key by its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealingKeyEntry {
    /// The file, within [`KeySettings::directory`].
    pub file: String,
    /// When it works.
    pub lifecycle: Lifecycle,
}

#[derive(Deserialize)]
pub(super) struct RawKeys {
    directory: PathBuf,
    #[serde(deserialize_with = "text::own")]
    default_algorithm: Algorithm,
    generate_if_missing: GenerateIfMissing,
    #[serde(deserialize_with = "text::duration")]
    jwks_max_age: Duration,
}

#[derive(Deserialize)]
pub(super) struct RawSigningKey {
    file: String,
    kid: Option<String>,
    #[serde(deserialize_with = "text::own")]
    algorithm: Algorithm,
    #[serde(default, deserialize_with = "text::optional_time")]
    publish_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "text::optional_time")]
    sign_from: Option<Timestamp>,
    #[serde(default, deserialize_with = "text::optional_time")]
    retire_at: Option<Timestamp>,
}

#[derive(Deserialize)]
pub(super) struct RawSealingKey {
    file: String,
    #[serde(default, deserialize_with = "text::optional_time")]
    publish_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "text::optional_time")]
    sign_from: Option<Timestamp>,
    #[serde(default, deserialize_with = "text::optional_time")]
    retire_at: Option<Timestamp>,
}

pub(super) fn read(reading: &Reading<'_>, environment: &Environment) -> Option<KeySettings> {
    let signing = reading.entries::<RawSigningKey>(JoinedList::SigningKeys);
    let sealing = reading.entries::<RawSealingKey>(JoinedList::SealingKeys);
    judge_files(&signing, &sealing, reading.problems());
    for algorithm in Algorithm::ALL {
        let keys = signing.iter().filter(|key| key.value.algorithm == algorithm);
        judge_schedule(keys.map(|key| (&key.place, &*key.value.file, key.value.lifecycle())), reading.problems());
    }
    judge_schedule(sealing.iter().map(|key| (&key.place, &*key.value.file, key.value.lifecycle())), reading.problems());

    let raw: RawKeys = reading.section("keys")?;
    Some(KeySettings {
        directory: environment.working_directory.join(raw.directory),
        default_algorithm: raw.default_algorithm,
        generate_if_missing: raw.generate_if_missing,
        jwks_max_age: raw.jwks_max_age,
        signing: signing.into_iter().map(|key| key.value.into()).collect(),
        sealing: sealing.into_iter().map(|key| key.value.into()).collect(),
    })
}

fn judge_files(signing: &[Entry<RawSigningKey>], sealing: &[Entry<RawSealingKey>], problems: &Problems) {
    let signing_files = signing.iter().map(|key| (&key.place, &key.value.file));
    let sealing_files = sealing.iter().map(|key| (&key.place, &key.value.file));
    let mut taken = Taken::new();
    for (place, file) in signing_files.chain(sealing_files) {
        taken.take("key file", file, place, problems);
    }
    let mut taken = Taken::new();
    for key in signing {
        if let Some(kid) = &key.value.kid {
            taken.take("kid", kid, &key.place, problems);
        }
    }
}

/// Whether the times contradict each other. Whether they would break a verifier depends on the time, and is judged
/// where the keys are loaded.
fn judge_schedule<'k>(keys: impl Iterator<Item = (&'k Place, &'k str, Lifecycle)>, problems: &Problems) {
    let keys: Vec<_> = keys.collect();
    let entries = keys.iter().map(|(place, file, lifecycle)| Scheduled {
        name: (*file).to_owned(),
        lifecycle: *lifecycle,
        key: *place,
    });
    if let Err(refused) = Schedule::new(entries.collect()) {
        let name = match &refused {
            ScheduleRefused::SameStart { other, .. } => Some(other),
            ScheduleRefused::OutOfOrder { key } => Some(key),
            _ => None,
        };
        let place = keys.iter().find(|(_, file, _)| name.is_some_and(|name| name == file)).map(|(place, ..)| place);
        match place {
            Some(place) => problems.add(place.problem(refused)),
            None => problems.add(super::ConfigError::new(refused)),
        }
    }
}
