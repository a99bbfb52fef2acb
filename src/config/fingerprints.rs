//! What a configuration says, as digests: of each setting, and of each entry of a list with all that stands in it.

use crate::foundation::digest;
use crate::foundation::fingerprints::{FINGERPRINT_BYTES, Fingerprint, Fingerprints};

use super::layers::{JoinedList, Merged};
use super::value::{Value, ValueKind};

/// The list of what stands in no list.
pub const SETTINGS: &str = "settings";

/// The table whose entries people see one by one.
const SCOPES: &str = "scopes";

/// The digests of all that was merged. A value counts as it is read: its place makes no difference, nor does the order of
/// keys.
pub(super) fn of(merged: &Merged) -> Fingerprints {
    let mut all = Fingerprints::default();
    let mut buffer = Vec::new();
    if let ValueKind::Table(root) = &merged.root.kind {
        for (key, value) in root.iter() {
            match &value.kind {
                ValueKind::Table(scopes) if key == SCOPES => {
                    for (token, scope) in scopes.iter() {
                        all.note(SCOPES, token, fingerprint(scope, &mut buffer));
                    }
                }
                _ => note_settings(key, value, &mut all, &mut buffer),
            }
        }
    }
    for list in JoinedList::ALL {
        let name = list.path().join(".");
        for entry in merged.lists.entries(list) {
            all.note(&name, list.id(entry).unwrap_or_default(), fingerprint(entry, &mut buffer));
        }
    }
    all
}

fn note_settings(path: &str, value: &Value, all: &mut Fingerprints, buffer: &mut Vec<u8>) {
    match &value.kind {
        ValueKind::Table(table) => {
            for (key, value) in table.iter() {
                note_settings(&format!("{path}.{key}"), value, all, buffer);
            }
        }
        _ => all.note(SETTINGS, path, fingerprint(value, buffer)),
    }
}

fn fingerprint(value: &Value, buffer: &mut Vec<u8>) -> Fingerprint {
    buffer.clear();
    write(value, buffer);
    let [head @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = digest::sha256(&buffer);
    const { assert!(FINGERPRINT_BYTES == digest::SHA256_BYTES / 2) };
    head
}

/// Writes a value so that no two different ones are written alike: what it is, how long it is, what is in it.
fn write(value: &Value, out: &mut Vec<u8>) {
    let text = |tag: u8, text: &str, out: &mut Vec<u8>| {
        out.push(tag);
        write_text(text, out);
    };
    match &value.kind {
        ValueKind::Nil => out.push(b'0'),
        ValueKind::String(value) => text(b's', value, out),
        ValueKind::Table(table) => {
            let mut entries: Vec<_> = table.iter().collect();
            entries.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
            write_length(b't', entries.len(), out);
            for (key, value) in entries {
                write_text(key, out);
                write(value, out);
            }
        }
        ValueKind::Array(members) => {
            write_length(b'a', members.len(), out);
            for member in members {
                write(member, out);
            }
        }
        // Each is told apart by how it is written.
        ValueKind::Boolean(value) => text(b'n', &value.to_string(), out),
        ValueKind::Integer(value) => text(b'n', &value.to_string(), out),
        ValueKind::Float(value) => text(b'n', &format!("{value:?}"), out),
    }
}

fn write_length(tag: u8, length: usize, out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(&(length as u64).to_be_bytes());
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(text.len() as u64).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}
