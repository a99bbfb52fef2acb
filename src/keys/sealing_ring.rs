//! The sealing keys of one issuer: which of them seals at an instant, and which opens what was sealed.
//!
//! Sealed texts of every kind start with the same header, `version | sealing key id`, so that the key is found before
//! anything is computed. A key opens for as long as it is configured: its `retire_at` ends nothing that it sealed, and
//! it opens before its `sign_from` too, for another server's clock may run ahead. To stop a stolen key, take it out.

use std::time::Duration;

use crate::foundation::clock::Timestamp;
use crate::foundation::sealing::{AeadKey, MacKey, SealingKey, SealingKeyId};
use crate::protocol::issuer::Issuer;

use super::schedule::{Demands, Schedule, ScheduleRefused, Scheduled, Standing};

/// The version of everything that is sealed; another one is refused.
const VERSION: u8 = 1;

/// The length of the header of everything that is sealed, in bytes: `version | sealing key id`.
pub const HEADER_BYTES: usize = 1 + SealingKeyId::BYTES;

/// What is authenticated and may be read. Each has a subkey of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MacPurpose {
    /// Authorization codes.
    Code,
    /// Refresh tokens.
    Refresh,
    /// CSRF tokens.
    Csrf,
}

/// What is encrypted too. Each has a subkey of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SealPurpose {
    /// The cookie of a person who is signed in.
    Session,
    /// The cookie that remembers a consent.
    Consent,
    /// An authorization request that waits for a person, and the cookie to which it is bound.
    AuthorizationRequest,
    /// What `jotsmith check --diff` and the server that it asks tell each other.
    Configuration,
}

impl MacPurpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Refresh => "refresh",
            Self::Csrf => "csrf",
        }
    }
}

impl SealPurpose {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Consent => "consent",
            Self::AuthorizationRequest => "authorization-request",
            Self::Configuration => "configuration",
        }
    }
}

/// Why a sealed text was refused: for the log. Who sent it learns no more than that it is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealRefused {
    /// Not strict base64url, or of the wrong length.
    #[error("malformed")]
    Malformed,
    /// Sealed by a later version of this program, or by none.
    #[error("of an unknown version")]
    UnknownVersion,
    /// No configured key has the id in it: the key was taken out, or the text is not ours.
    #[error("sealed with an unknown key")]
    UnknownKey,
    /// The key is ours, the seal is not: changed, made for another use, or by another issuer.
    #[error("forged, or sealed for another use")]
    Forged,
    /// Sealed by us, but no value of the expected type.
    #[error("sealed by us with another shape")]
    OtherShape,
}

/// Why sealing keys do not make a ring.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealingRingRefused {
    /// The keys' times contradict each other, or leave a time without a key.
    #[error(transparent)]
    Schedule(#[from] ScheduleRefused),
    /// Two keys have one id.
    #[error("sealing keys `{key}` and `{other}` are the same key ({id}): leave one out, or generate another")]
    SameKey {
        /// The name of one key.
        key: String,
        /// The name of the other.
        other: String,
        /// What both are called in sealed texts.
        id: SealingKeyId,
    },
}

/// One sealing key of a ring, as the subkeys of one issuer.
#[derive(Debug, Clone)]
pub struct RingKey {
    id: SealingKeyId,
    code: MacKey,
    refresh: MacKey,
    csrf: MacKey,
    session: AeadKey,
    consent: AeadKey,
    authorization_request: AeadKey,
    configuration: AeadKey,
}

impl RingKey {
    fn derive(key: &SealingKey, issuer: &Issuer) -> Self {
        let mac = |purpose: MacPurpose| key.mac_key(issuer.as_str(), purpose.name());
        let aead = |purpose: SealPurpose| key.aead_key(issuer.as_str(), purpose.name());
        Self {
            id: key.id(),
            code: mac(MacPurpose::Code),
            refresh: mac(MacPurpose::Refresh),
            csrf: mac(MacPurpose::Csrf),
            session: aead(SealPurpose::Session),
            consent: aead(SealPurpose::Consent),
            authorization_request: aead(SealPurpose::AuthorizationRequest),
            configuration: aead(SealPurpose::Configuration),
        }
    }

