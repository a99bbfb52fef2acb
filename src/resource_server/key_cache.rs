//! The issuer's keys, kept: fetched once for all who wait, again before they are too old, and once more for a `kid` that
//! is not among them.
//!
//! | the set is | a request |
//! |---|---|
//! | fresh (RFC 9111 §4.2) | uses it; in the last fifth of its time one of them has it fetched anew in the background |
//! | stale | waits for a fetch; while the issuer is away uses the old one, and has another fetch tried in the background |
//! | older than the bound | is refused until a fetch succeeds: the keys may have been taken back |
//! | from the future, and the issuer is away | as older than the bound: the clock went back, so its age is not known |
//! | missing | waits for a fetch |
//!
//! The set is behind an atomic pointer: a request takes no lock. A fetch is a task of its own, so that a client who hangs
//! up ends no fetch that others wait for. An answer without a key that can be used is a fetch that failed. A `kid` that is
//! not there, which anybody can make up, costs no task while no fetch may begin and none is under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwapOption, Guard};
use tokio::sync::Mutex;

use super::freshness;
use super::http_fetcher::{Fetch, FetchFailed, FetchRequest};
use super::key_location::{KeyLocation, SafeUrl};
use crate::foundation::clock::{Clock, Timestamp};
use crate::keys::jwk::VerificationKeys;

/// How often a `kid` that nobody knows may lead to a fetch. Anybody can make one up.
const UNKNOWN_KEY_INTERVAL: Duration = Duration::from_secs(30);
/// How long after a fetch that failed the next one may begin.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);
/// How long the address from the metadata holds.
const LOCATION_LIFETIME: Duration = Duration::from_hours(24);

/// Why a fetch is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// There is no set that may be used.
    Missing,
    /// The set is old, or soon will be.
    Age,
    /// A token names a key that is not in it.
    UnknownKey,
}

/// A key set with its times.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) keys: VerificationKeys,
    url: SafeUrl,
    etag: Option<String>,
    lifetime: Duration,
    fetched_at: Timestamp,
}

/// What may be done with the set that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Fresh,
    /// Fresh, and to be fetched anew without anybody waiting.
    Ageing,
    /// To be fetched anew before it is used.
    Stale,
    /// As stale, but the issuer is away: used for now.
    StaleAndAway,
    Unusable,
}

/// The keys of one issuer.
pub(super) struct KeyCache {
    location: KeyLocation,
    fetcher: Box<dyn Fetch>,
    clock: Arc<dyn Clock>,
    keep_when_away: Duration,
    kept: ArcSwapOption<Kept>,
    /// When the last fetch began, in milliseconds since 1970; `NEVER` before the first.
    last_attempt: AtomicU64,
    has_failed: AtomicBool,
    /// How many fetches have ended.
    ended: AtomicU64,
    is_refreshing: Arc<AtomicBool>,
    is_flying: Arc<AtomicBool>,
    /// The address from the metadata, and when it was found. Held while a fetch is under way.
    flight: Mutex<Option<(SafeUrl, Timestamp)>>,
}

const NEVER: u64 = u64::MAX;

/// A flag that is up; it goes down also where what it stands for is aborted or panics.
struct Raised(Arc<AtomicBool>);

