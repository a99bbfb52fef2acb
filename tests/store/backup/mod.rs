//! A backup: what is in it and what is not, what comes of it, and that nothing comes of half of one.

mod file;
mod format_1;
mod importing;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jotsmith::authorize::store::Redemption;
use jotsmith::foundation::once::Remembered;
use jotsmith::foundation::random::OsRandom;
use jotsmith::foundation::storage::Origin;
use jotsmith::keys::history::{Kept, PublishedKey, Served};
use jotsmith::login::session::{EarlyEnd, SessionId};
use jotsmith::store::Durability;
use jotsmith::store::backup::Backup;
use jotsmith::store::sled::{ImportFailed, ImportTerms, Imported, SledStore, import};
use jotsmith::tokens::grant::Grant;
use jotsmith::tokens::store::{FoundGrants, Rotation};

use crate::sled::{clock, folder, open, options, promise_no_content};
use crate::suite::{self, ABSOLUTE, BEGIN, IDLE, POLICY, Shared, after, answer, code_of, grant_of, try_answer};

use file::check;

const ISSUER: &str = "https://login.example";
const TOMBSTONE: Duration = Duration::from_hours(1);

fn origin() -> Origin {
    Origin {
        issuer: ISSUER.to_owned(),
        begun_at: after(10),
        is_running: true,
        sealing_keys: vec!["1a2b3c4d".to_owned()],
    }
}

/// The parts of the file of a store, as they come.
fn parts(store: &Shared) -> impl Iterator<Item = Vec<u8>> {
    let mut export = Arc::clone(store).export(origin());
    std::iter::from_fn(move || answer(export.next()))
}

fn export(store: &Shared) -> Vec<u8> {
    parts(store).flatten().collect()
}

fn terms(folder: &Path) -> ImportTerms {
    ImportTerms {
        folder: folder.to_owned(),
        issuer: ISSUER.to_owned(),
        now: after(100),
        tombstone: TOMBSTONE,
        revoke_all: false,
    }
}

fn import_of(file: &[u8], terms: &ImportTerms) -> Result<Imported, ImportFailed> {
    import(terms, Backup::open(file)?)
}

/// A store that was made of a file.
fn restored(file: &[u8], folder: &Path) -> Shared {
    import_of(file, &terms(folder)).expect("imported");
    open(folder)
}

/// The file without its last line, and with one that fits what is left.
fn sealed_anew(lines: &[&str]) -> Vec<u8> {
    let text = lines.join("\n") + "\n";
    let sha256 = jotsmith::foundation::digest::sha256(&text);
    let sha256 = jotsmith::foundation::base64url::encode(sha256);
    let records = lines.len() - 1;
    format!("{text}{{\"end\":{{\"records\":{records},\"sha256\":\"{sha256}\"}}}}\n").into_bytes()
}

fn publications() -> Kept {
    let served =
        Served { jwks_max_age: 900_000, longest_lifetime: 300_000, caches_until: after(3), stopped_at: Some(after(9)) };
    let key = PublishedKey {
        kid: "2026-11".to_owned(),
        digest: [5; 32],
        first_published: BEGIN,
        known_from: after(960),
        tokens_until: Some(after(400)),
        is_signing: true,
    };
    Kept { served: Some(served), keys: vec![key] }
}

/// What a full store has, by what it should become.
struct Full {
    live: Grant,
    revoked: Grant,
    ended: Grant,
    over: Grant,
    code: jotsmith::authorize::code::AuthorizationCode,
    signed_out: SessionId,
}

