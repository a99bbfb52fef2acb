//! A backup: what is in it and what is not, what comes of it, and that nothing comes of half of one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jotsmith::authorize::store::Redemption;
use jotsmith::foundation::once::Remembered;
use jotsmith::foundation::random::OsRandom;
use jotsmith::foundation::storage::Origin;
use jotsmith::keys::history::{Kept, PublishedKey, Served};
use jotsmith::login::session::{EarlyEnd, SessionId};
use jotsmith::store::Durability;
use jotsmith::store::backup::{Backup, Check, Whole};
use jotsmith::store::sled::{
    CommitStep, ImportFailed, ImportTerms, Imported, OpenFailed, SledStore, import, import_with_probe,
};
use jotsmith::tokens::grant::Grant;
use jotsmith::tokens::store::{FoundGrants, Rotation};

use crate::sled::{At, clock, copy, folder, open, options, promise_no_content, try_open};
use crate::suite::{self, ABSOLUTE, BEGIN, IDLE, POLICY, Shared, after, answer, code_of, grant_of, try_answer};

const ISSUER: &str = "https://login.example";
const TOMBSTONE: Duration = Duration::from_hours(1);

/// The file that was written by the first version.
const FORMAT_1: &[u8] = include_bytes!("fixtures/export-format-1.jsonl");

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

/// What a file is found to be that comes in parts of this many bytes.
fn check(file: &[u8]) -> Result<Whole, jotsmith::store::backup::BackupRefused> {
    let mut outcome = None;
    for bytes in [1, 7, 4096, usize::MAX] {
        let mut check = Check::default();
        let pushed = file.chunks(bytes.min(file.len().max(1))).try_for_each(|part| check.push(part));
        let checked = pushed.and_then(|()| check.finish());
        let said = checked.as_ref().map_err(ToString::to_string).cloned();
        assert_eq!(*outcome.get_or_insert_with(|| said.clone()), said, "in parts of {bytes}");
        if bytes == usize::MAX {
            return checked;
        }
    }
    unreachable!("the last one returns")
}

/// Asserts that a file is refused where it is read, and that nothing is left of it.
fn refused(file: &[u8], data: &Path, what: &str) -> String {
    let failed = import_of(file, &terms(data)).expect_err(what);
    assert!(failed.is_of_file(), "{what}: {failed}");
    assert!(!data.exists(), "{what} left something");
    check(file).expect_err(what);
    failed.to_string()
}

#[test]
fn a_file_that_was_cut_off_anywhere_is_refused_and_leaves_nothing() {
    let folder = folder();
    let (data, file) = (folder.path().join("data"), FORMAT_1);
    let ends: Vec<_> = file.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    assert!(ends.len() > 8, "{} lines", ends.len());
    // At every line and around it, and at some bytes in between.
    let around = ends.iter().flat_map(|end| [end - 1, *end, end + 1]).filter(|at| *at < file.len());
    for at in around.chain((0..file.len()).step_by(97)) {
        let said = refused(&file[..at], &data, &format!("{at} bytes"));
        assert!(at < ends[0] || said.contains("cut off") || said.contains("line"), "{at}: {said}");
    }
}

#[test]
fn a_file_in_which_a_bit_was_changed_is_refused_and_leaves_nothing() {
    let folder = folder();
    let data = folder.path().join("data");
    for at in (0..FORMAT_1.len()).step_by(13) {
        for bit in [1, 0x20] {
            let mut file = FORMAT_1.to_vec();
            file[at] ^= bit;
            check(&file).expect_err("changed");
            if at % 5 == 0 {
                refused(&file, &data, &format!("bit {bit} of byte {at}"));
            }
        }
    }
}

