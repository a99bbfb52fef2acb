//! Reads a backup, line by line. Nothing is believed of it before the last line was found right: whoever takes records from
//! it undoes what came of them where it is refused.

use std::io::{self, BufRead, Read as _};

use super::line::{self, AnyFirst, BadLine, Header, Line, ReadLine, Record};
use crate::foundation::base64url;
use crate::foundation::digest::Sha256;
use crate::foundation::secret::is_equal;

/// The longest line, in bytes. A record has 4 KiB at most, JSON makes it some times as long; which keys were published is
/// one line.
const LONGEST_LINE: usize = 1 << 20;

/// Why a file is refused: to be read after its name.
#[derive(Debug, thiserror::Error)]
pub enum BackupRefused {
    /// It is something else.
    #[error("is no file that `jotsmith store export` has written: its first line does not say so")]
    NotABackup,
    /// Of a later version.
    #[error(
        "has format {format}, which this version does not know: import it with the version that wrote it, or a later one"
    )]
    UnknownFormat {
        /// Its format.
        format: u64,
    },
    /// A line is not as it was written.
    #[error("is damaged in line {line}: {what}; take another backup")]
    Damaged {
        /// Which line, from 1 on.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// It was not written to its end, or not copied.
    #[error(
        "was cut off after line {lines}: its last line, which says that it is whole, is missing; take another backup"
    )]
    CutOff {
        /// How many lines it has.
        lines: u64,
    },
    /// Something in it was changed.
    #[error("is damaged: its lines are not those that its last line counts and digests; take another backup")]
    Altered,
    /// It goes on after its end.
    #[error("goes on after the line that says that it is whole; take another backup")]
    TooLong,
    /// The operating system refuses.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// A file that was read to its end and found whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// What its first line says.
    pub header: Header,
    /// How many records it has.
    pub records: u64,
    /// How many of them are grants.
    pub grants: u64,
}

/// Where in the file the next line is.
enum Place {
    First,
    Within(Header, ReadLine),
    After(Whole),
}

/// Looks at one line after the other.
struct Scanner {
    place: Place,
    digest: Sha256,
    lines: u64,
    records: u64,
    grants: u64,
}

impl Scanner {
    fn new() -> Self {
        Self { place: Place::First, digest: Sha256::new(), lines: 0, records: 0, grants: 0 }
    }

    /// Takes a line with its end; the record that it is, if it is one.
    fn take(&mut self, line: &[u8]) -> Result<Option<Record>, BackupRefused> {
        match &self.place {
            Place::First => {
                let (header, read) = read_first(line)?;
                self.place = Place::Within(header, read);
                self.lines += 1;
                self.digest.update(line);
                Ok(None)
            }
            Place::Within(header, read) => {
                if line.is_empty() {
                    return Err(BackupRefused::CutOff { lines: self.lines });
                }
                self.lines += 1;
                let damaged = |what: &BadLine| BackupRefused::Damaged { line: self.lines, what: what.to_string() };
                let Some(text) = line.strip_suffix(b"\n") else {
                    return Err(BackupRefused::CutOff { lines: self.lines });
                };
                match read(text).map_err(|what| damaged(&what))? {
                    Line::Record(record) => {
                        self.records += 1;
                        self.grants += u64::from(matches!(record, Record::Grant(_)));
                        self.digest.update(line);
                        Ok(Some(record))
                    }
                    Line::End { records, sha256 } => {
                        let own = base64url::encode(self.digest.clone().finish());
                        if records != self.records || !is_equal(own.as_bytes(), sha256.as_bytes()) {
                            return Err(BackupRefused::Altered);
                        }
                        let whole = Whole { header: header.clone(), records, grants: self.grants };
                        self.place = Place::After(whole);
                        Ok(None)
                    }
                }
            }
            Place::After(_) if line.is_empty() => Ok(None),
            Place::After(_) => Err(BackupRefused::TooLong),
        }
    }

    const fn is_after(&self) -> bool {
        matches!(self.place, Place::After(_))
    }

    fn end(self) -> Result<Whole, BackupRefused> {
        match self.place {
            Place::After(whole) => Ok(whole),
            Place::First => Err(BackupRefused::NotABackup),
            Place::Within(..) => Err(BackupRefused::CutOff { lines: self.lines }),
        }
    }
}

