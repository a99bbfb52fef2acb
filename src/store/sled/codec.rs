//! How a record is written: one byte that names the format, then postcard.
//!
//! What is read may be anything: bytes of another format, cut off or too long are an error, never a panic and never a
//! record.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sled::IVec;

/// The format that is written. A record of another one is refused until code for it is here.
const FORMAT: u8 = 1;

/// The most that one record may take, in bytes: what bounds a batch, and what a person's grants can cost.
pub(super) const LARGEST_RECORD: usize = 4096;

/// In how many bytes a grant or a code usually has room, so that what it is written into need not grow.
const USUAL_RECORD: usize = 512;

/// Why a record cannot be written or read. Says nothing of what stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadRecord {
    #[error("a record would take {0} bytes, more than {LARGEST_RECORD}")]
    TooLarge(usize),
    #[error("a record is empty")]
    Empty,
    #[error("a record has format {0}, which this version does not know")]
    UnknownFormat(u8),
    #[error("a record is malformed")]
    Malformed,
}

/// The bytes of a record.
pub(super) fn encode<R: Serialize>(record: &R) -> Result<IVec, BadRecord> {
    let mut bytes = Vec::with_capacity(USUAL_RECORD);
    bytes.push(FORMAT);
    let bytes = postcard::to_extend(record, bytes).map_err(|_| BadRecord::Malformed)?;
    if bytes.len() > LARGEST_RECORD {
        return Err(BadRecord::TooLarge(bytes.len()));
    }
    Ok(IVec::from(bytes))
}

/// The record of these bytes, all of them.
pub(super) fn decode<R: DeserializeOwned>(bytes: &[u8]) -> Result<R, BadRecord> {
    let (format, body) = bytes.split_first().ok_or(BadRecord::Empty)?;
    if *format != FORMAT {
        return Err(BadRecord::UnknownFormat(*format));
    }
    match postcard::take_from_bytes(body) {
        Ok((record, [])) => Ok(record),
        Ok(_) | Err(_) => Err(BadRecord::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::foundation::clock::Timestamp;

    type Record = (Timestamp, String, Option<u32>);

    fn record() -> Record {
        (Timestamp::from_seconds(7), "alice".to_owned(), Some(3))
    }

    #[test]
    fn a_record_reads_as_it_was_written() {
        let bytes = encode(&record()).expect("written");
        assert_eq!(bytes[0], 1);
        assert_eq!(decode::<Record>(&bytes), Ok(record()));
    }

    #[test]
    fn what_is_cut_off_too_long_or_of_another_format_is_refused() {
        let bytes = encode(&record()).expect("written");
        for end in 1..bytes.len() {
            assert_eq!(decode::<Record>(&bytes[..end]), Err(BadRecord::Malformed), "{end}");
        }
        assert_eq!(decode::<Record>(&[&bytes[..], &[0]].concat()), Err(BadRecord::Malformed));
        assert_eq!(decode::<Record>(&[]), Err(BadRecord::Empty));
        assert_eq!(decode::<Record>(&[&[2], &bytes[1..]].concat()), Err(BadRecord::UnknownFormat(2)));
    }

    #[test]
    fn a_record_beyond_the_limit_is_not_written() {
        let fits = "a".repeat(LARGEST_RECORD - 3);
        assert_eq!(encode(&fits).map(|bytes| bytes.len()), Ok(LARGEST_RECORD));
        assert_eq!(encode(&(fits + "a")), Err(BadRecord::TooLarge(LARGEST_RECORD + 1)));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode::<Record>(&bytes);
            let _ = decode::<crate::tokens::grant::Grant>(&[&[FORMAT], &bytes[..]].concat());
            let _ = decode::<crate::authorize::code::AuthorizationCode>(&[&[FORMAT], &bytes[..]].concat());
        }
    }
}
