//! Handles: authorization codes and refresh tokens, which authenticate themselves.
//!
//! `prefix + base64url(version | sealing key id | id (16 bytes) | generation (u32) | MAC (32 bytes))`, 80 characters.
//! The MAC is over everything before it, prefix included, under a subkey of its kind. So a forged, mangled or foreign
//! handle is refused before any disk is touched, and what the store holds cannot be presented.

use uuid::Uuid;

use crate::foundation::base64url;
use crate::foundation::clock::Timestamp;
use crate::foundation::sealing::MAC_BYTES;
use crate::foundation::secret::SecretString;
use crate::keys::sealing_ring::{HEADER_BYTES, MacPurpose, SealRefused, SealingRing};

/// The length of either prefix, in bytes.
const PREFIX_BYTES: usize = 4;

/// Where the id starts in a handle whose prefix is followed by plain bytes.
const ID_AT: usize = PREFIX_BYTES + HEADER_BYTES;

/// Where the generation starts.
const GENERATION_AT: usize = ID_AT + size_of::<Uuid>();

/// Where the MAC starts: what stands before it is what it is made of.
const MAC_AT: usize = GENERATION_AT + size_of::<u32>();

/// The length of the whole, in bytes: prefix, and what base64url then encodes.
const WHOLE_BYTES: usize = MAC_AT + MAC_BYTES;

/// The length of a handle, in characters. Three bytes are four characters, and no bits are left over.
const TEXT_BYTES: usize = PREFIX_BYTES + (WHOLE_BYTES - PREFIX_BYTES) / 3 * 4;

/// What a handle is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HandleKind {
    /// An authorization code (RFC 6749 §1.3.1).
    Code,
    /// A refresh token (RFC 6749 §1.5).
    Refresh,
}

impl HandleKind {
    /// How a handle of this kind starts, so that one that leaked can be scanned for.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Code => "jsc_",
            Self::Refresh => "jsr_",
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Code => Self::Refresh,
            Self::Refresh => Self::Code,
        }
    }

    const fn purpose(self) -> MacPurpose {
        match self {
            Self::Code => MacPurpose::Code,
            Self::Refresh => MacPurpose::Refresh,
        }
    }
}

/// Which record a code or refresh token stands for. Whoever has one from [`Handle::open`] knows that we made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handle {
    /// Code or refresh token.
    pub kind: HandleKind,
    /// The id of the code, and of the grant that comes from it.
    pub id: Uuid,
    /// How often the grant had been refreshed when it was made; 0 for a code.
    pub generation: u32,
}

/// Why a text is no handle: for the log. The client learns `invalid_grant`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandleRefused {
    /// Without the prefix, not strict base64url, or of another length.
    #[error("not a handle")]
    NotAHandle,
    /// A code where a refresh token belongs, or the other way round.
    #[error("a handle of another kind")]
    OtherKind,
    /// It looks like a handle, and is not one of ours.
    #[error("a handle that is {0}")]
    Refused(#[from] SealRefused),
}

impl Handle {
    /// The text of this handle, sealed with the key that was current at `sealed_at`.
    ///
    /// No randomness: the same handle, sealed at the same instant, is the same text on every server and at any later
    /// time, also when a successor of the key has come since.
    pub fn seal(&self, ring: &SealingRing, sealed_at: Timestamp) -> SecretString {
        let key = ring.key_at(sealed_at);
        let mut whole = [0; WHOLE_BYTES];
        whole[..PREFIX_BYTES].copy_from_slice(self.kind.prefix().as_bytes());
        whole[PREFIX_BYTES..ID_AT].copy_from_slice(&key.header());
        whole[ID_AT..GENERATION_AT].copy_from_slice(self.id.as_bytes());
        whole[GENERATION_AT..MAC_AT].copy_from_slice(&self.generation.to_be_bytes());
        let mac = key.mac_key(self.kind.purpose()).mac(&whole[..MAC_AT]);
        whole[MAC_AT..].copy_from_slice(&mac);

        let mut text = String::with_capacity(TEXT_BYTES);
        text.push_str(self.kind.prefix());
        base64url::encode_into(&whole[PREFIX_BYTES..], &mut text);
        text.into()
    }

