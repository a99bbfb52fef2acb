//! `<keys.directory>/schedule.toml`: the entries of keys that the program itself has made.
//!
//! What stands there is kept, comments included. A reader sees the old file or the new one, never a part, and after a
//! power cut one of the two is there.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use crate::foundation::clock::Timestamp;
use crate::keys::key_files::{self, KeyFileRefused};
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
    /// It is written, and the disk did not say that it keeps it.
    #[error(
        "{} is written, but may not outlive a power cut: {source}; look with `jotsmith keys list` what is there",
        path.display()
    )]
    NotDurable {
        /// What was written.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file of a new key cannot be made.
    #[error(transparent)]
    KeyFile(#[from] KeyFileRefused),
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
    let mut schedule = ScheduleFile::lock(directory)?;
    for entry in signing {
        schedule.add_signing(entry)?;
    }
    for entry in sealing {
        schedule.add_sealing(entry)?;
    }
    schedule.write()
}

/// A list of the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyList {
    /// `[[keys.signing]]`.
    Signing,
    /// `[[keys.sealing]]`.
    Sealing,
}

impl ScheduleFileError {
    /// Whether the folder may not be written to by who runs this.
    pub fn is_read_only(&self) -> bool {
        let error = match self {
            Self::Io { source, .. } => source,
            Self::KeyFile(KeyFileRefused::NotCreated { reason, .. }) => reason,
            _ => return false,
        };
        matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
    }
}

impl KeyList {
    /// Its name below `keys`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signing => "signing",
            Self::Sealing => "sealing",
        }
    }
}

/// The schedule while it is being changed: nobody else changes it meanwhile. What is not [written](Self::write) is as
/// if it had not been.
pub struct ScheduleFile {
    folder: File,
    directory: PathBuf,
    header: &'static str,
    document: DocumentMut,
}