fn fill(store: &Shared) -> Full {
    let of = |subject: &str| grant_of(&code_of(subject));
    let live = Grant {
        generation: 3,
        rotated_at: after(5),
        scope: "".parse().expect("valid"),
        is_resynchronised: true,
        ..of("alice")
    };
    let revoked = Grant { revoked_at: Some(after(6)), code_challenge: None, redirect_uri: None, ..of("bob") };
    let ended = of("carol");
    let over = Grant { expires_at: after(100).before(TOMBSTONE), ..of("dave") };
    for grant in [&live, &revoked, &ended, &over] {
        answer(store.put_grant(grant.clone()));
    }
    answer(store.end_all("carol", after(7)));
    let code = code_of("alice");
    answer(store.put_code(code.clone()));
    let signed_out = SessionId::new(&OsRandom);
    answer(store.end_session(signed_out, after(1000)));
    answer(store.end_session(SessionId::new(&OsRandom), after(100)));
    answer(store.remember_once([7; 32], after(1000), BEGIN));
    answer(store.remember_once([8; 32], after(100), BEGIN));
    answer(store.keep_publications(publications()));
    Full { live, revoked, ended, over, code, signed_out }
}

#[test]
fn a_backup_brings_back_what_must_be_known_and_nothing_that_is_over() {
    let folder = folder();
    let store = open(&folder.path().join("old"));
    let full = fill(&store);
    let file = export(&store);
    drop(store);

    let data = folder.path().join("data");
    let imported = import_of(&file, &terms(&data)).expect("imported");
    let expected = Imported {
        live_grants: 1,
        dead_grants: 2,
        ended_sessions: 1,
        ended_subjects: 1,
        shown_once: 1,
        published_keys: 1,
        left_out: 3,
    };
    assert_eq!(imported, expected);
    let store = open(&data);
    let read = |grant: &Grant| answer(store.read_grant(grant.id));
    // What a restoring before this one has let through is let through once more.
    assert_eq!(read(&full.live), Some(Grant { is_resynchronised: false, ..full.live.clone() }));
    assert_eq!(read(&full.revoked), Some(full.revoked.clone()));
    assert_eq!(read(&full.ended), Some(Grant { revoked_at: Some(after(7)), ..full.ended.clone() }));
    assert_eq!(read(&full.over), None);
    assert_eq!(answer(store.read_code(full.code.id)), None);
    assert_eq!(answer(store.redeem(grant_of(&full.code), after(11))), Redemption::Unknown);
    let early_end = |subject| answer(store.early_end(full.signed_out, subject));
    assert_eq!(early_end("alice"), EarlyEnd { is_signed_out: true, valid_from: None });
    assert_eq!(early_end("carol").valid_from, Some(after(7)));
    assert_eq!(answer(store.remember_once([7; 32], after(1000), after(101))), Remembered::Before);
    // It has gone on since then, for as long as nobody knows.
    let Kept { served, keys } = publications();
    let served = served.map(|served| Served { stopped_at: None, ..served });
    assert_eq!(answer(store.publications()), Kept { served, keys });

    // And the backup of what was restored is the same, but for what was left out.
    drop(store);
    let again = export(&open(&data));
    let text = |file| String::from_utf8(file).expect("UTF-8");
    let (first, again) = (text(file), text(again));
    let records: Vec<_> = again.lines().filter(|line| !line.starts_with("{\"end\"")).collect();
    assert_eq!(records.len(), 1 + 7, "{again}");
    assert!(records.iter().all(|line| first.lines().any(|other| other == *line)), "{first}\n{again}");
}

#[test]
fn nothing_of_a_code_is_in_a_backup() {
    let folder = folder();
    let store = open(&folder.path().join("data"));
    let code = code_of("nobody-else");
    answer(store.put_code(code.clone()));
    let file = String::from_utf8(export(&store)).expect("UTF-8");
    assert!(!file.contains("nobody-else") && !file.contains(&code.id.to_string()), "{file}");
    assert_eq!(file.lines().count(), 3, "{file}");
}

