//! The file that makes a folder a store: its lock, its format, and how much was promised.
//!
//! sled takes damage in the middle of its log for a torn end and silently forgets what comes after. So the number of the
//! last batch that was answered is written here, after its sync and without one of its own: it can lag behind what is
//! durable, never run ahead of it. A database that has fewer batches than this has lost something; one that has as many
//! and holds other records too.
//!
//! It also says in which folder the records are, so that a database that was written anew takes the place of the old one
//! with one write of one sector.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::iter::repeat_with;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::generations;
use super::opening::OpenFailed;
use super::tally::Tally;
use crate::store::Durability;

/// The name of the file.
pub(super) const NAME: &str = "jotsmith.store";

/// What the file starts with, before its format.
const TITLE: &str = "jotsmith store, format ";

/// The format that is written.
const FORMAT: u64 = 1;

/// Reads the lines after the first one, of one format.
type ReadMark = fn(&str) -> Option<Marked>;

/// Every format of a store on the disk that can be opened. This is where an old one is migrated.
///
/// | format | what is different in it |
/// |---|---|
/// | 1 | the first and only one: sled 0.34.7, one tree, records told apart by the first byte of their keys, each written as `codec.rs` says. A mark of the first versions ends after `commits`, and has no word for a file that is not to be trusted |
///
/// Who changes what lies on the disk writes a new number and adds a row: opening an old one then writes its records anew
/// into the next folder (`rewrite.rs`), and the mark, with the new number, makes them count. The store of format 1 stays
/// in `tests/store/fixtures` as it is.
const FORMATS: [(u64, ReadMark); 1] = [(1, read_format_1)];

/// What the file says while an import is on its way.
const IMPORTING: &str = "jotsmith store, import not finished\n";

/// What an empty disk may hold.
const NOT_OURS_BUT_HARMLESS: &str = "lost+found";

/// How often a lock is waited for that somebody has, and for how long: 200 ms in all.
const LOCK_WAITS: usize = 20;
const LOCK_WAIT: Duration = Duration::from_millis(10);

