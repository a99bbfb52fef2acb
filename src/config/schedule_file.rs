//! `<keys.directory>/schedule.toml`: the entries of keys that the program itself has made.
//!
//! What stands there is kept, comments included. A reader sees the old file or the new one, never a part, and after a
//! power cut one of the two is there.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use crate::keys::schedule::Lifecycle;

use super::{SealingKeyEntry, SigningKeyEntry};

/// The file's name in the folder of the keys.
pub const NAME: &str = "schedule.toml";

/// Where the new file is written before it takes the place of the old one.
const NEXT: &str = ".schedule.toml.next";

const SIGNING: &str = "signing";
const SEALING: &str = "sealing";

const HEADER: &str = "# Written by `jotsmith`: when each key that it has made is published, signs and goes.\n";

/// The entry of a signing key as TOML.
pub fn signing_block(key: &SigningKeyEntry) -> String {
    block(SIGNING, signing_table(key))
}

/// The entry of a sealing key as TOML.
pub fn sealing_block(key: &SealingKeyEntry) -> String {
    block(SEALING, sealing_table(key))
}

/// Adds a signing key at the end of the schedule in `directory`, and makes the file when it is not there.
pub fn add_signing(directory: &Path, key: &SigningKeyEntry) -> io::Result<()> {
    add(directory, SIGNING, signing_table(key))
}

/// Adds a sealing key at the end of the schedule in `directory`, and makes the file when it is not there.
pub fn add_sealing(directory: &Path, key: &SealingKeyEntry) -> io::Result<()> {
    add(directory, SEALING, sealing_table(key))
}

fn block(list: &str, entry: Table) -> String {
    let mut document = DocumentMut::new();
    extend(&mut document, list, entry).expect("an empty document takes any entry");
    document.to_string()
}

/// The folder is locked meanwhile, so that two commands never lose each other's entries.
fn add(directory: &Path, list: &str, entry: Table) -> io::Result<()> {
    let folder = File::open(directory)?;
    folder.lock()?;
    let path = directory.join(NAME);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => HEADER.to_owned(),
        Err(error) => return Err(error),
    };
    let malformed = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
    let mut document: DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| malformed(error.message().to_owned()))?;
    extend(&mut document, list, entry).map_err(malformed)?;
    replace(&folder, &directory.join(NEXT), &path, document.to_string().as_bytes())
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

fn extend(document: &mut DocumentMut, list: &str, entry: Table) -> Result<(), String> {
    let mut implicit = Table::new();
    implicit.set_implicit(true);
    let keys = document.entry("keys").or_insert(Item::Table(implicit));
    let keys = keys.as_table_mut().ok_or("`keys` is not a table")?;
    let entries = keys.entry(list).or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    let entries = entries.as_array_of_tables_mut();
    entries.ok_or_else(|| format!("`keys.{list}` is not written as [[keys.{list}]]"))?.push(entry);
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