    /// The name of the key.
    pub const fn id(&self) -> SealingKeyId {
        self.id
    }

    /// The header of everything that this key seals.
    pub fn header(&self) -> [u8; HEADER_BYTES] {
        let [a, b, c, d] = *self.id.as_bytes();
        [VERSION, a, b, c, d]
    }

    /// The subkey for the MACs of one purpose.
    pub const fn mac_key(&self, purpose: MacPurpose) -> &MacKey {
        match purpose {
            MacPurpose::Code => &self.code,
            MacPurpose::Refresh => &self.refresh,
            MacPurpose::Csrf => &self.csrf,
        }
    }

    /// The subkey for the sealed texts of one purpose.
    pub const fn aead_key(&self, purpose: SealPurpose) -> &AeadKey {
        match purpose {
            SealPurpose::Session => &self.session,
            SealPurpose::Consent => &self.consent,
            SealPurpose::AuthorizationRequest => &self.authorization_request,
            SealPurpose::Configuration => &self.configuration,
        }
    }
}

/// The sealing keys of one issuer, every subkey derived. At least one key, and at any time one that seals.
#[derive(Debug, Clone)]
pub struct SealingRing {
    keys: Schedule<RingKey>,
}

impl SealingRing {
    /// A ring of `keys`, of which one seals `now` and from now on without end.
    pub fn new(issuer: &Issuer, keys: Vec<Scheduled<SealingKey>>, now: Timestamp) -> Result<Self, SealingRingRefused> {
        for (at, one) in keys.iter().enumerate() {
            if let Some(other) = keys[..at].iter().find(|other| other.key.id() == one.key.id()) {
                let (key, other) = (other.name.clone(), one.name.clone());
                return Err(SealingRingRefused::SameKey { key, other, id: one.key.id() });
            }
        }
        let derive = |entry: Scheduled<SealingKey>| Scheduled {
            name: entry.name,
            lifecycle: entry.lifecycle,
            key: RingKey::derive(&entry.key, issuer),
        };
        let keys = Schedule::new(keys.into_iter().map(derive).collect())?;
        // A key opens from when it is configured until it is taken out, so no seal can come too early or end too late.
        keys.judge(&Demands { lead: Duration::ZERO, longest_lifetime: Duration::ZERO, is_needed: true, now })?;
        Ok(Self { keys })
    }

    /// The key that seals at the instant `at`: now for what is new, then for what is sealed again as it was.
    ///
    /// A function of the configured times alone: a successor with a `sign_from` after `at` changes nothing. For an
    /// instant that no configured key covers, before the first or in a gap of the past, it is the first key: whatever
    /// it seals does open.
    pub fn key_at(&self, at: Timestamp) -> &RingKey {
        let first = || self.keys.keys().next().expect("a ring was judged to have a key");
        self.keys.signing(at).unwrap_or_else(first)
    }

