//! What sled would change of its file when it opens it, kept until it is known whether it was right to.
//!
//! sled takes damage for the torn end of its log: it stops reading there and overwrites what comes after. Only afterwards
//! can it be judged whether something is gone that was promised. So what it might overwrite is copied before. That is
//! little: the segments that were being written when all ended, and those in which something is not as sled writes it.
//! Reading the rest of the log once more, which tells them apart, is cheap; copying all of it was not.
//!
//! The snapshots are kept with them, for they belong together: sled empties segments of which a snapshot says that nothing
//! lives in them, and a log with such gaps cannot be read without that snapshot, nor with one that is older or newer.
//!
//! Which records they are of stands in the copy. Where the mark names others when all begins anew, nothing was answered from
//! those, and what was kept of them is of no use, least of all to the others.
//!
//! The format of the log is that of sled 0.34.7: segments of 512 KiB; at the head of each a checksum, its place in the log
//! and how far the log was written by then; then messages, each with a checksum, kind, length, segment and page.
//! Should this misread one, too little is copied, and a damaged file is refused all the same.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// sled's part of a log, in bytes.
const SEGMENT: u64 = 512 * 1024;

/// The head of a segment, in bytes.
const HEAD: usize = 20;

/// Where no message fits any more, in bytes before the end of a segment.
const SMALLEST_REST: usize = 32;

/// How many segments before the last known end of the log may hold its torn end: a batch takes far less than one.
const SEGMENTS_OF_AN_END: u64 = 2;

const KIND_TORN: u8 = 0;
const KIND_CAP: u8 = 2;
const LAST_KIND: u8 = 11;

/// The copy.
const KEPT: &str = "before-opening";

/// The same while it is being written.
const KEPT_IN_PART: &str = "before-opening.part";

/// What the copy starts with.
const TITLE: &[u8; 16] = b"jotsmith parts 3";

/// What the names of sled's snapshots start with.
const SNAPSHOT: &str = "snap.";

/// Keeps a copy of what sled may overwrite of the database file of this generation.
pub(super) fn keep(folder: &Path, generation: u64, database: &Path) -> io::Result<()> {
    let file = match File::open(database) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let part = folder.join(KEPT_IN_PART);
    let kept = write_copy(&part, generation, &file, database.parent().unwrap_or(folder));
    // On the disk before it has the name by which it would be brought back: half a copy must never be.
    let kept = kept.and_then(|()| fs::rename(&part, folder.join(KEPT)));
    if kept.is_err() {
        // Where the disk is full it would only keep it full. The next opening removes it where this fails.
        let _ = remove_if_there(&part);
    }
    kept?;
    File::open(folder)?.sync_all()
}

/// Writes the copy, durably.
fn write_copy(part: &Path, generation: u64, file: &File, records: &Path) -> io::Result<()> {
    let mut to = BufWriter::new(File::create(part)?);
    to.write_all(TITLE)?;
    write_number(&mut to, generation)?;
    write_number(&mut to, file.metadata()?.len())?;
    let snapshots = snapshots(records)?;
    write_number(&mut to, snapshots.len() as u64)?;
    for snapshot in &snapshots {
        write_bytes(&mut to, snapshot.as_bytes())?;
        write_bytes(&mut to, &fs::read(records.join(snapshot))?)?;
    }
    let mut buffer = Vec::new();
    for place in endangered(file, snapshot_end(&snapshots))? {
        read_segment(file, place, &mut buffer)?;
        write_number(&mut to, place)?;
        write_bytes(&mut to, &buffer)?;
    }
    to.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

/// Removes the copy.
pub(super) fn forget(folder: &Path) -> io::Result<()> {
    remove_if_there(&folder.join(KEPT))
}

/// Brings back what an opening of this generation left behind that did not end well. Nothing was answered since it was made.
/// What one of another generation left is removed.
pub(super) fn put_back(folder: &Path, generation: u64, database: &Path) -> io::Result<()> {
    remove_if_there(&folder.join(KEPT_IN_PART))?;
    let kept = folder.join(KEPT);
    let file = match File::open(&kept) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let mut from = BufReader::new(file);
    let mut title = [0; TITLE.len()];
    from.read_exact(&mut title)?;
    if title != *TITLE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} is none of this version", kept.display())));
    }
    let kept_of = number(&mut from)?;
    if kept_of != generation {
        tracing::warn!(folder = %folder.display(), kept_of, generation, "a copy of records that do not count is removed");
        fs::remove_file(kept)?;
        return File::open(folder)?.sync_all();
    }
    let to = OpenOptions::new().write(true).open(database)?;
    to.set_len(number(&mut from)?)?;
    let records = database.parent().unwrap_or(folder);
    put_snapshots_back(&mut from, records)?;
    while let Some(place) = next_number(&mut from)? {
        to.write_all_at(&bytes(&mut from)?, place)?;
    }
    to.sync_all()?;
    // What stands here may be done again from its beginning, as long as the copy is there.
    File::open(records)?.sync_all()?;
    fs::remove_file(kept)?;
    File::open(folder)?.sync_all()
}