#[test]
fn lines_that_are_missing_twice_in_another_order_or_too_many_are_refused() {
    let folder = folder();
    let data = folder.path().join("data");
    let text = std::str::from_utf8(FORMAT_1).expect("UTF-8");
    let lines: Vec<_> = text.lines().collect();
    let joined = |lines: &[&str]| (lines.join("\n") + "\n").into_bytes();
    assert_eq!(joined(&lines), FORMAT_1);
    let mut missing = lines.clone();
    missing.remove(3);
    let mut turned = lines.clone();
    turned.swap(2, 3);
    let twice = [&lines[..3], &lines[2..]].concat();
    for lines in [&missing, &turned, &twice] {
        let said = refused(&joined(lines), &data, "other lines");
        assert!(said.contains("counts and digests") || said.contains("was said before"), "{said}");
    }
    for more in ["\n", "{}\n", " ", lines[0]] {
        assert!(refused(&[FORMAT_1, more.as_bytes()].concat(), &data, "too long").contains("goes on after"));
    }
    // Whoever writes a last line that fits gets no further than a record may.
    let body = &lines[..lines.len() - 1];
    assert!(import_of(&sealed_anew(body), &terms(&data)).is_ok());
    fs::remove_dir_all(&data).expect("removed");
    let twice = [body, &[body[2]]].concat();
    assert!(refused_import(&sealed_anew(&twice), &data).contains("was said before"));
    let grant = body.iter().find(|line| line.starts_with("{\"grant\"")).expect("a grant");
    for (from, to, what) in [
        ("\"client_id\":\"", "\"client_id\":\"\\u00e9", "client_id"),
        ("\"subject\":\"", "\"subject\":\" ", "subject"),
        ("\"generation\":", "\"revision\":1,\"generation\":", "JSON"),
        ("\"generation\":", "\"generation\":-", "JSON"),
        ("\"generation\":", "\"generation\":1,\"generation\":", "JSON"),
        ("\"scope\":\"", "\"scope\":\"a  b", "JSON"),
        ("{\"grant\":", "{\"code\":", "JSON"),
        ("}}", "},\"grant\":{}}", "JSON"),
    ] {
        let changed = grant.replacen(from, to, 1);
        assert_ne!(*grant, changed, "{from}");
        let said = refused(&sealed_anew(&[body[0], &changed]), &data, what);
        assert!(said.contains("line 2") && said.contains(what), "{said}");
    }
    let redirect = format!("\"redirect_uri\":\"https://{}\"", "a".repeat(5000));
    let large = grant.replace("\"redirect_uri\":\"https://client.example/callback\"", &redirect);
    assert!(refused_import(&sealed_anew(&[body[0], &large]), &data).contains("more than 4096"));
    let endless = format!("{{\"grant\":\"{}\"}}", "a".repeat(2 << 20));
    assert!(refused(&sealed_anew(&[body[0], &endless]), &data, "endless").contains("longer than"));
    for nothing in [&b""[..], b"\n", b"{}\n", b"null\n", &[0; 100], b"{\"jotsmith-export\":{}}\n", &vec![b'a'; 3 << 20]]
    {
        assert!(refused(nothing, &data, "something else").contains("is no file"));
    }
}

/// The same for what is only found when it is written.
fn refused_import(file: &[u8], data: &Path) -> String {
    let failed = import_of(file, &terms(data)).expect_err("refused");
    assert!(failed.is_of_file() && !data.exists(), "{failed}");
    failed.to_string()
}

#[test]
fn a_file_of_a_later_format_or_of_another_server_is_refused_before_anything_is_made() {
    let folder = folder();
    let data = folder.path().join("not/yet/there");
    let text = std::str::from_utf8(FORMAT_1).expect("UTF-8");
    let later = text.replacen("\"format\":1", "\"format\":2,\"more\":[]", 1);
    let said = import_of(later.as_bytes(), &terms(&data)).expect_err("unknown").to_string();
    assert!(said.contains("format 2") && said.contains("later one"), "{said}");
    let other = ImportTerms { issuer: "https://other.example".to_owned(), ..terms(&data) };
    let said = import_of(FORMAT_1, &other).expect_err("another's").to_string();
    assert!(said.contains(ISSUER) && said.contains("https://other.example"), "{said}");
    assert!(!folder.path().join("not").exists());
}