#[test]
fn a_restored_store_lets_a_token_that_is_ahead_through_once_a_grant_for_one_idle_lifetime() {
    let folder = folder();
    let store = open(&folder.path().join("old"));
    let grants: Vec<_> = (0..3).map(|_| suite::put_grant(&store, 1)).collect();
    let file = export(&store);
    let store = restored(&file, &folder.path().join("data"));
    let rotate = |grant: &Grant, presented, now| answer(store.rotate(grant.id, presented, now, POLICY));
    let Rotation::Rotated(next) = rotate(&grants[0], 4, after(101)) else { panic!("not let through") };
    assert_eq!(next.generation, 5);
    assert!(matches!(rotate(&grants[0], 9, after(102)), Rotation::Ahead(_)), "twice");
    // What was spent after the backup takes the grant to another generation than its client has.
    assert!(matches!(rotate(&grants[1], 1, after(101)), Rotation::Rotated(_)));
    assert!(matches!(rotate(&grants[1], 4, after(102)), Rotation::Rotated(_)), "the client comes");
    assert!(matches!(rotate(&grants[1], 2, after(103)), Rotation::Reused(_)), "and ends what came of the other");
    // Not of the import's time but of the backup's is what the grant's own end rests on.
    let late = BEGIN + IDLE;
    assert!(matches!(rotate(&grants[2], 4, late), Rotation::Expired));
    drop(store);
    let long = Grant { expires_at: BEGIN + ABSOLUTE, ..grant_of(&code_of("alice")) };
    let store = open(&folder.path().join("third"));
    answer(store.put_grant(long.clone()));
    let store = restored(&export(&store), &folder.path().join("fourth"));
    assert!(matches!(answer(store.rotate(long.id, 4, after(100) + IDLE, POLICY)), Rotation::Ahead(_)));
}

#[test]
fn revoking_all_leaves_nothing_good_from_before_it_not_even_what_the_backup_does_not_name() {
    let folder = folder();
    let store = open(&folder.path().join("old"));
    let full = fill(&store);
    let file = export(&store);
    let data = folder.path().join("data");
    let imported = import_of(&file, &ImportTerms { revoke_all: true, ..terms(&data) }).expect("imported");
    assert_eq!((imported.live_grants, imported.dead_grants), (0, 3));
    let store = open(&data);
    let FoundGrants { grants, .. } = answer(store.find_grants(None, None, 100));
    assert_eq!(grants.len(), 3);
    for grant in &grants {
        let revoked_at = if grant.id == full.live.id { after(100) } else { grant.revoked_at.expect("revoked") };
        assert_eq!(grant.revoked_at, Some(revoked_at));
        assert!(revoked_at <= after(100));
        assert!(matches!(answer(store.rotate(grant.id, 4, after(101), POLICY)), Rotation::Revoked));
    }
    // Of somebody whom the backup does not know.
    let early_end = answer(store.early_end(SessionId::new(&OsRandom), "zoe"));
    assert_eq!(early_end, EarlyEnd { is_signed_out: false, valid_from: Some(after(100)) });
    let before = Grant { auth_time: after(100), ..grant_of(&code_of("zoe")) };
    let since = Grant { auth_time: after(101), ..grant_of(&code_of("zoe")) };
    for grant in [&before, &since] {
        answer(store.put_grant((*grant).clone()));
    }
    assert!(matches!(answer(store.rotate(before.id, 0, after(102), POLICY)), Rotation::Revoked));
    assert!(matches!(answer(store.rotate(since.id, 0, after(102), POLICY)), Rotation::Rotated(_)));
    // A backup of it is of the same: nothing comes back by it.
    let third = restored(&export(&store), &folder.path().join("third"));
    let early_end = answer(third.early_end(SessionId::new(&OsRandom), "zoe"));
    assert_eq!(early_end.valid_from, Some(after(100)));
    assert_eq!(answer(third.read_grant(before.id)).and_then(|grant| grant.revoked_at), Some(after(100)));
    // One who was ended later stays so.
    answer(third.end_all("zoe", after(200)));
    assert_eq!(answer(third.early_end(SessionId::new(&OsRandom), "zoe")).valid_from, Some(after(200)));
}

