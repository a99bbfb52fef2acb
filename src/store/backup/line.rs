//! The lines of a backup: what each says, and how it is written. Times are milliseconds since 1970, but for the one of the
//! first line, which people read.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clients::ClientId;
use crate::foundation::base64url;
use crate::foundation::clock::Timestamp;
use crate::foundation::storage::Origin;
use crate::keys::history::{Kept, PublishedKey, Served};
use crate::login::account::is_subject;
use crate::protocol::pkce::{CodeChallenge, S256};
use crate::protocol::resource::ResourceIndicator;
use crate::protocol::scope::Scope;
use crate::tokens::grant::{Grant, check_length};

/// The format that is written.
pub(super) const FORMAT: u64 = 1;

/// Reads a line that is not the first one, of one format, as what it means today.
pub(super) type ReadLine = fn(&[u8]) -> Result<Line, BadLine>;

/// Every format of the file, and how its lines are read. This is where an old one is migrated.
///
/// | format | what is different in it |
/// |---|---|
/// | 1 | the first and only one |
///
/// Who changes what a line says writes a new number, adds a row that reads the lines of the old one as they were, and
/// leaves its file in `tests/store/fixtures` as it is.
const FORMATS: [(u64, ReadLine); 1] = [(1, read_format_1)];

/// How lines of this format are read; none: this version does not know it.
pub(super) fn reader_of(format: u64) -> Option<ReadLine> {
    FORMATS.iter().find(|(number, _)| *number == format).map(|(_, read)| *read)
}

/// What the first line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The format of the file.
    pub format: u64,
    /// Where it comes from.
    pub origin: Origin,
}

/// What a line between the first and the last one says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A grant, alive or revoked.
    Grant(Grant),
    /// A session that was ended, and until when that must be known.
    EndedSession {
        /// Which.
        sid: [u8; 16],
        /// When it would have been over.
        until: Timestamp,
    },
    /// Of a subject, or of all where none is named, nothing is valid that began no later than this.
    ValidFrom {
        /// Whose; none: everybody's.
        subject: Option<Arc<str>>,
        /// Up to when.
        at: Timestamp,
    },
    /// What was shown that may be shown once.
    ShownOnce {
        /// Its digest.
        digest: [u8; 32],
        /// Until when it may not be shown again.
        until: Timestamp,
    },
    /// Which keys were published.
    Publications(Kept),
}

/// What a line after the first one says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// A record.
    Record(Record),
    /// That this is all: how many records came before, and the SHA-256 of everything before, in base64url.
    End { records: u64, sha256: String },
}

/// Why a line is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadLine {
    #[error("it is not JSON of a kind that is known")]
    Json,
    #[error("its {0} is malformed")]
    Part(&'static str),
}

/// The first line, whatever else it says.
#[derive(Deserialize)]
pub(super) struct AnyFirst {
    #[serde(rename = "jotsmith-export")]
    pub(super) header: AnyHeader,
}

