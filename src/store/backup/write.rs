//! Writes a backup: counts and digests what it gives out, for the last line.

use super::line;
use super::line::Record;
use crate::foundation::digest::Sha256;
use crate::foundation::storage::Origin;

/// A file that is being written.
pub(in crate::store) struct Writer {
    digest: Sha256,
    records: u64,
}

impl Writer {
    /// Begins a file: its first line.
    pub(in crate::store) fn begin(origin: &Origin) -> (Self, Vec<u8>) {
        let line = line::first(origin);
        let mut digest = Sha256::new();
        digest.update(&line);
        (Self { digest, records: 0 }, line)
    }

    /// The lines of some more records.
    pub(in crate::store) fn records(&mut self, records: impl IntoIterator<Item = Record>) -> Vec<u8> {
        let mut lines = Vec::new();
        for record in records {
            lines.append(&mut line::of_record(record));
            self.records += 1;
        }
        self.digest.update(&lines);
        lines
    }

    /// The last line, without which the file is refused.
    pub(in crate::store) fn end(self) -> Vec<u8> {
        line::last(self.records, self.digest.finish())
    }
}