#[test]
fn what_was_revoked_before_an_export_began_is_never_in_it_alive_whatever_goes_on_meanwhile() {
    let folder = folder();
    let store = open(&folder.path().join("data"));
    let mut grants: Vec<_> = (0..700).map(|_| suite::put_grant(&store, 0)).collect();
    grants.sort_by_key(|grant| grant.id);
    let other = grant_of(&code_of("zoe"));
    answer(store.put_grant(other.clone()));
    answer(store.revoke_grant(grants[699].id, after(1)));
    answer(store.revoke_grant(grants[0].id, after(1)));
    answer(store.end_all("zoe", after(1)));
    // Between every two parts two rotate, one is revoked and one comes.
    let (mut file, mut number) = (Vec::new(), 1);
    for part in parts(&store) {
        file.extend(part);
        for grant in [&grants[number], &grants[699 - number]] {
            assert!(matches!(answer(store.rotate(grant.id, 0, after(2), POLICY)), Rotation::Rotated(_)));
        }
        answer(store.revoke_grant(grants[300 + number].id, after(2)));
        answer(store.put_grant(grant_of(&code_of("alice"))));
        number += 1;
    }
    assert!(number > 4, "it came in {number} parts");
    let restored = restored(&file, &folder.path().join("restored"));
    for dead in [&grants[0], &grants[699], &other] {
        assert_eq!(answer(restored.read_grant(dead.id)).and_then(|grant| grant.revoked_at), Some(after(1)));
    }
    for grant in &grants {
        let found = answer(restored.read_grant(grant.id)).expect("all that was there is in it");
        assert!(found.generation <= 1);
    }
}

#[test]
fn an_export_goes_on_while_all_records_are_written_anew() {
    let folder = folder();
    let data = folder.path().join("data");
    let sled = Arc::new(SledStore::open(options(&data, Durability::Fsync), clock()).expect("it opens"));
    let store: Shared = Arc::clone(&sled) as _;
    let grants: Vec<_> = (0..600).map(|_| suite::put_grant(&store, 0)).collect();
    let mut file = Vec::new();
    for part in parts(&store) {
        file.extend(part);
        answer(sled.rewrite());
    }
    assert_eq!(check(&file).expect("whole").grants, 600);
    let restored = restored(&file, &folder.path().join("restored"));
    assert!(grants.iter().all(|grant| answer(restored.read_grant(grant.id)).as_ref() == Some(grant)));
}

#[test]
fn an_export_that_breaks_off_says_at_which_record_and_nothing_of_a_person() {
    let grant = grant_of(&code_of("alice"));
    let id = &grant.id.simple().to_string()[..16];
    let cases: [(Vec<u8>, &[u8], String); 5] = [
        (
            [b"g", &grant.id.as_bytes()[..]].concat(),
            &[2, 0],
            format!("of kind Grant, whose key of 17 bytes begins with 67{id},"),
        ),
        (b"vmallory".to_vec(), &[1], "of kind ValidFrom, whose key of 8 bytes begins with 76,".to_owned()),
        (b"valice".to_vec(), &[], "of kind ValidFrom, whose key of 6 bytes begins with 76,".to_owned()),
        (b"zmallory".to_vec(), &[1, 0], "of an unknown kind, whose key of 8 bytes begins with 7a,".to_owned()),
        (b"pkey".to_vec(), &[1], "of kind Published, whose key of 4 bytes begins with 706b6579,".to_owned()),
    ];
    for (key, value, expected) in cases {
        let folder = folder();
        let data = folder.path().join("data");
        let store = open(&data);
        answer(store.put_grant(grant.clone()));
        drop(store);
        let raw = ::sled::open(data.join("records")).expect("it opens");
        raw.insert(key, value).expect("inserted");
        drop(raw);
        promise_no_content(&data);
        let store = open(&data);
        let mut export = Arc::clone(&store).export(origin());
        let said = loop {
            match try_answer(export.next()) {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it is whole without {expected}"),
                Err(unavailable) => break unavailable.to_string(),
            }
        };
        assert!(said.contains(&format!("a record {expected} cannot be read")), "{said}");
        assert!(!said.contains("mallory") && !said.contains("6d616c6c") && !said.contains("616c6963"), "{said}");
    }
}