/// What the first line says, and how the others are read.
fn read_first(line: &[u8]) -> Result<(Header, ReadLine), BackupRefused> {
    let text = line.strip_suffix(b"\n").ok_or(BackupRefused::NotABackup)?;
    let AnyFirst { header: any } = serde_json::from_slice(text).map_err(|_| BackupRefused::NotABackup)?;
    let read = line::reader_of(any.format).ok_or(BackupRefused::UnknownFormat { format: any.format })?;
    let header =
        line::read_first(text).ok_or_else(|| BackupRefused::Damaged { line: 1, what: BadLine::Json.to_string() })?;
    Ok((header, read))
}

/// A file whose records are taken.
pub struct Backup<R> {
    from: R,
    scanner: Scanner,
    header: Header,
    buffer: Vec<u8>,
}

impl<R: BufRead> Backup<R> {
    /// Reads the first line, and refuses what is not a backup of a format that is known.
    pub fn open(mut from: R) -> Result<Self, BackupRefused> {
        let mut buffer = Vec::new();
        let mut scanner = Scanner::new();
        read_line(&mut from, &mut buffer, 1)?;
        scanner.take(&buffer)?;
        match &scanner.place {
            Place::Within(header, _) => Ok(Self { from, header: header.clone(), scanner, buffer }),
            Place::First | Place::After(_) => Err(BackupRefused::NotABackup),
        }
    }

    /// What the first line says.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The number of the line that was last read.
    pub const fn line(&self) -> u64 {
        self.scanner.lines
    }

    /// The next record; none: there is no further one, and the file was found whole.
    pub fn next_record(&mut self) -> Result<Option<Record>, BackupRefused> {
        loop {
            read_line(&mut self.from, &mut self.buffer, self.scanner.lines + 1)?;
            match self.scanner.take(&self.buffer)? {
                Some(record) => return Ok(Some(record)),
                None if self.buffer.is_empty() && self.scanner.is_after() => return Ok(None),
                None => {}
            }
        }
    }
}

/// Reads a line with its end; empty where there is nothing more.
fn read_line(from: &mut impl BufRead, buffer: &mut Vec<u8>, line: u64) -> Result<(), BackupRefused> {
    buffer.clear();
    from.take(LONGEST_LINE as u64 + 1).read_until(b'\n', buffer)?;
    if buffer.len() > LONGEST_LINE { Err(too_long(line)) } else { Ok(()) }
}

fn too_long(line: u64) -> BackupRefused {
    if line == 1 {
        return BackupRefused::NotABackup;
    }
    BackupRefused::Damaged { line, what: format!("it is longer than {LONGEST_LINE} bytes") }
}

/// Looks at a file while it is written.
pub struct Check {
    scanner: Scanner,
    /// The beginning of a line whose end has not come yet.
    rest: Vec<u8>,
}

impl Default for Check {
    fn default() -> Self {
        Self { scanner: Scanner::new(), rest: Vec::new() }
    }
}

impl Check {
    /// Takes what comes next in the file.
    pub fn push(&mut self, mut part: &[u8]) -> Result<(), BackupRefused> {
        while let Some(end) = part.iter().position(|byte| *byte == b'\n') {
            let (line, after) = part.split_at(end + 1);
            part = after;
            self.bound(line)?;
            if self.rest.is_empty() {
                self.scanner.take(line)?;
            } else {
                self.rest.extend_from_slice(line);
                self.scanner.take(&self.rest)?;
                self.rest.clear();
            }
        }
        self.bound(part)?;
        self.rest.extend_from_slice(part);
        Ok(())
    }

    /// Refuses a line that is too long with this part of it.
    fn bound(&self, part: &[u8]) -> Result<(), BackupRefused> {
        if self.rest.len() + part.len() > LONGEST_LINE { Err(too_long(self.scanner.lines + 1)) } else { Ok(()) }
    }

    /// There is nothing more.
    pub fn finish(self) -> Result<Whole, BackupRefused> {
        match self.rest.as_slice() {
            [] => self.scanner.end(),
            _ if self.scanner.is_after() => Err(BackupRefused::TooLong),
            _ => Err(BackupRefused::CutOff { lines: self.scanner.lines }),
        }
    }
}
