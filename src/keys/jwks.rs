//! The public key set (RFC 7517 §5), rendered once for each time span in which it stays the same.
//!
//! Which keys are published follows from the clock alone, so all sets that there will ever be are known when the keys
//! are. A request finds its set with a comparison, and servers with the same keys give the same bytes and `ETag`.

use std::time::Duration;

use bytes::Bytes;

use super::jwk::{Jwk, JwkSet, VerificationKeys};
use crate::foundation::base64url;
use crate::foundation::clock::Timestamp;
use crate::foundation::digest::sha256;

/// A key set as it is served.
#[derive(Debug, Clone)]
pub struct RenderedKeySet {
    body: Bytes,
    etag: Bytes,
    cache_control: Bytes,
}

impl RenderedKeySet {
    fn new(jwks: Vec<Jwk>, max_age: Duration) -> Self {
        let body = serde_json::to_vec(&JwkSet { keys: jwks }).expect("public keys are JSON");
        // RFC 9110 §8.8.3: a strong validator, in quotation marks.
        let etag = format!("\"{}\"", base64url::encode(sha256(&body)));
        let cache_control = format!("public, max-age={}", max_age.as_secs());
        Self { body: body.into(), etag: etag.into(), cache_control: cache_control.into() }
    }

    /// The JSON text; a clone shares it.
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// The strong `ETag`, in its quotation marks.
    pub const fn etag(&self) -> &Bytes {
        &self.etag
    }

    /// The `Cache-Control`: how long a verifier may go on using the set.
    pub const fn cache_control(&self) -> &Bytes {
        &self.cache_control
    }
}

/// What is published during one span of time.
#[derive(Debug)]
pub(super) struct Published {
    from: Timestamp,
    /// The set for others.
    pub(super) rendered: RenderedKeySet,
    /// The same keys for ourselves.
    pub(super) keys: VerificationKeys,
}

/// Everything that is published, and when.
#[derive(Debug)]
pub(super) struct Timeline(Vec<Published>);

impl Timeline {
    /// Renders what `published` gives at the beginning of time and at each of `changes`, which are in order.
    pub(super) fn new<'a, P>(changes: &[Timestamp], max_age: Duration, published: impl Fn(Timestamp) -> P) -> Self
    where
        P: Iterator<Item = &'a Jwk>,
    {
        let mut spans: Vec<Published> = Vec::new();
        for from in [Timestamp::default()].into_iter().chain(changes.iter().copied()) {
            let jwks: Vec<Jwk> = published(from).cloned().collect();
            let keys = jwks.iter().collect();
            let rendered = RenderedKeySet::new(jwks, max_age);
            if spans.last().is_none_or(|last| last.rendered.etag != rendered.etag) {
                spans.push(Published { from, rendered, keys });
            }
        }
        Self(spans)
    }

    /// What is published at `now`.
    pub(super) fn at(&self, now: Timestamp) -> &Published {
        self.0.iter().rfind(|span| span.from <= now).expect("the first span starts with time itself")
    }
}