impl ScheduleFile {
    /// Waits until nobody else changes the schedule in `directory`, and reads it.
    pub fn lock(directory: &Path) -> Result<Self, ScheduleFileError> {
        let folder = File::open(directory).map_err(io_at(directory))?;
        folder.lock().map_err(io_at(directory))?;
        let path = directory.join(NAME);
        // A comment alone would move to the end of the document when tables come, so a new file's is written before it.
        let (header, text) = match fs::read_to_string(&path) {
            Ok(text) => ("", text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (HEADER, String::new()),
            Err(error) => return Err(io_at(&path)(error)),
        };
        let document = text.parse().map_err(|error: toml_edit::TomlError| ScheduleFileError::Malformed {
            path,
            reason: error.message().to_owned(),
        })?;
        Ok(Self { folder, directory: directory.to_owned(), header, document })
    }

    /// Adds the entry of a signing key at the end.
    pub fn add_signing(&mut self, key: &SigningKeyEntry) -> Result<(), ScheduleFileError> {
        self.add(KeyList::Signing.as_str(), signing_table(key))
    }

    /// Adds the entry of a sealing key at the end.
    pub fn add_sealing(&mut self, key: &SealingKeyEntry) -> Result<(), ScheduleFileError> {
        self.add(KeyList::Sealing.as_str(), sealing_table(key))
    }

    /// Notes that a key was killed, so that it cannot come back.
    pub fn add_killed(&mut self, kid: &str, at: Timestamp) -> Result<(), ScheduleFileError> {
        let mut table = Table::new();
        table.insert("kid", value(kid));
        table.insert("at", value(at.to_string()));
        self.add("killed", table)
    }

    /// Gives an entry other times. Whether it stands here.
    pub fn set_times(&mut self, list: KeyList, file: &str, lifecycle: &Lifecycle) -> bool {
        let Some(entries) = self.entries(list) else { return false };
        let Some(entry) = entries.iter_mut().find(|entry| is_of(entry, file)) else { return false };
        for (name, time) in times(lifecycle) {
            match (time, entry.get_mut(name).and_then(Item::as_value_mut)) {
                (Some(time), Some(old)) => {
                    let decor = old.decor().clone();
                    *old = toml_edit::Value::from(time.to_string());
                    // What stands behind it, such as a comment, stays.
                    *old.decor_mut() = decor;
                }
                (Some(time), None) => {
                    entry.insert(name, value(time.to_string()));
                }
                (None, _) => {
                    entry.remove(name);
                }
            }
        }
        true
    }

    /// Takes an entry out. Whether it stood here.
    pub fn remove(&mut self, list: KeyList, file: &str) -> bool {
        let Some(entries) = self.entries(list) else { return false };
        let before = entries.len();
        entries.retain(|entry| !is_of(entry, file));
        entries.len() < before
    }

    /// Puts the schedule in the place of the old one, durably.
    pub fn write(self) -> Result<(), ScheduleFileError> {
        self.write_with(None, |_| ())
    }

    /// Makes the file of a new key and then puts the schedule in the place of the old one, durably. In this order, so that
    /// at no moment the schedule names a file that is not there. Where nothing was written, the new file is removed again.
    ///
    /// `reach` is told before each step: what is there then is what a crash would leave.
    pub fn write_with(
        self,
        new_key: Option<NewKeyFile<'_>>,
        mut reach: impl FnMut(WriteStep),
    ) -> Result<(), ScheduleFileError> {
        let made = new_key.map(|NewKeyFile { name, content }| {
            reach(WriteStep::KeyFile);
            let file = self.directory.join(name);
            key_files::create(&file, content).map(|()| file)
        });
        let made = made.transpose()?;
        let (next, path) = (self.directory.join(NEXT), self.directory.join(NAME));
        let content = format!("{}{}", self.header, self.document);
        replace(&next, &path, content.as_bytes(), &mut reach).map_err(|error| {
            if let Some(file) = made {
                // Nothing names it. That it cannot be removed either is not the news.
                let _ = fs::remove_file(file);
            }
            io_at(&path)(error)
        })?;
        reach(WriteStep::Sync);
        // The name is on disk only when the folder is. The schedule names the new key by now, so that stays in any case.
        self.folder.sync_all().map_err(|source| ScheduleFileError::NotDurable { path, source })
    }

    fn add(&mut self, list: &str, table: Table) -> Result<(), ScheduleFileError> {
        extend(&mut self.document, list, std::iter::once(table))
            .map_err(|reason| ScheduleFileError::Malformed { path: self.directory.join(NAME), reason })
    }

    fn entries(&mut self, list: KeyList) -> Option<&mut ArrayOfTables> {
        self.document.get_mut("keys")?.get_mut(list.as_str())?.as_array_of_tables_mut()
    }
}

/// A key file that is to be made: its name in the folder of the keys, and what it holds.
#[derive(Clone, Copy)]
pub struct NewKeyFile<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it holds: secret.
    pub content: &'a [u8],
}

/// What is done next when a schedule is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteStep {
    /// The file of the new key is made.
    KeyFile,
    /// The new schedule is written beside the old one.
    Schedule,
    /// It takes the place of the old one.
    Replace,
    /// That is made durable.
    Sync,
}

