//! Publications: one record a key that is published, by its `kid`, and one of the server that publishes them.

use super::SledStore;
use super::batch::View;
use super::codec;
use super::records::{Fault, Kind, Records as _};
use crate::foundation::storage::Stored;
use crate::keys::history::{Kept, PublishedKey};
use crate::keys::store::PublicationStore;

impl PublicationStore for SledStore {
    fn publications(&self) -> Stored<'_, Kept> {
        Box::pin(self.make(publications))
    }

    fn keep_publications(&self, publications: Kept) -> Stored<'_, ()> {
        Box::pin(self.make(move |view| keep(view, &publications)))
    }
}

fn publications(view: &mut View<'_>) -> Result<Kept, Fault> {
    let mut keys = Vec::new();
    for key in published(view)? {
        let record = view.bytes(&key)?;
        let published = record.as_deref().map(codec::decode).transpose();
        keys.extend(published.map_err(|cause| Fault::unreadable(&key, cause))?);
    }
    Ok(Kept { served: view.get(Kind::Served, &[])?, keys })
}

fn keep(view: &mut View<'_>, publications: &Kept) -> Result<(), Fault> {
    for key in published(view)? {
        view.remove_key(key);
    }
    for key in &publications.keys {
        view.put::<PublishedKey>(Kind::Published, key.kid.as_bytes(), key)?;
    }
    match &publications.served {
        Some(served) => view.put(Kind::Served, &[], served)?,
        None => view.remove(Kind::Served, &[]),
    }
    Ok(())
}

/// The keys of all records of publications.
fn published(view: &View<'_>) -> Result<Vec<sled::IVec>, Fault> {
    const SLICE: usize = 64;
    let mut found = Vec::new();
    let mut from = Kind::Published.key(&[]);
    loop {
        let slice = view.following(&from, SLICE)?;
        let is_last = slice.len() < SLICE;
        for (key, _) in slice {
            if Kind::of(&key) != Some(Kind::Published) {
                return Ok(found);
            }
            from.clone_from(&key);
            found.push(key);
        }
        if is_last {
            return Ok(found);
        }
    }
}
