//! The file that makes a folder a store: its lock, its format, and how much was promised.
//!
//! sled takes damage in the middle of its log for a torn end and silently forgets what comes after. So the number of the
//! last batch that was answered is written here, after its sync and without one of its own: it can lag behind what is
//! durable, never run ahead of it. A database that has fewer batches than this has lost something.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::FlockOperation;

use super::opening::OpenFailed;
use crate::store::Durability;

/// The name of the file.
pub(super) const NAME: &str = "jotsmith.store";

/// What the file starts with.
const TITLE: &str = "jotsmith store, format 1";

/// What an empty disk may hold.
const NOT_OURS_BUT_HARMLESS: &str = "lost+found";

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
    /// The number of the last batch that was answered.
    pub commits: u64,
}

impl Mark {
    /// Locks the store of this folder, and says what was left there; nothing, where no start has ever succeeded. A folder
    /// that holds anything else is left as it is.
    pub(super) fn lock(folder: &Path) -> Result<(Self, Option<Marked>), OpenFailed> {
        let failed = |cause| OpenFailed::io(folder, &cause);
        let is_ours = folder.join(NAME).exists();
        if !is_ours && has_content(folder).map_err(failed)? {
            return Err(OpenFailed::Foreign { folder: folder.to_owned() });
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(folder.join(NAME)).map_err(failed)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(OpenFailed::InUse { folder: folder.to_owned() }),
            Err(errno) => return Err(failed(errno.into())),
        }
        let mut text = String::new();
        // Never long: what else stands there is no mark.
        (&mut file).take(1024).read_to_string(&mut text).map_err(failed)?;
        // A first start that was cut short: it has promised nothing.
        let marked = if text.is_empty() {
            None
        } else {
            Some(parse(&text).ok_or_else(|| OpenFailed::UnknownFormat { file: folder.join(NAME) })?)
        };
        Ok((Self { file }, marked))
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
}

pub(super) fn has_content(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        if entry?.file_name() != NOT_OURS_BUT_HARMLESS {
            return Ok(true);
        }
    }
    Ok(false)
}

const IN_USE: [(Option<Durability>, &str); 3] =
    [(None, "closed  "), (Some(Durability::Fsync), "fsync   "), (Some(Durability::Periodic), "periodic")];

fn render(marked: Marked) -> String {
    let (_, in_use) = IN_USE.iter().find(|(in_use, _)| *in_use == marked.in_use).expect("every state has its word");
    format!("{TITLE}\nin use {in_use}\ncommits {:020}\n", marked.commits)
}

fn parse(text: &str) -> Option<Marked> {
    let rest = text.strip_prefix(TITLE)?.strip_prefix("\nin use ")?;
    let (in_use, rest) = rest.split_once('\n')?;
    let (in_use, _) = *IN_USE.iter().find(|(_, word)| *word == in_use)?;
    let commits = rest.strip_prefix("commits ")?.strip_suffix('\n')?.parse().ok()?;
    Some(Marked { in_use, commits })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_as_it_was_written_and_never_changes_its_length() {
        for (in_use, _) in IN_USE {
            for commits in [0, 42, u64::MAX] {
                let text = render(Marked { in_use, commits });
                assert_eq!(parse(&text), Some(Marked { in_use, commits }));
                assert_eq!(text.len(), render(Marked { in_use: None, commits: 0 }).len());
            }
        }
    }

    #[test]
    fn another_format_is_no_mark() {
        let text = render(Marked { in_use: None, commits: 1 });
        assert_eq!(parse(&text.replace("format 1", "format 2")), None);
        assert_eq!(parse(&text[..text.len() - 1]), None);
    }
}
