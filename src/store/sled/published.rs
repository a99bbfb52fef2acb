//! Publications: one record a key that is published, by its `kid`, and one of the server that publishes them.

use std::collections::BTreeSet;

use sled::IVec;

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

/// The keys of all records of publications, and of those that this batch has removed.
fn published(view: &View<'_>) -> Result<BTreeSet<IVec>, Fault> {
    const SLICE: usize = 64;
    let mut found: BTreeSet<IVec> = view.touched(Kind::Published).cloned().collect();
    let mut from = Kind::Published.key(&[]);
    loop {
        let slice = view.following(&from, SLICE)?;
        let is_last = slice.len() < SLICE;
        for (key, _) in slice {
            if Kind::of(&key) != Some(Kind::Published) {
                return Ok(found);
            }
            from.clone_from(&key);
            found.insert(key);
        }
        if is_last {
            return Ok(found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::batch::Batch;
    use super::*;
    use crate::foundation::clock::Timestamp;

    fn kept(kids: &[&str]) -> Kept {
        const THEN: Timestamp = Timestamp::from_seconds(1);
        let key = |kid: &&str| PublishedKey {
            kid: (*kid).to_owned(),
            digest: [0; 32],
            first_published: THEN,
            known_from: THEN,
            tokens_until: None,
            is_signing: false,
        };
        Kept { served: None, keys: kids.iter().map(key).collect() }
    }

    #[test]
    fn a_step_sees_what_those_before_it_in_its_batch_have_kept() {
        let tree = sled::Config::new().temporary(true).flush_every_ms(None).open().expect("it opens");
        tree.insert(Kind::Published.key(b"a"), codec::encode(&kept(&["a"]).keys[0]).expect("encoded")).expect("put");
        let mut batch = Batch::new(&tree);
        for kids in [&["a", "b"][..], &["b", "c"], &["c"]] {
            let mut step = batch.view();
            keep(&mut step, &kept(kids)).expect("kept");
            let own = step.into_writes();
            batch.add(own);
            assert_eq!(publications(&mut batch.view()).expect("read"), kept(kids));
        }
    }
}
