//! What may be shown once: one record a digest, which says until when it is kept.

use super::SledStore;
use super::batch::View;
use super::records::{Fault, Kind, Records as _};
use crate::foundation::clock::Timestamp;
use crate::foundation::digest::SHA256_BYTES;
use crate::foundation::once::{OnceStore, Remembered};
use crate::foundation::storage::Stored;

impl OnceStore for SledStore {
    fn remember_once(&self, digest: [u8; SHA256_BYTES], until: Timestamp, now: Timestamp) -> Stored<'_, Remembered> {
        Box::pin(self.make(move |view| remember(view, &digest, until, now)))
    }
}

fn remember(
    view: &mut View<'_>,
    digest: &[u8; SHA256_BYTES],
    until: Timestamp,
    now: Timestamp,
) -> Result<Remembered, Fault> {
    // The sweeper comes when it comes: what is over is as good as swept.
    if view.get::<Timestamp>(Kind::Once, digest)?.is_some_and(|kept_until| now < kept_until) {
        return Ok(Remembered::Before);
    }
    view.put(Kind::Once, digest, &until)?;
    Ok(Remembered::Now)
}