    /// Every key in the order in which they seal, with what it does now and next.
    pub fn standings(&self, now: Timestamp) -> impl Iterator<Item = Standing<'_, RingKey>> {
        self.keys.standings(now)
    }

    /// The ids of all of them. Not secret: one stands in whatever is sealed.
    pub fn ids(&self) -> Vec<String> {
        self.keys.keys().map(|key| key.id().to_string()).collect()
    }

    /// The key that sealed what starts with `header`, whatever its state.
    pub fn key_of(&self, header: [u8; HEADER_BYTES]) -> Result<&RingKey, SealRefused> {
        let [version, id @ ..] = header;
        if version != VERSION {
            return Err(SealRefused::UnknownVersion);
        }
        let id = SealingKeyId::from_bytes(id);
        self.keys.keys().find(|key| key.id() == id).ok_or(SealRefused::UnknownKey)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::keys::schedule::Lifecycle;

    /// The moment at which the rings of the tests are made.
    pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn entry(name: &str, first_byte: u8, lifecycle: Lifecycle) -> Scheduled<SealingKey> {
        let bytes = std::array::from_fn(|at| first_byte.wrapping_add(u8::try_from(at).expect("below 32")));
        Scheduled { name: name.to_owned(), lifecycle, key: SealingKey::new(&bytes) }
    }

    fn from(sign_from: Timestamp) -> Lifecycle {
        Lifecycle { sign_from: Some(sign_from), ..Lifecycle::default() }
    }

    fn ring(keys: Vec<Scheduled<SealingKey>>) -> Result<SealingRing, SealingRingRefused> {
        let issuer = Issuer::parse("https://login.example.com").expect("a valid issuer");
        SealingRing::new(&issuer, keys, NOW)
    }

    /// A ring of one key, the bytes 0 to 31.
    pub(crate) fn ring_of_one() -> SealingRing {
        ring(vec![entry("one", 0, Lifecycle::default())]).expect("one key without times")
    }

    #[test]
    fn an_instant_is_sealed_with_the_key_that_was_current_then_whatever_came_since() {
        let changes_at = NOW + Duration::from_hours(1);
        let keys = || vec![entry("one", 0, Lifecycle::default()), entry("two", 100, from(changes_at))];
        let one = ring_of_one().key_at(NOW).id();
        let ring = ring(keys()).expect("a successor");
        let two = ring.key_at(changes_at).id();
        assert_ne!(one, two);
        assert_eq!(ring.key_at(changes_at.before(Duration::from_millis(1))).id(), one);
        assert_eq!(ring.key_at(changes_at + Duration::from_hours(9)).id(), two);
    }

    #[test]
    fn an_instant_before_every_key_is_sealed_with_the_first() {
        let ring = ring(vec![entry("one", 0, from(NOW)), entry("two", 100, from(NOW + Duration::from_hours(1)))]);
        let ring = ring.expect("two keys");
        assert_eq!(ring.key_at(Timestamp::default()).id(), ring.key_at(NOW).id());
    }

    #[test]
    fn a_key_opens_before_it_seals_and_after_it_has_retired() {
        let retired = Lifecycle { retire_at: Some(NOW), ..Lifecycle::default() };
        let keys = vec![
            entry("retired", 0, retired),
            entry("current", 1, from(NOW.before(Duration::from_hours(1)))),
            entry("next", 2, from(NOW + Duration::from_hours(1))),
        ];
        let headers: Vec<_> = keys.iter().map(|entry| ring_of_key(entry).key_at(NOW).header()).collect();
        let ring = ring(keys).expect("three keys");
        for header in headers {
            assert_eq!(ring.key_of(header).map(RingKey::header), Ok(header));
        }
    }

    fn ring_of_key(entry: &Scheduled<SealingKey>) -> SealingRing {
        ring(vec![Scheduled { lifecycle: Lifecycle::default(), ..entry.clone() }]).expect("one key")
    }

    #[test]
    fn another_version_or_key_is_refused_by_name() {
        let ring = ring_of_one();
        let [version, id @ ..] = ring.key_at(NOW).header();
        let header = |version, id: [u8; 4]| [version, id[0], id[1], id[2], id[3]];
        assert!(ring.key_of(header(version, id)).is_ok());
        assert_eq!(ring.key_of(header(version + 1, id)).err(), Some(SealRefused::UnknownVersion));
        assert_eq!(ring.key_of(header(version, [0; 4])).err(), Some(SealRefused::UnknownKey));
    }

    #[test]
    fn a_key_that_stands_in_the_ring_twice_is_refused_with_both_names() {
        let twice = vec![entry("one", 0, Lifecycle::default()), entry("copy", 0, from(NOW))];
        let refused = ring(twice).expect_err("the same key");
        let id = ring_of_one().key_at(NOW).id();
        assert_eq!(refused, SealingRingRefused::SameKey { key: "one".to_owned(), other: "copy".to_owned(), id });
    }

    #[test]
    fn a_ring_that_cannot_seal_now_and_always_is_refused() {
        let late = NOW + Duration::from_secs(1);
        let ends = Lifecycle { retire_at: Some(late), ..Lifecycle::default() };
        for (keys, why) in [
            (vec![], ScheduleRefused::NoKey),
            (
                vec![entry("one", 0, from(late))],
                ScheduleRefused::NothingSignsYet { key: "one".to_owned(), first: late },
            ),
            (vec![entry("one", 0, ends)], ScheduleRefused::NothingSignsAfter { key: "one".to_owned() }),
        ] {
            assert_eq!(ring(keys).expect_err("no key for some time"), SealingRingRefused::Schedule(why));
        }
    }
}
