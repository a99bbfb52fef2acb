//! `<keys.directory>/schedule.toml`: the entries of keys that the program itself has made.
//!
//! What stands there is kept, comments included. A reader sees the old file or the new one, never a part, and after a
//! power cut one of the two is there.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use crate::keys::schedule::Lifecycle;

use super::{SealingKeyEntry, SigningKeyEntry};

/// The file's name in the folder of the keys.
pub const NAME: &str = "schedule.toml";

/// Where the new file is written before it takes the place of the old one.
const NEXT: &str = ".schedule.toml.next";

const HEADER: &str = "# Written by `jotsmith`: when each key that it has made is published, signs and goes.\n";

/// Why the schedule could not be extended; it is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleFileError {
    /// The folder or the file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// What was to be read or written.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file is not what it was when we wrote it.
    #[error("{} is no key schedule: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Adds entries at the end of the schedule in `directory`, and makes the file when it is not there. The folder is
/// locked meanwhile, so that two commands never lose each other's entries.
pub fn append(
    directory: &Path,
    signing: &[SigningKeyEntry],
    sealing: &[SealingKeyEntry],
) -> Result<(), ScheduleFileError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| ScheduleFileError::Io { path, source }
    };
    let folder = File::open(directory).map_err(io(directory))?;
    folder.lock().map_err(io(directory))?;

    let path = directory.join(NAME);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => HEADER.to_owned(),
        Err(error) => return Err(io(&path)(error)),
    };
    let malformed = |reason: String| ScheduleFileError::Malformed { path: path.clone(), reason };
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| malformed(error.to_string()))?;
    let signing = signing.iter().map(signing_table);
    extend(&mut document, "signing", signing).map_err(malformed)?;
    let sealing = sealing.iter().map(sealing_table);
    extend(&mut document, "sealing", sealing).map_err(malformed)?;

    let next = directory.join(NEXT);
    replace(&folder, &next, &path, document.to_string().as_bytes()).map_err(io(&path))
}

/// The entries as they stand in a configuration, for a person to put there.
pub fn block(signing: &[SigningKeyEntry], sealing: &[SealingKeyEntry]) -> String {
    let mut document = DocumentMut::new();
    let lists = [
        ("signing", signing.iter().map(signing_table).collect()),
        ("sealing", sealing.iter().map(sealing_table).collect()),
    ];
    for (list, tables) in lists {
        let tables: Vec<Table> = tables;
        extend(&mut document, list, tables.into_iter()).expect("a new document has no other kind of keys");
    }
    document.to_string()
}

fn signing_table(key: &SigningKeyEntry) -> Table {
    let mut table = Table::new();
    table.insert("file", value(&key.file));
    if let Some(kid) = &key.kid {
        table.insert("kid", value(kid));
    }
    table.insert("algorithm", value(key.algorithm.as_str()));
    insert_times(&mut table, &key.lifecycle);
    table
}

fn sealing_table(key: &SealingKeyEntry) -> Table {
    let mut table = Table::new();
    table.insert("file", value(&key.file));
    insert_times(&mut table, &key.lifecycle);
    table
}

fn insert_times(table: &mut Table, lifecycle: &Lifecycle) {
    let Lifecycle { publish_at, sign_from, retire_at } = lifecycle;
    for (name, time) in [("publish_at", publish_at), ("sign_from", sign_from), ("retire_at", retire_at)] {
        if let Some(time) = time {
            table.insert(name, value(time.to_string()));
        }
    }
}

fn extend(document: &mut DocumentMut, list: &str, tables: impl Iterator<Item = Table>) -> Result<(), String> {
    let mut tables = tables.peekable();
    if tables.peek().is_none() {
        return Ok(());
    }
    let mut implicit = Table::new();
    implicit.set_implicit(true);
    let keys = document.entry("keys").or_insert(Item::Table(implicit));
    let keys = keys.as_table_mut().ok_or_else(|| "`keys` is no table".to_owned())?;
    let entries = keys.entry(list).or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    let entries =
        entries.as_array_of_tables_mut().ok_or_else(|| format!("`keys.{list}` is not written as [[keys.{list}]]"))?;
    entries.extend(tables);
    Ok(())
}

fn replace(folder: &File, next: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(next)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(next, path)?;
    // The name is on disk only when the folder is.
    folder.sync_all()
}
