//! The store as a file (see [`backup`](crate::store::backup)), a slice at a time: memory holds one slice, and no batch waits
//! for longer than one is read.

use std::ops::Bound;
use std::sync::Arc;

use sled::IVec;

use super::records::{Fault, Kind};
use super::{SledStore, codec, durable, grants};
use crate::foundation::storage::{Export, ExportStore, Origin, StoreUnavailable, Stored};
use crate::keys::store::PublicationStore as _;
use crate::store::backup::{Record, Writer};

/// How many records are read in one go. No batch can begin or end meanwhile, so they are few.
const SLICE: usize = 128;

impl ExportStore for SledStore {
    fn export(self: Arc<Self>, origin: Origin) -> Box<dyn Export> {
        Box::new(Exporting { store: self, next: Next::First(origin) })
    }
}

/// A file that is being written.
struct Exporting {
    store: Arc<SledStore>,
    next: Next,
}

/// What comes next.
enum Next {
    First(Origin),
    /// The records after this key.
    Slice(Writer, IVec),
    Last(Writer),
    Nothing,
}

impl Export for Exporting {
    fn next(&mut self) -> Stored<'_, Option<Vec<u8>>> {
        Box::pin(async move {
            // Where this fails there is no way on.
            let (part, next) = match std::mem::replace(&mut self.next, Next::Nothing) {
                Next::First(origin) => {
                    let (mut writer, mut part) = Writer::begin(&origin);
                    // In one step: they belong together.
                    let publications = self.store.publications().await?;
                    part.append(&mut writer.records([Record::Publications(publications)]));
                    (part, Next::Slice(writer, IVec::default()))
                }
                Next::Slice(mut writer, from) => {
                    let (records, reached) = self.slice(&from).await?;
                    let part = writer.records(records);
                    let next = match reached {
                        Some(reached) => Next::Slice(writer, reached),
                        None => Next::Last(writer),
                    };
                    (part, next)
                }
                Next::Last(writer) => (writer.end(), Next::Nothing),
                Next::Nothing => return Ok(None),
            };
            self.next = next;
            Ok(Some(part))
        })
    }
}

impl Exporting {
    /// The records of one slice after this key, and the key that was reached; none: this was the last.
    async fn slice(&self, from: &[u8]) -> Result<(Vec<Record>, Option<IVec>), StoreUnavailable> {
        self.store.read(|records| slice(records, from)).await
    }
}

fn slice(records: &durable::Tree, from: &[u8]) -> Result<(Vec<Record>, Option<IVec>), Fault> {
    let (mut found, mut reached, mut seen) = (Vec::new(), None, 0);
    for entry in records.tree().range::<&[u8], _>((Bound::Excluded(from), Bound::Unbounded)).take(SLICE) {
        let (key, value) = entry?;
        seen += 1;
        if seen == SLICE {
            reached = Some(key.clone());
        }
        // What a batch that is on its way removes is over, or it is a code.
        let Some(value) = records.durable_of(&key, value) else { continue };
        found.extend(record(records, &key, &value)?);
    }
    Ok((found, reached))
}

/// The record of a key and its value, where it goes into the file.
fn record(records: &durable::Tree, key: &[u8], value: &[u8]) -> Result<Option<Record>, Fault> {
    let bad = |cause| Fault::unreadable(key, cause);
    let malformed = || bad(codec::BadRecord::Malformed);
    let Some(kind) = Kind::of(key) else {
        return if key == super::records::COMMITS { Ok(None) } else { Err(malformed()) };
    };
    let name = key.get(1..).unwrap_or_default();
    Ok(match kind {
        // The first two are no part of a backup; the others are in it as one.
        Kind::Code | Kind::Recovered | Kind::Published | Kind::Served => None,
        // One that was ended with its subject is revoked in the file too.
        Kind::Grant => Some(Record::Grant(grants::with_end_of_subject(records, codec::decode(value).map_err(bad)?)?)),
        Kind::EndedSession => {
            let sid = name.try_into().map_err(|_| malformed())?;
            Some(Record::EndedSession { sid, until: codec::decode(value).map_err(bad)? })
        }
        Kind::Once => {
            let digest = name.try_into().map_err(|_| malformed())?;
            Some(Record::ShownOnce { digest, until: codec::decode(value).map_err(bad)? })
        }
        Kind::ValidFrom => {
            let subject = std::str::from_utf8(name).map_err(|_| malformed())?;
            let subject = (!subject.is_empty()).then(|| subject.into());
            Some(Record::ValidFrom { subject, at: codec::decode(value).map_err(bad)? })
        }
    })
}
