//! What lies in the tree under which key. There are two ways to look at it: as a step sees it (`batch.rs`), and as it is
//! durable (`durable.rs`).

use serde::de::DeserializeOwned;
use sled::IVec;

use super::codec::{self, BadRecord};

/// The key of the number of the last batch. Every batch writes it.
pub(super) const COMMITS: &[u8] = b"m";

/// How many bytes a key has at most that takes no memory of its own, as those of grants and codes.
const SHORT_KEY: usize = 22;

/// How many bytes of a key are said of a record that cannot be read: its kind, and enough to find it.
const SHOWN_OF_KEY: usize = 9;

/// What a record is, which its key starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A code that nobody has redeemed, by its id.
    Code,
    /// A grant, by its id.
    Grant,
    /// What may be shown once, by its digest: until when that is kept.
    Once,
    /// When the store was last made of a backup, or opened after it had lost its last moments; one.
    Recovered,
    /// A session that was ended, by its id: until when that is kept.
    EndedSession,
    /// A subject of which all was ended, by its name, or everybody, by none: what began no later than this.
    ValidFrom,
    /// A key that is published, by its `kid`.
    Published,
    /// The server that publishes them; one.
    Served,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Code,
        Self::Grant,
        Self::Once,
        Self::Recovered,
        Self::EndedSession,
        Self::ValidFrom,
        Self::Published,
        Self::Served,
    ];

    const fn prefix(self) -> u8 {
        match self {
            Self::Code => b'c',
            Self::Grant => b'g',
            Self::Once => b'o',
            Self::Recovered => b'r',
            Self::EndedSession => b's',
            Self::ValidFrom => b'v',
            Self::Published => b'p',
            Self::Served => b'k',
        }
    }

    /// The kind of the record under this key.
    pub(super) fn of(key: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| key.first() == Some(&kind.prefix()))
    }

    /// The key of the record of this name.
    pub(super) fn key(self, name: &[u8]) -> IVec {
        let mut short = [0; SHORT_KEY];
        match short.get_mut(..=name.len()) {
            Some(key) => {
                key[0] = self.prefix();
                key[1..].copy_from_slice(name);
                IVec::from(&*key)
            }
            None => IVec::from([&[self.prefix()], name].concat()),
        }
    }
}

pub(super) fn encode_commits(commits: u64) -> IVec {
    codec::encode(&commits).expect("a number takes few bytes")
}

pub(super) fn decode_commits(bytes: &[u8]) -> Result<u64, BadRecord> {
    codec::decode(bytes)
}

/// Why records could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// One record is at fault; the others are not.
    #[error(transparent)]
    Record(#[from] BadRecord),
    /// One that was read is.
    #[error("a record {which} cannot be read: {cause}")]
    Unreadable {
        /// Its kind and how its key begins; nothing of a person.
        which: String,
        /// What is wrong with it.
        cause: BadRecord,
    },
    /// The database is.
    #[error("{0}")]
    Database(#[from] sled::Error),
}

impl Fault {
    /// What is under this key cannot be read.
    pub(super) fn unreadable(key: &[u8], cause: BadRecord) -> Self {
        let kind = Kind::of(key);
        let shown = match kind {
            // What follows is a subject, or may be.
            Some(Kind::ValidFrom) | None => 1,
            Some(_) => SHOWN_OF_KEY,
        };
        let kind = kind.map_or_else(|| "of an unknown kind".to_owned(), |kind| format!("of kind {kind:?}"));
        let begin = key.iter().take(shown).fold(String::new(), |begin, byte| format!("{begin}{byte:02x}"));
        Self::Unreadable { which: format!("{kind}, whose key of {} bytes begins with {begin},", key.len()), cause }
    }
}

/// What records can be read from.
pub(super) trait Records {
    /// The bytes under this key.
    fn bytes(&self, key: &[u8]) -> Result<Option<IVec>, Fault>;

    /// The record of this kind and name.
    fn get<R: DeserializeOwned>(&self, kind: Kind, name: &[u8]) -> Result<Option<R>, Fault> {
        let key = kind.key(name);
        let bytes = self.bytes(&key)?;
        bytes.as_deref().map(codec::decode).transpose().map_err(|cause| Fault::unreadable(&key, cause))
    }
}