#[test]
fn a_folder_that_is_in_use_or_has_a_store_or_anything_else_is_left_as_it_is() {
    let folder = folder();
    let data = folder.path().join("data");
    let store = open(&data);
    let grant = suite::put_grant(&store, 0);
    let failed = import_of(FORMAT_1, &terms(&data)).expect_err("in use");
    assert!(matches!(failed, ImportFailed::Folder(OpenFailed::InUse { .. })), "{failed}");
    drop(store);
    let before = crate::damage::contents(&data);
    let failed = import_of(FORMAT_1, &terms(&data)).expect_err("a store");
    assert!(matches!(failed, ImportFailed::Folder(OpenFailed::NotEmpty { .. })), "{failed}");
    assert_eq!(crate::damage::contents(&data), before);
    assert_eq!(answer(open(&data).read_grant(grant.id)), Some(grant));

    let foreign = folder.path().join("foreign");
    fs::create_dir(&foreign).expect("created");
    fs::write(foreign.join("letters"), "of love").expect("written");
    let failed = import_of(FORMAT_1, &terms(&foreign)).expect_err("something else");
    assert!(matches!(failed, ImportFailed::Folder(OpenFailed::Foreign { .. })), "{failed}");
    assert_eq!(fs::read_dir(&foreign).expect("a folder").count(), 1);

    // An empty disk, and a first start that was cut short.
    let empty = folder.path().join("empty");
    fs::create_dir_all(empty.join("lost+found")).expect("created");
    import_of(&FORMAT_1[..FORMAT_1.len() - 1], &terms(&empty)).expect_err("cut off");
    assert_eq!(fs::read_dir(&empty).expect("a folder").count(), 1, "as it was");
    import_of(FORMAT_1, &terms(&empty)).expect("imported");
    let cut = folder.path().join("cut");
    fs::create_dir_all(cut.join("records/blobs")).expect("created");
    fs::write(cut.join("jotsmith.store"), "").expect("written");
    import_of(FORMAT_1, &terms(&cut)).expect("imported");
    assert!(!cut.join("records").exists());
}

#[test]
fn a_store_whose_mark_says_nothing_is_not_imported_over() {
    let folder = folder();
    for (number, is_rewritten, mark) in [(0, false, vec![]), (1, false, vec![0; 200]), (2, true, vec![0; 4096])] {
        let data = folder.path().join(format!("data-{number}"));
        let store = open(&data);
        let grant = suite::put_grant(&store, 0);
        if is_rewritten {
            drop(store);
            answer(try_open(&data).expect("it opens").rewrite());
        } else {
            drop(store);
        }
        let good = fs::read(data.join("jotsmith.store")).expect("a mark");
        fs::write(data.join("jotsmith.store"), mark).expect("written");
        let before = crate::damage::contents(&data);
        for file in [FORMAT_1, &FORMAT_1[..FORMAT_1.len() - 1]] {
            let failed = import_of(file, &terms(&data)).expect_err("a store");
            assert!(matches!(failed, ImportFailed::Folder(OpenFailed::NotEmpty { .. })), "{failed}");
            assert_eq!(crate::damage::contents(&data), before);
        }
        // Whoever knows what the mark said has all again.
        fs::write(data.join("jotsmith.store"), good).expect("written");
        assert_eq!(answer(open(&data).read_grant(grant.id)), Some(grant));
    }
}

/// Imports a file of many slices while `reach` stands between the steps.
fn import_past(
    file: &[u8],
    data: &Path,
    reach: impl FnMut(CommitStep) -> io::Result<()> + Send,
) -> Result<Imported, ImportFailed> {
    import_with_probe(&terms(data), Backup::open(file)?, &mut At(reach))
}

fn many(folder: &Path) -> (Vec<u8>, Vec<Grant>) {
    let store = open(&folder.join("many"));
    let grants = (0..600).map(|_| suite::put_grant(&store, 0)).collect();
    (export(&store), grants)
}

#[test]
fn an_import_that_is_killed_anywhere_is_no_store_or_a_whole_one_and_can_be_repeated() {
    use CommitStep::{Complete, Copy, Switch, Switched};

    let folder = folder();
    let (file, grants) = many(folder.path());
    let data = folder.path().join("data");
    let left: Arc<Mutex<Vec<(CommitStep, PathBuf)>>> = Arc::default();
    let probe = {
        let (left, data) = (Arc::clone(&left), data.clone());
        move |step| {
            let mut left = left.lock().expect("unpoisoned");
            let to = data.with_file_name(format!("left-{}", left.len()));
            copy(&data, &to);
            left.push((step, to));
            Ok(())
        }
    };
    import_past(&file, &data, probe).expect("imported");
    let left = left.lock().expect("unpoisoned");
    let steps: Vec<_> = left.iter().map(|(step, _)| *step).collect();
    assert_eq!(steps, [Copy, Copy, Copy, Complete, Switch, Switched]);
    // A power cut may keep what was written and not the length it gave: so no write gives another one.
    let length = |path: &PathBuf| fs::metadata(path.join("jotsmith.store")).expect("a mark").len();
    let lengths: Vec<_> = left.iter().map(|(_, path)| length(path)).collect();
    assert!(lengths.iter().all(|length| *length == lengths[0]), "{lengths:?}");
    let is_whole =
        |store: &Shared| grants.iter().all(|grant| answer(store.read_grant(grant.id)).as_ref() == Some(grant));
    for (step, path) in left.iter() {
        if *step != Switched {
            let refused = try_open(path).expect_err("half of a backup");
            assert!(matches!(refused, OpenFailed::ImportCutOff { .. }), "{step:?}: {refused}");
            assert!(!jotsmith::store::sled::is_new(path).expect("readable"), "a server would make keys");
            // A file that is refused now makes no empty store of it either.
            import_of(&file[..file.len() - 1], &terms(path)).expect_err("cut off");
            assert!(matches!(try_open(path), Err(OpenFailed::ImportCutOff { .. })), "{step:?}");
            import_of(&file, &terms(path)).expect("repeated");
        }
        assert!(is_whole(&open(path)), "{step:?}");
    }
    assert!(is_whole(&open(&data)));
}

