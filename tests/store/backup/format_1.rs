//! What was written by the first version goes on being read: the file of a backup, and a store.

use std::fs;

use jotsmith::foundation::once::Remembered;
use jotsmith::login::session::EarlyEnd;
use jotsmith::store::sled::Imported;
use jotsmith::tokens::grant::Grant;
use jotsmith::tokens::store::FoundGrants;

use super::{TOMBSTONE, export, import_of, publications, terms};
use crate::sled::{folder, open};
use crate::suite::{BEGIN, Shared, after, answer, code_of, grant_of};

/// The file that was written by the first version.
pub(super) const FORMAT_1: &[u8] = include_bytes!("../fixtures/export-format-1.jsonl");

#[test]
fn the_file_of_format_1_goes_on_being_imported_as_it_was_meant() {
    let folder = folder();
    let data = folder.path().join("data");
    let imported = import_of(FORMAT_1, &terms(&data)).expect("imported");
    let expected = Imported {
        live_grants: 2,
        dead_grants: 1,
        ended_sessions: 1,
        ended_subjects: 1,
        shown_once: 1,
        published_keys: 1,
        left_out: 3,
    };
    assert_eq!(imported, expected);
    assert_is_of_format_1(&open(&data), true);
}

/// What is in the fixtures, as it was put by [`fixture`].
fn assert_is_of_format_1(store: &Shared, is_restored: bool) {
    let FoundGrants { grants, .. } = answer(store.find_grants(None, None, 100));
    let mut expected = fixture_grants();
    if is_restored {
        expected.retain(|grant| grant.subject.as_ref() != "dave");
        for grant in &mut expected {
            grant.is_resynchronised = false;
        }
    }
    for grant in &mut expected {
        if grant.subject.as_ref() == "carol" {
            grant.revoked_at = Some(after(7));
        }
    }
    assert_eq!(grants, expected);
    let early_end = |sid: [u8; 16], subject| {
        let sid = serde_json::from_value(serde_json::to_value(sid).expect("JSON")).expect("a session");
        answer(store.early_end(sid, subject))
    };
    assert!(early_end([1; 16], "alice").is_signed_out);
    assert_eq!(early_end([2; 16], "alice").is_signed_out, !is_restored);
    assert_eq!(early_end([3; 16], "carol"), EarlyEnd { is_signed_out: false, valid_from: Some(after(7)) });
    assert_eq!(answer(store.publications()).keys, publications().keys);
    assert_eq!(answer(store.remember_once([7; 32], after(1000), after(101))), Remembered::Before);
}

fn fixture_grants() -> Vec<Grant> {
    let of = |number: u128, subject: &str| Grant {
        id: uuid::Uuid::from_u128(0x0192_f0c1_d2e3_7abc_8def_0000_0000_0000 + number),
        ..grant_of(&code_of(subject))
    };
    vec![
        Grant { generation: 3, rotated_at: after(5), is_resynchronised: true, ..of(1, "alice") },
        Grant { code_challenge: None, redirect_uri: None, scope: "read".parse().expect("valid"), ..of(2, "bob") },
        of(3, "carol"),
        Grant { expires_at: after(100).before(TOMBSTONE), ..of(4, "dave") },
    ]
}

/// What both fixtures were made of.
fn fixture(store: &Shared) {
    for grant in fixture_grants() {
        answer(store.put_grant(grant));
    }
    answer(store.end_all("carol", after(7)));
    let code = code_of("alice");
    answer(store.put_code(jotsmith::authorize::code::AuthorizationCode { id: uuid::Uuid::from_u128(9), ..code }));
    for (number, until) in [(1, 1000), (2, 100)] {
        let sid = serde_json::from_value(serde_json::to_value([number; 16]).expect("JSON")).expect("a session");
        answer(store.end_session(sid, after(until)));
    }
    answer(store.remember_once([7; 32], after(1000), BEGIN));
    answer(store.remember_once([8; 32], after(100), BEGIN));
    answer(store.keep_publications(publications()));
}

/// The store that was written by the first version: each file's length, and what is in it where it is not zero.
const STORE_OF_FORMAT_1: &str = include_str!("../fixtures/store-format-1.json");

#[test]
fn the_store_of_format_1_goes_on_being_opened_as_it_was_meant() {
    let folder = folder();
    let data = folder.path().join("data");
    let files: serde_json::Value = serde_json::from_str(STORE_OF_FORMAT_1).expect("JSON");
    for (name, file) in files.as_object().expect("files") {
        let path = data.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        let length = file["length"].as_u64().and_then(|length| usize::try_from(length).ok()).expect("a length");
        let mut bytes = vec![0; length];
        for part in file["parts"].as_array().expect("parts") {
            let at = part[0].as_u64().and_then(|at| usize::try_from(at).ok()).expect("a place");
            let part = jotsmith::foundation::base64url::decode(part[1].as_str().expect("text")).expect("base64url");
            bytes[at..at + part.len()].copy_from_slice(&part);
        }
        fs::write(path, bytes).expect("written");
    }
    fs::create_dir_all(data.join("records/blobs")).expect("created");
    let store = open(&data);
    assert_is_of_format_1(&store, false);
    assert!(answer(store.read_code(uuid::Uuid::from_u128(9))).is_some());
    assert_eq!(answer(store.publications()), publications());
}

#[test]
fn the_file_of_format_1_is_what_is_written_today() {
    let folder = folder();
    let store = open(&folder.path().join("data"));
    fixture(&store);
    let file = export(&store);
    assert_eq!(
        String::from_utf8_lossy(&file),
        String::from_utf8_lossy(FORMAT_1),
        "a change of the format needs a new number"
    );
}