impl Raised {
    /// None where it is up already.
    fn raise(flag: &Arc<AtomicBool>) -> Option<Self> {
        (!flag.swap(true, Ordering::AcqRel)).then(|| Self(Arc::clone(flag)))
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl KeyCache {
    pub(super) fn new(
        location: KeyLocation,
        fetcher: Box<dyn Fetch>,
        clock: Arc<dyn Clock>,
        keep_when_away: Duration,
    ) -> Self {
        Self {
            location,
            fetcher,
            clock,
            keep_when_away,
            kept: ArcSwapOption::empty(),
            last_attempt: AtomicU64::new(NEVER),
            has_failed: AtomicBool::new(false),
            ended: AtomicU64::new(0),
            is_refreshing: Arc::default(),
            is_flying: Arc::default(),
            flight: Mutex::new(None),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What is there, without waiting.
    pub(super) fn load(&self) -> Guard<Option<Arc<Kept>>> {
        self.kept.load()
    }

    /// What may be done with a set at `now`.
    pub(super) fn state(&self, kept: &Kept, now: Timestamp) -> State {
        if now < kept.fetched_at {
            // A clock that went back says nothing about the age, so nothing says that the bound is kept.
            return if self.has_failed.load(Ordering::Acquire) { State::Unusable } else { State::Stale };
        }
        let age = now.since(kept.fetched_at);
        if age < kept.lifetime / 5 * 4 {
            State::Fresh
        } else if age < kept.lifetime {
            State::Ageing
        } else if age >= kept.lifetime.saturating_add(self.keep_when_away) {
            State::Unusable
        } else if self.has_failed.load(Ordering::Acquire) {
            State::StaleAndAway
        } else {
            State::Stale
        }
    }

    /// Has the set fetched anew without waiting, where that is not under way and may be tried.
    pub(super) fn refresh_in_background(self: &Arc<Self>, now: Timestamp) {
        if !self.may_try(Reason::Age, now) {
            return;
        }
        // Without a runtime nobody could run it: the set becomes stale, and the next request waits for a fetch.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let Some(refreshing) = Raised::raise(&self.is_refreshing) else { return };
        let own = Arc::clone(self);
        drop(runtime.spawn(async move {
            own.fly(Reason::Age).await;
            drop(refreshing);
        }));
    }

    /// Waits until the set was fetched anew, by this call or another one, or may not be fetched now.
    pub(super) async fn refresh(self: &Arc<Self>, reason: Reason) {
        // A fetch that may not begin is waited for only where it has begun.
        if !self.may_try(reason, self.clock.now()) && !self.is_flying.load(Ordering::Acquire) {
            return;
        }
        let own = Arc::clone(self);
        match tokio::runtime::Handle::try_current() {
            // A task that was aborted, for its runtime ends, leaves what was there.
            Ok(runtime) => drop(runtime.spawn(async move { own.fly(reason).await }).await),
            Err(_) => own.fly(reason).await,
        }
    }

    /// One fetch for all who want one at this time.
    async fn fly(&self, reason: Reason) {
        let seen = self.ended.load(Ordering::Acquire);
        let mut location = self.flight.lock().await;
        let now = self.clock.now();
        if self.ended.load(Ordering::Acquire) != seen || !self.may_try(reason, now) {
            return;
        }
        // Before the attempt can be seen: whoever sees it finds it under way or ended.
        let _flying = Raised::raise(&self.is_flying);
        self.last_attempt.store(now.as_millis(), Ordering::Release);
        let outcome = self.fetch(&mut location, now).await;
        self.has_failed.store(outcome.is_err(), Ordering::Release);
        match outcome {
            Ok(kept) => self.kept.store(Some(Arc::new(kept))),
            Err(reason) => {
                // Perhaps it has moved.
                *location = None;
                tracing::warn!(reason = %reason, "the issuer's keys cannot be fetched");
            }
        }
        self.ended.fetch_add(1, Ordering::AcqRel);
    }

    fn may_try(&self, reason: Reason, now: Timestamp) -> bool {
        let last = self.last_attempt.load(Ordering::Acquire);
        let interval = match reason {
            Reason::UnknownKey => UNKNOWN_KEY_INTERVAL,
            Reason::Missing | Reason::Age if self.has_failed.load(Ordering::Acquire) => RETRY_INTERVAL,
            Reason::Missing | Reason::Age => Duration::ZERO,
        };
        let last_attempt = Timestamp::from_millis(last);
        last == NEVER || now < last_attempt || now.since(last_attempt) >= interval
    }

    async fn fetch(&self, location: &mut Option<(SafeUrl, Timestamp)>, now: Timestamp) -> Result<Kept, FetchFailed> {
        let known = location.take().filter(|(_, found_at)| now.since(*found_at) < LOCATION_LIFETIME);
        let (url, found_at) = match known {
            Some(known) => known,
            None => (self.location.find(&*self.fetcher).await?, now),
        };
        *location = Some((url.clone(), found_at));
        let previous = self.kept.load_full().filter(|kept| kept.url == url);
        let if_none_match = previous.as_ref().and_then(|kept| kept.etag.as_deref());
        let answer = self.fetcher.fetch(FetchRequest { url: url.as_str(), if_none_match }).await?;
        let refused = |why: String| FetchFailed(format!("{}: {why}", url.as_str()));
        let said = freshness::said(answer.cache_control.as_deref(), answer.age.as_deref());
        match (answer.status, previous) {
            (200, _) => {
                let keys = VerificationKeys::from_json(&answer.body).map_err(|why| refused(why.to_string()))?;
                if keys.is_empty() {
                    return Err(refused("no key to verify with".to_owned()));
                }
                let lifetime = said.unwrap_or(freshness::default());
                Ok(Kept { keys, etag: answer.etag, lifetime, fetched_at: now, url })
            }
            // RFC 9110 §15.4.5.
            (304, Some(kept)) if kept.etag.is_some() => Ok(Kept {
                keys: kept.keys.clone(),
                etag: answer.etag.or_else(|| kept.etag.clone()),
                lifetime: said.unwrap_or(kept.lifetime),
                fetched_at: now,
                url,
            }),
            (status, _) => Err(refused(format!("status {status}"))),
        }
    }
}
