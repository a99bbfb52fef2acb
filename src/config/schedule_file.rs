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

const HEADER: &str = "# Written by `jotsmith`: when each key that it has made is published, signs and goes.\n\n";

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
    // A comment alone would move to the end of the document when tables come, so a new file's is written before it.
    let (header, text) = match fs::read_to_string(&path) {
        Ok(text) => ("", text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (HEADER, String::new()),
        Err(error) => return Err(io(&path)(error)),
    };
    let malformed = |reason: String| ScheduleFileError::Malformed { path: path.clone(), reason };
    let mut document: DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| malformed(error.message().to_owned()))?;
    let signing = signing.iter().map(signing_table);
    extend(&mut document, "signing", signing).map_err(malformed)?;
    let sealing = sealing.iter().map(sealing_table);
    extend(&mut document, "sealing", sealing).map_err(malformed)?;

    let next = directory.join(NEXT);
    replace(&folder, &next, &path, format!("{header}{document}").as_bytes()).map_err(io(&path))
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::slice;

    use crate::config::{Environment, KeySettings, load};
    use crate::foundation::clock::Timestamp;
    use crate::keys::algorithm::Algorithm;

    use super::*;

    fn signing(file: &str, lifecycle: Lifecycle) -> SigningKeyEntry {
        SigningKeyEntry { file: file.to_owned(), kid: None, algorithm: Algorithm::Rs256, lifecycle, place: None }
    }

    fn later() -> Lifecycle {
        let [publish_at, sign_from, retire_at] =
            [1_800_000_000, 1_800_086_400, 1_900_000_000].map(|seconds| Some(Timestamp::from_seconds(seconds)));
        Lifecycle { publish_at, sign_from, retire_at }
    }

    /// What the configuration reads back from the schedule in `directory`.
    fn read_back(directory: &Path) -> KeySettings {
        let file = directory.join("config.toml");
        fs::write(&file, format!("[keys]\ndirectory = {:?}\n", directory.display().to_string())).expect("a file");
        let environment = Environment { system_directory: PathBuf::from("/nonexistent"), ..Environment::default() };
        let mut keys = load(&[file], &environment).expect("what was written is sound").keys;
        // Where they stand is not written.
        keys.signing.iter_mut().for_each(|key| key.place = None);
        keys.sealing.iter_mut().for_each(|key| key.place = None);
        keys
    }

    #[test]
    fn the_configuration_reads_what_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let (first, second) = (signing("1.pem", Lifecycle::default()), signing("2.pem", later()));
        let second = SigningKeyEntry { kid: Some("two \"quoted\"".to_owned()), ..second };
        let sealing = SealingKeyEntry { file: "1.seal".to_owned(), lifecycle: later(), place: None };
        append(folder.path(), slice::from_ref(&first), &[]).expect("a new file");
        append(folder.path(), &[], slice::from_ref(&sealing)).expect("another list");
        append(folder.path(), slice::from_ref(&second), &[]).expect("a second entry");
        let keys = read_back(folder.path());
        assert_eq!((keys.signing, keys.sealing), (vec![first, second], vec![sealing]));
        let text = fs::read_to_string(folder.path().join(NAME)).expect("the schedule");
        assert!(text.starts_with(HEADER), "{text}");
    }

    #[test]
    fn a_block_is_an_entry_of_the_configuration() {
        let key = signing("1.pem", later());
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(NAME), block(slice::from_ref(&key), &[])).expect("a file");
        assert_eq!(read_back(folder.path()).signing, [key]);
        let block =
            block(&[], &[SealingKeyEntry { file: "1.seal".to_owned(), lifecycle: Lifecycle::default(), place: None }]);
        assert_eq!(block, "[[keys.sealing]]\nfile = \"1.seal\"\n");
    }

    #[test]
    fn what_a_person_wrote_beside_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let written = "# mine\n[[keys.signing]] # first\nfile = \"1.pem\"\nalgorithm = \"ES256\"\n# end\n";
        fs::write(folder.path().join(NAME), written).expect("a file");
        append(folder.path(), &[signing("2.pem", later())], &[]).expect("a second entry");
        let text = fs::read_to_string(folder.path().join(NAME)).expect("the schedule");
        assert!(["# mine", "# first", "# end", "2.pem"].iter().all(|part| text.contains(part)), "{text}");
    }

    #[test]
    fn a_file_that_is_no_schedule_stays_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        for text in ["no TOML", "keys = 1", "[keys]\nsigning = []\n"] {
            fs::write(folder.path().join(NAME), text).expect("a file");
            let error = append(folder.path(), &[signing("1.pem", Lifecycle::default())], &[]).expect_err("no schedule");
            assert!(matches!(error, ScheduleFileError::Malformed { .. }), "{error}");
            assert_eq!(fs::read_to_string(folder.path().join(NAME)).expect("the file"), text);
        }
    }

    #[test]
    fn nothing_but_the_schedule_is_left_in_the_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        // What a crash has left is no obstacle.
        fs::write(folder.path().join(NEXT), "half a fi").expect("a file");
        append(folder.path(), &[signing("1.pem", Lifecycle::default())], &[]).expect("a new file");
        let names: Vec<_> =
            fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("an entry").file_name()).collect();
        assert_eq!(names, [NAME]);
    }
}