#[derive(Deserialize)]
pub(super) struct AnyHeader {
    pub(super) format: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireFirst {
    #[serde(rename = "jotsmith-export")]
    header: WireHeader,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireHeader {
    format: u64,
    issuer: String,
    begun_at: String,
    store: WireSource,
    sealing_keys: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireSource {
    Running,
    Stopped,
}

/// A line after the first one, as it is written: an object whose one name says what it is.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum WireLine {
    Grant(WireGrant),
    EndedSession { sid: String, until: Timestamp },
    ValidFrom { subject: Option<String>, at: Timestamp },
    ShownOnce { digest: String, until: Timestamp },
    Publications { served: Option<WireServed>, keys: Vec<WireKey> },
    End { records: u64, sha256: String },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireGrant {
    id: Uuid,
    client_id: String,
    subject: String,
    scope: Scope,
    resources: Vec<ResourceIndicator>,
    auth_time: Timestamp,
    created_at: Timestamp,
    expires_at: Timestamp,
    absolute_expires_at: Timestamp,
    generation: u32,
    rotated_at: Timestamp,
    code_challenge: Option<String>,
    redirect_uri: Option<String>,
    revoked_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireServed {
    jwks_max_age: u64,
    longest_lifetime: u64,
    caches_until: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireKey {
    kid: String,
    digest: String,
    first_published: Timestamp,
    known_from: Timestamp,
    tokens_until: Option<Timestamp>,
    is_signing: bool,
}

/// The first line of a file that comes from there.
pub(super) fn first(origin: &Origin) -> Vec<u8> {
    let Origin { issuer, begun_at, is_running, sealing_keys } = origin;
    to_line(&WireFirst {
        header: WireHeader {
            format: FORMAT,
            issuer: issuer.clone(),
            begun_at: begun_at.to_string(),
            store: if *is_running { WireSource::Running } else { WireSource::Stopped },
            sealing_keys: sealing_keys.clone(),
        },
    })
}

/// What the first line of a format that is known says.
pub(super) fn read_first(line: &[u8]) -> Option<Header> {
    let WireFirst { header } = serde_json::from_slice(line).ok()?;
    let WireHeader { format, issuer, begun_at, store, sealing_keys } = header;
    let begun_at = begun_at.parse().ok()?;
    let is_running = matches!(store, WireSource::Running);
    Some(Header { format, origin: Origin { issuer, begun_at, is_running, sealing_keys } })
}

/// The line of a record.
pub(super) fn of_record(record: Record) -> Vec<u8> {
    to_line(&match record {
        Record::Grant(grant) => WireLine::Grant(WireGrant {
            id: grant.id,
            client_id: grant.client_id.as_str().to_owned(),
            subject: grant.subject.as_ref().to_owned(),
            scope: grant.scope,
            resources: grant.resources,
            auth_time: grant.auth_time,
            created_at: grant.created_at,
            expires_at: grant.expires_at,
            absolute_expires_at: grant.absolute_expires_at,
            generation: grant.generation,
            rotated_at: grant.rotated_at,
            code_challenge: grant.code_challenge.map(|challenge| challenge.to_string()),
            redirect_uri: grant.redirect_uri.map(|uri| uri.as_ref().to_owned()),
            revoked_at: grant.revoked_at,
        }),
        Record::EndedSession { sid, until } => WireLine::EndedSession { sid: base64url::encode(sid), until },
        Record::ValidFrom { subject, at } => {
            WireLine::ValidFrom { subject: subject.map(|subject| subject.as_ref().to_owned()), at }
        }
        Record::ShownOnce { digest, until } => WireLine::ShownOnce { digest: base64url::encode(digest), until },
        Record::Publications(Kept { served, keys }) => WireLine::Publications {
            served: served.map(|served| WireServed {
                jwks_max_age: served.jwks_max_age,
                longest_lifetime: served.longest_lifetime,
                caches_until: served.caches_until,
            }),
            keys: keys.into_iter().map(WireKey::of).collect(),
        },
    })
}

/// The last line.
pub(super) fn last(records: u64, sha256: [u8; 32]) -> Vec<u8> {
    to_line(&WireLine::End { records, sha256: base64url::encode(sha256) })
}

fn to_line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).expect("texts, numbers and lists of them");
    line.push(b'\n');
    line
}

fn read_format_1(line: &[u8]) -> Result<Line, BadLine> {
    let record = match serde_json::from_slice(line).map_err(|_| BadLine::Json)? {
        WireLine::Grant(grant) => Record::Grant(grant.read()?),
        WireLine::EndedSession { sid, until } => Record::EndedSession { sid: bytes(&sid, "sid")?, until },
        WireLine::ValidFrom { subject, at } => {
            Record::ValidFrom { subject: subject.map(read_subject).transpose()?, at }
        }
        WireLine::ShownOnce { digest, until } => Record::ShownOnce { digest: bytes(&digest, "digest")?, until },
        WireLine::Publications { served, keys } => {
            let served = served.map(|served| Served {
                jwks_max_age: served.jwks_max_age,
                longest_lifetime: served.longest_lifetime,
                caches_until: served.caches_until,
                // It went on after the file was written, for as long as nobody knows.
                stopped_at: None,
            });
            let keys = keys.into_iter().map(WireKey::read).collect::<Result<_, _>>()?;
            Record::Publications(Kept { served, keys })
        }
        WireLine::End { records, sha256 } => return Ok(Line::End { records, sha256 }),
    };
    Ok(Line::Record(record))
}

impl WireGrant {
    fn read(self) -> Result<Grant, BadLine> {
        check_length(&self.scope, &self.resources).map_err(|_| BadLine::Part("scope"))?;
        let method = self.code_challenge.as_ref().map(|_| S256);
        Ok(Grant {
            id: self.id,
            client_id: ClientId::parse(&self.client_id).map_err(|_| BadLine::Part("client_id"))?,
            subject: read_subject(self.subject)?,
            scope: self.scope,
            resources: self.resources,
            auth_time: self.auth_time,
            created_at: self.created_at,
            expires_at: self.expires_at,
            absolute_expires_at: self.absolute_expires_at,
            generation: self.generation,
            rotated_at: self.rotated_at,
            code_challenge: CodeChallenge::parse(self.code_challenge.as_deref(), method)
                .map_err(|_| BadLine::Part("code_challenge"))?,
            redirect_uri: self.redirect_uri.map(Into::into),
            // Of the store that it comes from; the next one has let nothing through yet.
            is_resynchronised: false,
            revoked_at: self.revoked_at,
        })
    }
}

impl WireKey {
    fn of(key: PublishedKey) -> Self {
        let PublishedKey { kid, digest, first_published, known_from, tokens_until, is_signing } = key;
        Self { kid, digest: base64url::encode(digest), first_published, known_from, tokens_until, is_signing }
    }

    fn read(self) -> Result<PublishedKey, BadLine> {
        let Self { kid, digest, first_published, known_from, tokens_until, is_signing } = self;
        let digest = bytes(&digest, "digest")?;
        if kid.is_empty() {
            return Err(BadLine::Part("kid"));
        }
        Ok(PublishedKey { kid, digest, first_published, known_from, tokens_until, is_signing })
    }
}

fn read_subject(text: String) -> Result<Arc<str>, BadLine> {
    if is_subject(&text) { Ok(text.into()) } else { Err(BadLine::Part("subject")) }
}

fn bytes<const N: usize>(text: &str, name: &'static str) -> Result<[u8; N], BadLine> {
    let bytes = base64url::decode(text).map_err(|_| BadLine::Part(name))?;
    bytes.try_into().map_err(|_| BadLine::Part(name))
}