/// Locks the file. A program that this process is just starting has all of its files, locks too, until it runs: a store that
/// was closed at that moment seems to be in use for a little longer, so it is tried again after each `wait`.
fn lock_patiently(file: &File, wait: impl FnMut()) -> Result<(), Errno> {
    let lock = || flock(file, FlockOperation::NonBlockingLockExclusive);
    let mut waits = repeat_with(wait).take(LOCK_WAITS);
    loop {
        match lock() {
            Err(Errno::WOULDBLOCK) if waits.next().is_some() => {}
            locked_or_failed => return locked_or_failed,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "there is no event to wait for: nobody tells when a lock is given back")]
fn wait() {
    std::thread::sleep(LOCK_WAIT);
}

/// Whether a file that is open is the one of this name still.
fn is_named(file: &File, path: &Path) -> io::Result<bool> {
    let identity = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
    match fs::metadata(path) {
        Ok(named) => Ok(identity(&named) == identity(&file.metadata()?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The file, open and locked.
#[derive(Debug)]
pub(super) struct Mark {
    file: File,
}

/// What the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marked {
    /// The durability with which the store is in use; none: it was closed in good order.
    pub in_use: Option<Durability>,
    /// Whether a write or a sync of the database has failed. The system may then hold for written what the disk never got,
    /// and tell nobody a second time: what is in the file is of use, and nothing more may be built on it.
    pub is_distrusted: bool,
    /// The number of the last batch that was answered.
    pub commits: u64,
    /// In which folder they are (see [`records_of`](super::generations::records_of)).
    pub generation: u64,
    /// What lived after the last batch that was answered; none in a mark of an earlier version.
    pub tally: Option<Tally>,
}

impl Mark {
    /// Locks the store of this folder, and says what was left there; nothing, where no start has ever succeeded. A folder
    /// that holds anything else is left as it is.
    pub(super) fn lock(folder: &Path) -> Result<(Self, Option<Marked>), OpenFailed> {
        let (mark, text) = Self::lock_any(folder)?;
        // A first start that was cut short: it has promised nothing.
        if text.is_empty() {
            return Ok((mark, None));
        }
        if text == IMPORTING {
            return Err(OpenFailed::ImportCutOff { folder: folder.to_owned() });
        }
        let file = || folder.join(NAME);
        let format = format(&text).ok_or_else(|| OpenFailed::NoMark { file: file() })?;
        let (_, read) = *FORMATS
            .iter()
            .find(|(number, _)| *number == format)
            .ok_or_else(|| OpenFailed::UnknownFormat { file: file(), format })?;
        let (_, rest) = text.split_once('\n').unwrap_or_default();
        let marked = read(rest).ok_or_else(|| OpenFailed::NoMark { file: file() })?;
        Ok((mark, Some(marked)))
    }

    /// Locks a folder in which there is no store, and says whether half of an import is there. A file that says nothing
    /// beside a database is a store that has lost its mark, or as good as one: what is in it is not for us to remove.
    pub(super) fn lock_for_import(folder: &Path) -> Result<(Self, bool), OpenFailed> {
        let (mark, text) = Self::lock_any(folder)?;
        let has_store = match text.as_str() {
            IMPORTING => false,
            "" => generations::has_database(folder).map_err(|cause| OpenFailed::io(folder, &cause))?,
            _ => true,
        };
        if has_store {
            return Err(OpenFailed::NotEmpty { folder: folder.to_owned() });
        }
        Ok((mark, text == IMPORTING))
    }

    /// Locks the folder, and gives what the file says. Makes it where the folder is empty.
    fn lock_any(folder: &Path) -> Result<(Self, String), OpenFailed> {
        let failed = |cause| OpenFailed::io(folder, &cause);
        let is_ours = folder.join(NAME).exists();
        if !is_ours && has_content(folder).map_err(failed)? {
            return Err(OpenFailed::Foreign { folder: folder.to_owned() });
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(folder.join(NAME)).map_err(failed)?;
        match lock_patiently(&file, wait) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(OpenFailed::InUse { folder: folder.to_owned() }),
            Err(errno) => return Err(failed(errno.into())),
        }
        if !is_named(&file, &folder.join(NAME)).map_err(failed)? {
            // Whoever had it was an import that failed, and has removed it.
            return Self::lock_any(folder);
        }
        if !is_ours {
            // Before anything stands beside it: with a name that is lost the rest would be somebody else's folder.
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        }
        let mut text = String::new();
        // Never long: what else stands there is no mark.
        (&mut file).take(1024).read_to_string(&mut text).map_err(failed)?;
        // A power cut may keep the length of what was written, and no more.
        text.truncate(text.trim_end_matches('\0').len());
        Ok((Self { file }, text))
    }

    /// Says that an import is on its way, durably: no server starts here before it is done.
    pub(super) fn begin_import(&self) -> io::Result<()> {
        self.file.write_all_at(importing().as_bytes(), 0)?;
        self.file.sync_all()
    }

    /// Writes what the file says. Always of the same length and within one sector, so that no half of it can be read.
    pub(super) fn write(&self, marked: Marked) -> io::Result<()> {
        self.file.write_all_at(render(marked).as_bytes(), 0)
    }

    /// The same, durably.
    pub(super) fn write_and_sync(&self, marked: Marked) -> io::Result<()> {
        self.write(marked)?;
        self.file.sync_all()
    }

    /// Says that the file of what was promised is not to be trusted any more. Without a sync: what ends the system ends
    /// what it holds for written too.
    pub(super) fn distrust(&self, marked: Marked) {
        if let Err(cause) = self.write(Marked { is_distrusted: true, ..marked }) {
            tracing::warn!(%cause, "a start will not know that the store has failed");
        }
    }
}

pub(super) fn has_content(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        if entry?.file_name() != NOT_OURS_BUT_HARMLESS {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How the store is in use, and the words for it: while its file is trusted, and when it is not.
const IN_USE: [(Option<Durability>, [&str; 2]); 3] = [
    (None, ["closed  ", "failed c"]),
    (Some(Durability::Fsync), ["fsync   ", "failed f"]),
    (Some(Durability::Periodic), ["periodic", "failed p"]),
];

fn render(marked: Marked) -> String {
    let Marked { in_use, is_distrusted, commits, generation, tally } = marked;
    let (_, words) = IN_USE.iter().find(|(known, _)| *known == in_use).expect("every state has its words");
    let in_use = words[usize::from(is_distrusted)];
    let begin = format!("{TITLE}{FORMAT}\nin use {in_use}\ncommits {commits:020}\n");
    let Some(Tally { records, bytes, sum }) = tally else { return begin };
    format!("{begin}generation {generation:020}\nrecords {records:020}\nbytes {bytes:020}\nsum {sum:016x}\n")
}

/// [`IMPORTING`], as long as every other mark: what is written over it at the end changes no length, which a power cut
/// could keep from the disk.
fn importing() -> String {
    let tally = Some(Tally::default());
    let marked = Marked { in_use: None, is_distrusted: false, commits: 0, generation: 0, tally };
    let length = render(marked).len();
    format!("{IMPORTING:\0<length$}")
}

/// Which format the first line names.
fn format(text: &str) -> Option<u64> {
    let (first, _) = text.split_once('\n')?;
    first.strip_prefix(TITLE)?.parse().ok()
}

fn read_format_1(text: &str) -> Option<Marked> {
    let mut lines = text.strip_suffix('\n')?.split('\n');
    let mut field = |name: &str| lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let in_use_word = field("in use")?;
    let (in_use, [_, distrusted]) = *IN_USE.iter().find(|(_, words)| words.contains(&in_use_word))?;
    let is_distrusted = in_use_word == distrusted;
    let commits = field("commits")?.parse().ok()?;
    let Some(generation) = field("generation") else {
        // An earlier version's, which says no more.
        return Some(Marked { in_use, is_distrusted, commits, generation: 0, tally: None });
    };
    let tally = Tally {
        records: field("records")?.parse().ok()?,
        bytes: field("bytes")?.parse().ok()?,
        sum: u64::from_str_radix(field("sum")?, 16).ok()?,
    };
    Some(Marked { in_use, is_distrusted, commits, generation: generation.parse().ok()?, tally: Some(tally) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Marked> {
        let (_, rest) = text.split_once('\n')?;
        (format(text)? == FORMAT).then(|| read_format_1(rest)).flatten()
    }

    const TALLY: Tally = Tally { records: 3, bytes: 700, sum: 0xfeed };
    const CLOSED: Marked = Marked { in_use: None, is_distrusted: false, commits: 1, generation: 7, tally: Some(TALLY) };

    #[test]
    fn a_mark_reads_as_it_was_written_and_never_changes_its_length() {
        for ((in_use, _), is_distrusted) in IN_USE.into_iter().flat_map(|used| [(used, false), (used, true)]) {
            for commits in [0, 42, u64::MAX] {
                let tally = Some(Tally { records: commits, bytes: commits, sum: commits });
                let marked = Marked { in_use, is_distrusted, commits, generation: commits, tally };
                let text = render(marked);
                assert_eq!(parse(&text), Some(marked));
                assert_eq!(text.len(), render(CLOSED).len());
                assert!(text.len() <= 512, "longer than a sector");
            }
        }
    }

    #[test]
    fn a_mark_of_a_file_that_is_not_trusted_promises_what_it_promised_before() {
        let folder = tempfile::tempdir().expect("a folder");
        for (in_use, _) in IN_USE {
            let marked = Marked { in_use, ..CLOSED };
            let (mark, _) = Mark::lock(folder.path()).expect("locked");
            mark.write(marked).expect("written");
            mark.distrust(marked);
            drop(mark);
            let (_, read) = Mark::lock(folder.path()).expect("locked");
            assert_eq!(read, Some(Marked { is_distrusted: true, ..marked }));
        }
    }

    #[test]
    fn what_is_said_of_an_import_is_as_long_as_what_is_written_over_it() {
        let text = importing();
        assert_eq!(text.len(), render(CLOSED).len());
        assert_eq!(text.trim_end_matches('\0'), IMPORTING);
    }

    #[test]
    fn a_mark_of_an_earlier_version_names_the_first_folder() {
        let text = format!("{TITLE}1\nin use fsync   \ncommits 00000000000000000042\n");
        let in_use = Some(Durability::Fsync);
        let marked = Marked { in_use, is_distrusted: false, commits: 42, generation: 0, tally: None };
        assert_eq!(parse(&text), Some(marked));
        // This version may have noted in it that a sync has failed.
        let marked = Marked { is_distrusted: true, ..marked };
        assert_eq!(parse(&render(marked)), Some(marked));
        assert_eq!(render(marked).len(), text.len());
    }

    #[test]
    fn another_format_and_a_mark_that_was_cut_off_are_no_mark() {
        let text = render(CLOSED);
        assert_eq!(parse(&text.replace("format 1", "format 2")), None);
        let old = text.find("generation").expect("there");
        for end in (0..text.len()).filter(|end| *end != old) {
            assert_eq!(parse(&text[..end]), None, "{end}");
        }
    }

    #[test]
    fn a_lock_that_is_given_back_within_the_waits_is_taken_and_another_one_is_not_waited_for_any_longer() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || File::create(folder.path().join(NAME)).expect("a file");
        let (mut holder, ours) = (Some(open()), open());
        flock(holder.as_ref().expect("open"), FlockOperation::NonBlockingLockExclusive).expect("nobody has it");

        let mut waits = 0;
        assert_eq!(lock_patiently(&ours, || waits += 1), Err(Errno::WOULDBLOCK));
        assert_eq!(waits, LOCK_WAITS);

        let mut waits = 0;
        let give_back_at_last = || {
            waits += 1;
            if waits == LOCK_WAITS {
                holder = None;
            }
        };
        assert_eq!(lock_patiently(&ours, give_back_at_last), Ok(()));
    }

    #[test]
    fn a_file_whose_name_was_removed_or_given_to_another_is_not_the_mark_any_more() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(NAME);
        let file = File::create(&path).expect("a file");
        let is_mark = || is_named(&file, &path).expect("known");
        assert!(is_mark());
        fs::remove_file(&path).expect("removed");
        assert!(!is_mark());
        File::create(&path).expect("another");
        assert!(!is_mark());
    }
}