/// Removes a file, if it is there.
pub(super) fn remove_if_there(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
        _ => Ok(()),
    }
}

fn number(from: &mut impl io::Read) -> io::Result<u64> {
    next_number(from)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

fn next_number(from: &mut impl io::Read) -> io::Result<Option<u64>> {
    let mut bytes = [0; 8];
    match from.read_exact(&mut bytes) {
        Ok(()) => Ok(Some(u64::from_le_bytes(bytes))),
        Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(cause) => Err(cause),
    }
}

/// The snapshots that were there when the copy was made, and no other.
fn put_snapshots_back(from: &mut impl io::Read, records: &Path) -> io::Result<()> {
    for name in snapshots(records)? {
        fs::remove_file(records.join(name))?;
    }
    for _ in 0..number(from)? {
        let name = String::from_utf8(bytes(from)?).map_err(|_| io::ErrorKind::InvalidData)?;
        let mut file = File::create(records.join(name))?;
        file.write_all(&bytes(from)?)?;
        file.sync_all()?;
    }
    Ok(())
}

/// The names of sled's snapshots, also of one that was not finished.
fn snapshots(records: &Path) -> io::Result<Vec<String>> {
    let names = fs::read_dir(records)?.map(|entry| entry.map(|entry| entry.file_name().into_string()));
    let names: io::Result<Vec<_>> = names.collect();
    Ok(names?.into_iter().flatten().filter(|name| name.starts_with(SNAPSHOT)).collect())
}

/// Up to which place in the log the latest snapshot knows all; it stands in its name.
fn snapshot_end(snapshots: &[String]) -> u64 {
    let ends = snapshots.iter().filter_map(|name| u64::from_str_radix(name.strip_prefix(SNAPSHOT)?, 16).ok());
    ends.max().unwrap_or(0)
}

fn write_number(to: &mut impl io::Write, number: u64) -> io::Result<()> {
    to.write_all(&number.to_le_bytes())
}

/// Their number, and the bytes.
fn write_bytes(to: &mut impl io::Write, bytes: &[u8]) -> io::Result<()> {
    write_number(to, bytes.len() as u64)?;
    to.write_all(bytes)
}

/// What [`write_bytes`] wrote.
fn bytes(from: &mut impl io::Read) -> io::Result<Vec<u8>> {
    let length = number(from)?;
    let mut bytes = Vec::new();
    from.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// The places in the file of the segments that sled may overwrite though something lives in them, where it reads the log
/// from `from` on.
fn endangered(file: &File, from: u64) -> io::Result<Vec<u64>> {
    let mut endangered = Vec::new();
    let mut read_by_sled = Vec::new();
    let mut buffer = Vec::new();
    for place in (0..file.metadata()?.len()).step_by(usize::try_from(SEGMENT).unwrap_or(usize::MAX)) {
        match head(file, place)? {
            Some(head) if head.begin >= from / SEGMENT * SEGMENT => read_by_sled.push((place, head)),
            Some(_) => {}
            None => {
                read_segment(file, place, &mut buffer)?;
                if buffer.iter().any(|byte| *byte != 0) {
                    endangered.push(place);
                }
            }
        }
    }
    let end = read_by_sled.iter().map(|(_, head)| head.end).max().unwrap_or(0);
    let begin_of_end = (end / SEGMENT).saturating_sub(SEGMENTS_OF_AN_END) * SEGMENT;
    for (place, head) in read_by_sled {
        let is_at_end = head.begin >= begin_of_end;
        if !is_at_end {
            read_segment(file, place, &mut buffer)?;
        }
        if is_at_end || !is_whole(&buffer, head.begin / SEGMENT) {
            endangered.push(place);
        }
    }
    Ok(endangered)
}

/// What the head of a segment says.
#[derive(Debug, Clone, Copy)]
struct Head {
    /// Its own place in the log.
    begin: u64,
    /// How far the log was written when the segment was begun.
    end: u64,
}

fn head(file: &File, place: u64) -> io::Result<Option<Head>> {
    let mut bytes = [0; HEAD];
    match file.read_exact_at(&mut bytes, place) {
        Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let (sum, rest) = bytes.split_at(4);
    if u32_of(sum) != !crc32fast::hash(rest) {
        return Ok(None);
    }
    let place_of = |bytes: &[u8]| u64_of(bytes) ^ 0x7FFF_FFFF_FFFF_FFFF;
    // Where nothing was written yet it is minus one.
    let end = i64::try_from(place_of(&rest[8..])).ok().and_then(|end| u64::try_from(end).ok()).unwrap_or(0);
    Ok(Some(Head { begin: place_of(&rest[..8]), end }))
}

fn read_segment(file: &File, place: u64, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.resize(usize::try_from(SEGMENT).unwrap_or_default(), 0);
    let mut read = 0;
    while read < buffer.len() {
        match file.read_at(&mut buffer[read..], place + read as u64)? {
            0 => break,
            bytes => read += bytes,
        }
    }
    buffer.truncate(read);
    Ok(())
}

/// Whether every message in a segment of this number is as it was written, up to where sled ended it.
fn is_whole(segment: &[u8], number: u64) -> bool {
    let mut rest = segment.get(HEAD..).unwrap_or_default();
    while rest.len() >= SMALLEST_REST {
        match message(rest, number) {
            Some((KIND_CAP, _)) => return true,
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    segment.len() as u64 == SEGMENT
}

/// The kind of the message that these bytes begin with, and what comes after it; none, where it is not one of this
/// segment, or not as it was written.
fn message(bytes: &[u8], segment: u64) -> Option<(u8, &[u8])> {
    let (sum, rest) = bytes.split_at_checked(4)?;
    let (kind, after_kind) = rest.split_first()?;
    let (length, after_length) = varint(after_kind)?;
    let (number, after_number) = varint(after_length)?;
    let (_page, body) = varint(after_number)?;
    let (body, after) = body.split_at_checked(usize::try_from(length).ok()?)?;
    let header = &rest[..rest.len() - body.len() - after.len()];
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(body);
    hasher.update(header);
    let is_sound = !hasher.finalize() == u32_of(sum) && number == segment && (KIND_TORN + 1..=LAST_KIND).contains(kind);
    is_sound.then_some((*kind, after))
}

/// sled's numbers of one to nine bytes, and what comes after.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let first = u64::from(*first);
    let (length, base) = match first {
        0..=240 => return Some((first, rest)),
        241..=248 => {
            let (second, rest) = rest.split_first()?;
            return Some((240 + 256 * (first - 241) + u64::from(*second), rest));
        }
        249 => {
            let (two, rest) = rest.split_at_checked(2)?;
            return Some((2288 + 256 * u64::from(two[0]) + u64::from(two[1]), rest));
        }
        _ => (usize::try_from(first - 247).ok()?, [0; 8]),
    };
    let (number, rest) = rest.split_at_checked(length)?;
    let mut bytes = base;
    bytes[..length].copy_from_slice(number);
    Some((u64::from_le_bytes(bytes), rest))
}

fn u32_of(bytes: &[u8]) -> u32 {
    bytes.try_into().map_or(0, u32::from_le_bytes)
}

fn u64_of(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use std::path::PathBuf;

    use super::*;

    /// A log of a few segments that sled wrote.
    fn log() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let tree = sled::Config::new().path(folder.path()).flush_every_ms(None).open().expect("it opens");
        for number in 0..30_000_u32 {
            tree.insert(number.to_be_bytes(), vec![7; 200]).expect("inserted");
        }
        tree.flush().expect("flushed");
        drop(tree);
        let database = folder.path().join("db");
        (folder, database)
    }

    #[test]
    fn of_a_log_as_sled_writes_it_only_the_end_is_kept() {
        let (_folder, database) = log();
        let file = File::open(&database).expect("there");
        let segments = file.metadata().expect("there").len() / SEGMENT;
        assert!(segments > 20, "{segments}");
        let kept = endangered(&file, 0).expect("readable");
        assert!((1..=6).contains(&kept.len()), "{kept:?} of {segments}");
    }

    #[test]
    fn a_segment_in_which_anything_is_not_as_it_was_written_is_kept() {
        let (_folder, database) = log();
        let whole = fs::read(&database).expect("readable");
        let segment = usize::try_from(SEGMENT).expect("small");
        for place in [0, 5, 12, 19, 20, 25, 3000, 100_000, 400_000] {
            let mut spoilt = whole.clone();
            spoilt[segment + place] ^= 4;
            fs::write(&database, spoilt).expect("written");
            let kept = endangered(&File::open(&database).expect("there"), 0).expect("readable");
            assert!(kept.contains(&SEGMENT), "a bit at {place} of the second segment: {kept:?}");
        }
    }

    #[test]
    fn what_was_kept_comes_back_at_its_place_and_the_snapshots_with_it() {
        let (records, database) = log();
        let folder = tempfile::tempdir().expect("a folder");
        let whole = fs::read(&database).expect("readable");
        fs::write(records.path().join("snap.0000000000000010"), b"of then").expect("written");
        keep(folder.path(), 3, &database).expect("kept");
        let mut spoilt = whole.clone();
        for place in endangered(&File::open(&database).expect("there"), 0).expect("readable") {
            let place = usize::try_from(place).expect("small");
            spoilt[place..].iter_mut().take(1000).for_each(|byte| *byte = 0);
        }
        assert_ne!(spoilt, whole);
        spoilt.truncate(whole.len() - 100);
        fs::write(&database, spoilt).expect("written");
        fs::remove_file(records.path().join("snap.0000000000000010")).expect("removed");
        fs::write(records.path().join("snap.0000000000000020"), b"of sled since").expect("written");
        put_back(folder.path(), 3, &database).expect("brought back");
        assert!(fs::read(&database).expect("readable") == whole, "something is not as it was");
        assert!(!records.path().join("snap.0000000000000020").exists());
        assert_eq!(fs::read(records.path().join("snap.0000000000000010")).expect("readable"), b"of then");

        fs::write(&database, b"of later").expect("written");
        put_back(folder.path(), 3, &database).expect("nothing there");
        assert_eq!(fs::read(&database).expect("readable"), b"of later", "it was brought back twice");
    }

    #[test]
    fn what_was_kept_of_other_records_is_removed_and_changes_none() {
        let (_records, database) = log();
        let (_others, other) = log();
        let folder = tempfile::tempdir().expect("a folder");
        keep(folder.path(), 2, &database).expect("kept");
        fs::write(&other, b"of the records that count").expect("written");
        put_back(folder.path(), 0, &other).expect("removed");
        assert_eq!(fs::read(&other).expect("readable"), b"of the records that count");
        assert!(!folder.path().join(KEPT).exists());
    }

    #[test]
    fn a_copy_that_cannot_be_kept_leaves_nothing() {
        let (_records, database) = log();
        let folder = tempfile::tempdir().expect("a folder");
        // What cannot be replaced by a file.
        fs::create_dir_all(folder.path().join(KEPT).join("in the way")).expect("made");
        assert!(keep(folder.path(), 3, &database).is_err());
        assert!(!folder.path().join(KEPT_IN_PART).exists());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = (message(&bytes, 3), varint(&bytes), is_whole(&bytes, 3));
        }
    }
}