#[test]
fn an_import_that_fails_anywhere_leaves_the_folder_as_it_was() {
    let folder = folder();
    let (file, _) = many(folder.path());
    for (number, failing) in [CommitStep::Copy, CommitStep::Complete, CommitStep::Switch].into_iter().enumerate() {
        let data = folder.path().join(format!("data-{number}"));
        if number == 1 {
            fs::create_dir(&data).expect("created");
        }
        let mut reached = 0;
        let failed = import_past(&file, &data, |step| {
            reached += u32::from(step == CommitStep::Copy);
            let is_there = step == failing && (failing != CommitStep::Copy || reached == 2);
            if is_there { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        });
        let failed = failed.expect_err("it fails there");
        assert!(!failed.is_of_file() && failed.to_string().contains("make room"), "{failed}");
        assert_eq!(data.exists(), number == 1);
        assert!(number != 1 || fs::read_dir(&data).expect("a folder").next().is_none(), "{failing:?}");
        import_of(&file, &terms(&data)).expect("once there is room");
    }
}

#[test]
fn an_import_whose_last_sync_fails_leaves_no_mark_that_names_what_was_removed() {
    let folder = folder();
    let (file, _) = many(folder.path());
    let whole = folder.path().join("whole");
    import_of(&file, &terms(&whole)).expect("imported");
    let named = fs::read(whole.join("jotsmith.store")).expect("a mark");
    for is_begun in [false, true] {
        let data = folder.path().join(format!("data-{is_begun}"));
        if is_begun {
            let probe = |step| {
                if step == CommitStep::Copy && !data.with_extension("cut").exists() {
                    copy(&data, &data.with_extension("cut"));
                }
                Ok(())
            };
            import_past(&file, &data, probe).expect("imported");
            fs::remove_dir_all(&data).expect("removed");
            fs::rename(data.with_extension("cut"), &data).expect("renamed");
        }
        // The file has what was written last, and the disk said that it has not.
        let failed = import_past(&file, &data, |step| {
            if step != CommitStep::Switch {
                return Ok(());
            }
            fs::write(data.join("jotsmith.store"), &named)?;
            Err(io::ErrorKind::StorageFull.into())
        });
        failed.expect_err("it fails there");
        assert_eq!(data.exists(), is_begun);
        if is_begun {
            let refused = try_open(&data).expect_err("no store");
            assert!(matches!(refused, OpenFailed::ImportCutOff { .. }), "{refused}");
            assert_eq!(fs::read_dir(&data).expect("a folder").count(), 1, "the mark alone");
        }
        import_of(&file, &terms(&data)).expect("repeated");
    }
}

#[test]
fn what_is_left_of_an_import_that_cannot_be_removed_stands_under_a_mark_that_says_so() {
    let folder = folder();
    let (file, _) = many(folder.path());
    let data = folder.path().join("data");
    let failed = import_past(&file, &data, |step| {
        if step != CommitStep::Switch {
            return Ok(());
        }
        // No folder of records, so it is not removed as one.
        fs::remove_dir_all(data.join("records.1"))?;
        fs::write(data.join("records.1"), "")?;
        Err(io::ErrorKind::StorageFull.into())
    });
    failed.expect_err("it fails there");
    assert!(data.join("records.1").exists());
    let refused = try_open(&data).expect_err("no store");
    assert!(matches!(refused, OpenFailed::ImportCutOff { .. }), "{refused}");
    fs::remove_file(data.join("records.1")).expect("removed");
    import_of(&file, &terms(&data)).expect("repeated");
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
const STORE_OF_FORMAT_1: &str = include_str!("fixtures/store-format-1.json");

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