fn is_of(entry: &Table, file: &str) -> bool {
    entry.get("file").and_then(Item::as_str) == Some(file)
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> ScheduleFileError + use<> {
    let path = path.to_owned();
    move |source| ScheduleFileError::Io { path, source }
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

fn times(lifecycle: &Lifecycle) -> [(&'static str, Option<Timestamp>); 3] {
    let Lifecycle { publish_at, sign_from, retire_at } = *lifecycle;
    [("publish_at", publish_at), ("sign_from", sign_from), ("retire_at", retire_at)]
}

fn insert_times(table: &mut Table, lifecycle: &Lifecycle) {
    for (name, time) in times(lifecycle) {
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

fn replace(next: &Path, path: &Path, content: &[u8], reach: &mut dyn FnMut(WriteStep)) -> io::Result<()> {
    reach(WriteStep::Schedule);
    let mut file = File::create(next)?;
    file.write_all(content)?;
    file.sync_all()?;
    reach(WriteStep::Replace);
    fs::rename(next, path)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::slice;

    use crate::config::{Environment, KeySettings, load};
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

    #[test]
    fn times_change_and_entries_go_and_the_rest_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let written = "# mine\n[[keys.signing]] # first\nfile = \"1.pem\"\nalgorithm = \"RS256\"\nretire_at = 2030-01-01T00:00:00Z # soon\n\n[[keys.signing]]\nfile = \"2.pem\"\nalgorithm = \"ES256\"\n";
        fs::write(folder.path().join(NAME), written).expect("a file");
        let mut schedule = ScheduleFile::lock(folder.path()).expect("a schedule");
        assert!(schedule.set_times(KeyList::Signing, "1.pem", &later()));
        assert!(schedule.remove(KeyList::Signing, "2.pem"));
        assert!(!schedule.remove(KeyList::Signing, "3.pem"));
        assert!(!schedule.set_times(KeyList::Sealing, "1.seal", &later()));
        schedule.add_killed("kid", Timestamp::from_seconds(1_800_000_000)).expect("a list of ours");
        schedule.write().expect("written");
        let keys = read_back(folder.path());
        assert_eq!((keys.signing, keys.killed), (vec![signing("1.pem", later())], vec!["kid".to_owned()]));
        let text = fs::read_to_string(folder.path().join(NAME)).expect("the schedule");
        assert!(["# mine", "# first", "# soon"].iter().all(|part| text.contains(part)), "{text}");

        let mut schedule = ScheduleFile::lock(folder.path()).expect("a schedule");
        assert!(schedule.set_times(KeyList::Signing, "1.pem", &Lifecycle::default()));
        schedule.write().expect("written");
        assert_eq!(read_back(folder.path()).signing, [signing("1.pem", Lifecycle::default())]);
    }

    #[test]
    fn a_crash_at_any_step_leaves_the_old_schedule_or_the_new_one_and_every_file_that_it_names() {
        let steps = [WriteStep::KeyFile, WriteStep::Schedule, WriteStep::Replace, WriteStep::Sync];
        for (at, crash) in steps.into_iter().enumerate() {
            let folder = tempfile::tempdir().expect("a folder");
            let old = signing("old.pem", Lifecycle::default());
            key_files::create(&folder.path().join("old.pem"), b"old").expect("a file");
            append(folder.path(), slice::from_ref(&old), &[]).expect("a schedule");
            let mut schedule = ScheduleFile::lock(folder.path()).expect("a schedule");
            schedule.set_times(KeyList::Signing, "old.pem", &later());
            schedule.add_signing(&signing("new.pem", Lifecycle::default())).expect("a list of ours");
            let new_key = NewKeyFile { name: "new.pem", content: b"new" };
            let crashed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                // Nothing is tidied up after a panic, as after a crash.
                schedule.write_with(Some(new_key), |step| assert!(step != crash, "the crash"))
            }));
            assert!(crashed.is_err(), "{crash:?}");
            let named = read_back(folder.path()).signing;
            let is_new = at == 3;
            assert_eq!(named.len(), 1 + usize::from(is_new), "{crash:?}");
            assert_eq!(named[0].lifecycle == later(), is_new, "{crash:?}: both changes or none");
            for key in named {
                key_files::read(&folder.path().join(&key.file))
                    .unwrap_or_else(|refused| panic!("{crash:?}: {refused}"));
            }
            // The next command finds no obstacle.
            append(folder.path(), &[signing("next.pem", Lifecycle::default())], &[]).expect("no lock is left");
        }
    }

    #[test]
    fn where_the_schedule_cannot_be_written_no_key_file_is_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut schedule = ScheduleFile::lock(folder.path()).expect("a schedule");
        schedule.add_signing(&signing("new.pem", later())).expect("a list of ours");
        // A folder of that name cannot be replaced by a file.
        fs::create_dir(folder.path().join(NAME)).expect("a folder");
        let new_key = NewKeyFile { name: "new.pem", content: b"new" };
        schedule.write_with(Some(new_key), |_| ()).expect_err("not written");
        assert!(!folder.path().join("new.pem").exists());
    }
}
