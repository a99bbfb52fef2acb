//! The sealing keys of one issuer: which of them seals at an instant, and which opens what was sealed.
//!
//! Sealed texts of every kind start with the same header, `version | sealing key id`, so that the key is found before
//! anything is computed. A key opens for as long as it is configured: its `retire_at` ends nothing that it sealed, and
//! it opens before its `sign_from` too, for another server's clock may run ahead. To stop a stolen key, take it out.

use std::time::Duration;

use crate::foundation::clock::Timestamp;
use crate::foundation::sealing::{AeadKey, MacKey, SealingKey, SealingKeyId};
use crate::protocol::issuer::Issuer;

use super::schedule::{Demands, Schedule, ScheduleRefused, Scheduled};

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