    /// The handle that `text` is, if it is of this kind and we made it. Touches no disk.
    pub fn open(text: &str, kind: HandleKind, ring: &SealingRing) -> Result<Self, HandleRefused> {
        let Some(encoded) = text.strip_prefix(kind.prefix()) else {
            let is_other = text.starts_with(kind.other().prefix());
            return Err(if is_other { HandleRefused::OtherKind } else { HandleRefused::NotAHandle });
        };
        // Before anything is decoded: a text of megabytes costs nothing.
        if text.len() != TEXT_BYTES {
            return Err(HandleRefused::NotAHandle);
        }
        let sealed = base64url::decode(encoded).map_err(|_| HandleRefused::NotAHandle)?;
        let mut whole = [0; WHOLE_BYTES];
        whole[..PREFIX_BYTES].copy_from_slice(kind.prefix().as_bytes());
        whole[PREFIX_BYTES..].copy_from_slice(&sealed);

        let key = ring.key_of(field(&whole, PREFIX_BYTES))?;
        if !key.mac_key(kind.purpose()).is_mac(&whole[..MAC_AT], &whole[MAC_AT..]) {
            return Err(SealRefused::Forged.into());
        }
        let id = Uuid::from_bytes(field(&whole, ID_AT));
        Ok(Self { kind, id, generation: u32::from_be_bytes(field(&whole, GENERATION_AT)) })
    }
}

/// The field of `N` bytes that starts at `at`.
fn field<const N: usize>(whole: &[u8; WHOLE_BYTES], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&whole[at..at + N]);
    field
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foundation::secret::ExposeSecret as _;
    use crate::keys::sealing_ring::tests::{NOW, ring_of_one};

    fn handle(kind: HandleKind, generation: u32) -> Handle {
        Handle { kind, id: uuid::uuid!("0192f0c1-d2e3-7abc-8def-0123456789ab"), generation }
    }

    #[test]
    fn the_format_is_the_one_that_is_out_there() {
        // Computed with Python's hmac and base64. What clients hold must go on opening.
        for (handle, expected) in [
            (
                handle(HandleKind::Code, 0),
                "jsc_AVk2OdYBkvDB0uN6vI3vASNFZ4mrAAAAAMmUihoN8iXDUhaJHsBWwSfML5-xYOG8Hdy4Zo4Gckwe",
            ),
            (
                handle(HandleKind::Refresh, 7),
                "jsr_AVk2OdYBkvDB0uN6vI3vASNFZ4mrAAAABxqN6NoMLnnNAESzhEdtGdLs5u7AviMj3bV8YSGbgkKT",
            ),
        ] {
            let text = handle.seal(&ring_of_one(), NOW);
            assert_eq!(text.expose_secret(), expected);
            assert_eq!(Handle::open(expected, handle.kind, &ring_of_one()), Ok(handle));
        }
    }

    #[test]
    fn the_log_learns_why_a_handle_was_refused() {
        let ring = ring_of_one();
        let good = handle(HandleKind::Refresh, 7).seal(&ring, NOW);
        let good = good.expose_secret();
        let changed = |at: usize, to: &str| format!("{}{to}{}", &good[..at], &good[at + 1..]);
        for (text, why) in [
            (String::new(), HandleRefused::NotAHandle),
            ("jsr_".to_owned(), HandleRefused::NotAHandle),
            (good[1..].to_owned(), HandleRefused::NotAHandle),
            (format!("{good}A"), HandleRefused::NotAHandle),
            (changed(9, "="), HandleRefused::NotAHandle),
            (good.replacen("jsr_", "jsc_", 1), HandleRefused::OtherKind),
            (changed(4, "B"), SealRefused::UnknownVersion.into()),
            (changed(6, "A"), SealRefused::UnknownKey.into()),
            (changed(40, "_"), SealRefused::Forged.into()),
        ] {
            assert_eq!(Handle::open(&text, HandleKind::Refresh, &ring), Err(why), "{text}");
        }
    }

    #[test]
    fn a_handle_that_only_changed_its_prefix_is_forged() {
        let ring = ring_of_one();
        let code = handle(HandleKind::Code, 0).seal(&ring, NOW).expose_secret().replacen("jsc_", "jsr_", 1);
        assert_eq!(Handle::open(&code, HandleKind::Refresh, &ring), Err(SealRefused::Forged.into()));
    }
}
