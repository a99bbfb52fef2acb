//! `[keys]`, `[[keys.signing]]`, `[[keys.sealing]]`: where the keys are and when each works.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::foundation::clock::Timestamp;
use crate::keys::algorithm::Algorithm;
use crate::keys::schedule::{Lifecycle, Schedule, ScheduleRefused, Scheduled};

use super::environment::Environment;
use super::error::{ConfigError, Place, Problems};
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
    /// The keys that were killed, by the `kid` of a signing key or the id of a sealing key: none may come back.
    pub killed: Vec<String>,
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
    /// Where the entry stands, `file:line` and key, when it was read.
    pub place: Option<String>,
}

/// A sealing key by its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealingKeyEntry {
    /// The file, within [`KeySettings::directory`].
    pub file: String,
    /// When it works.
    pub lifecycle: Lifecycle,
    /// Where the entry stands, `file:line` and key, when it was read.
    pub place: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct RawKeys {
    directory: PathBuf,
    default_algorithm: Algorithm,
    generate_if_missing: GenerateIfMissing,
    #[serde(deserialize_with = "text::duration")]
    jwks_max_age: Duration,
}

#[derive(Deserialize)]
pub(super) struct RawSigningKey {
    file: String,
    kid: Option<String>,
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

impl SigningKeyEntry {
    fn at(self, place: &Place) -> Self {
        Self { place: Some(place.to_string()), ..self }
    }
}

impl SealingKeyEntry {
    fn at(self, place: &Place) -> Self {
        Self { place: Some(place.to_string()), ..self }
    }
}

impl From<RawSigningKey> for SigningKeyEntry {
    fn from(raw: RawSigningKey) -> Self {
        let lifecycle = Lifecycle { publish_at: raw.publish_at, sign_from: raw.sign_from, retire_at: raw.retire_at };
        Self { file: raw.file, kid: raw.kid, algorithm: raw.algorithm, lifecycle, place: None }
    }
}

impl From<RawSealingKey> for SealingKeyEntry {
    fn from(raw: RawSealingKey) -> Self {
        let lifecycle = Lifecycle { publish_at: raw.publish_at, sign_from: raw.sign_from, retire_at: raw.retire_at };
        Self { file: raw.file, lifecycle, place: None }
    }
}

/// A key that was killed, as `jotsmith keys kill` writes it down.
#[derive(Deserialize)]
pub(super) struct RawKilledKey {
    kid: String,
    #[serde(default, deserialize_with = "text::optional_time")]
    #[expect(dead_code, reason = "for people, and judged as a time")]
    at: Option<Timestamp>,
}

pub(super) fn read(reading: &Reading<'_>, environment: &Environment) -> Option<KeySettings> {
    let signing: Vec<Entry<SigningKeyEntry>> = reading.entries_as::<RawSigningKey, _>(JoinedList::SigningKeys);
    let sealing: Vec<Entry<SealingKeyEntry>> = reading.entries_as::<RawSealingKey, _>(JoinedList::SealingKeys);
    let killed: Vec<Entry<RawKilledKey>> = reading.entries(JoinedList::KilledKeys);
    judge_names(&signing, &sealing, reading.problems());
    for algorithm in Algorithm::ALL {
        let keys = signing.iter().filter(|key| key.value.algorithm == algorithm);
        let keys = keys.map(|key| scheduled(&key.value.file, key.value.lifecycle, &key.place));
        judge_times(keys.collect(), reading.problems());
    }
    let keys = sealing.iter().map(|key| scheduled(&key.value.file, key.value.lifecycle, &key.place));
    judge_times(keys.collect(), reading.problems());

    let raw: RawKeys = reading.section("keys")?;
    Some(KeySettings {
        directory: environment.working_directory.join(raw.directory),
        default_algorithm: raw.default_algorithm,
        generate_if_missing: raw.generate_if_missing,
        jwks_max_age: raw.jwks_max_age,
        signing: signing.into_iter().map(|key| key.value.at(&key.place)).collect(),
        sealing: sealing.into_iter().map(|key| key.value.at(&key.place)).collect(),
        killed: killed.into_iter().map(|key| key.value.kid).collect(),
    })
}

fn judge_names(signing: &[Entry<SigningKeyEntry>], sealing: &[Entry<SealingKeyEntry>], problems: &Problems) {
    let (mut files, mut kids) = (Taken::new(), Taken::new());
    for key in signing {
        files.take("key file", &key.value.file, &key.place, problems);
        if let Some(kid) = &key.value.kid {
            kids.take("kid", kid, &key.place, problems);
        }
    }
    for key in sealing {
        files.take("key file", &key.value.file, &key.place, problems);
    }
}

fn scheduled<'k>(file: &str, lifecycle: Lifecycle, place: &'k Place) -> Scheduled<&'k Place> {
    Scheduled { name: file.to_owned(), lifecycle, key: place }
}

/// Whether the times contradict each other. Whether they would break a verifier depends on the time of day, and is
/// judged where the keys are loaded.
fn judge_times(keys: Vec<Scheduled<&Place>>, problems: &Problems) {
    let places: Vec<(String, &Place)> = keys.iter().map(|key| (key.name.clone(), key.key)).collect();
    let Err(refused) = Schedule::new(keys) else { return };
    let at_fault = match &refused {
        ScheduleRefused::SameStart { other: key, .. } | ScheduleRefused::OutOfOrder { key } => Some(key),
        _ => None,
    };
    let place = places.iter().find(|(file, _)| at_fault == Some(file));
    problems.add(place.map_or_else(|| ConfigError::new(&refused), |(_, place)| place.problem(&refused)));
}
