//! `[store]`: where what must be taken back is kept.

use std::path::PathBuf;

use serde::Deserialize;

use super::environment::Environment;
use super::reading::Reading;
use super::text;

/// Which store, and how safe it is against a power cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// The folder of the embedded database.
    pub path: PathBuf,
    /// When an answer may be sent.
    pub durability: Durability,
    /// How much memory the database may keep pages in, in bytes.
    pub cache_bytes: u64,
}

/// What survives a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// All that was answered.
    Fsync,
    /// All but the last 500 ms, spent tokens included.
    Periodic,
}

const SLED: &str = "sled://";

#[derive(Deserialize)]
pub(super) struct RawStore {
    url: String,
    durability: Durability,
    #[serde(deserialize_with = "text::size")]
    cache: u64,
}

pub(super) fn read(
    reading: &Reading<'_>,
    environment: &Environment,
    warnings: &mut Vec<String>,
) -> Option<StoreSettings> {
    let raw: RawStore = reading.section("store")?;
    if raw.durability == Durability::Periodic {
        warnings.push(
            "store.durability = \"periodic\": after a power cut the last 500 ms may be undone, so a spent code or \
             refresh token may come back; \"fsync\" rules that out"
                .to_owned(),
        );
    }
    let Some(path) = raw.url.strip_prefix(SLED).filter(|path| !path.is_empty()) else {
        let what = "write sled:// and a folder, such as sled://data";
        reading.problems().add(reading.place(&["store", "url"]).problem(what));
        return None;
    };
    let path = environment.working_directory.join(path);
    Some(StoreSettings { path, durability: raw.durability, cache_bytes: raw.cache })
}
