//! Folders that are no store, stores that somebody else has, and files that were damaged: one sentence, and nothing that
//! was there is lost or overwritten.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jotsmith::foundation::id;
use jotsmith::foundation::random::OsRandom;
use jotsmith::store::sled::{OpenFailed, SledStore};
use jotsmith::store::{Durability, StoreOptions};
use jotsmith::tokens::grant::Grant;

use crate::sled::{clock, copy, folder, open, options, promise_no_content, try_open};
use crate::suite::{ABSOLUTE, IDLE, POLICY, Shared, after, answer, code_of, grant_of, put_grant, try_answer};

/// sled writes its log in parts of this many bytes.
const SEGMENT: usize = 512 * 1024;

/// Every file below a folder and what it holds.
pub(crate) fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            let bytes = fs::read(&path).expect("readable");
            found.insert(path, bytes);
        }
    }
    found
}

/// A closed store with some history, and what it knows.
fn filled(data: &Path) -> Vec<Grant> {
    let store = open(data);
    let grants: Vec<_> = (0..40).map(|_| put_grant(&store, 0)).collect();
    let known = |store: &Shared| grants.iter().filter_map(|grant| answer(store.read_grant(grant.id))).collect();
    for presented in 0..10 {
        for grant in &grants {
            answer(store.rotate(grant.id, presented, after(1), POLICY));
        }
    }
    known(&store)
}

fn knows(store: &Shared, grants: &[Grant]) -> bool {
    grants.iter().all(|grant| answer(store.read_grant(grant.id)).as_ref() == Some(grant))
}

fn only_snapshot(records: &Path) -> PathBuf {
    let is_snapshot = |path: &PathBuf| path.to_string_lossy().contains("/snap.");
    let mut found = fs::read_dir(records).expect("a folder").map(|entry| entry.expect("an entry").path());
    found.find(is_snapshot).expect("a snapshot")
}

#[test]
fn a_second_handle_is_refused_while_the_first_goes_on() {
    // The lock is that of what is open, not of the process, so this is what a second process meets too.
    let folder = folder();
    let data = folder.path().join("data");
    let first = open(&data);
    let refused = try_open(&data).expect_err("it is in use");
    assert_eq!(refused, OpenFailed::InUse { folder: data.clone() });
    assert!(refused.to_string().contains("in use by another process"), "{refused}");
    let grant = put_grant(&first, 0);
    drop(first);
    assert_eq!(answer(open(&data).read_grant(grant.id)), Some(grant));
}

#[test]
fn a_folder_with_anything_else_in_it_is_left_as_it_is() {
    let folder = folder();
    fs::create_dir(folder.path().join("photos")).expect("created");
    fs::write(folder.path().join("photos/cat.jpg"), "meow").expect("written");
    let before = contents(folder.path());
    let refused = try_open(folder.path()).expect_err("it is no store");
    assert_eq!(refused, OpenFailed::Foreign { folder: folder.path().to_owned() });
    assert_eq!(contents(folder.path()), before);
}

#[test]
fn a_database_of_another_program_is_left_as_it_is() {
    let folder = folder();
    let data = folder.path().join("data");
    let other = ::sled::open(&data).expect("it opens");
    other.insert("key", "value").expect("inserted");
    drop(other);
    let before = contents(&data);
    assert!(matches!(try_open(&data), Err(OpenFailed::Foreign { .. })));
    assert_eq!(contents(&data), before);
}

#[test]
fn an_empty_disk_is_no_foreign_folder() {
    let folder = folder();
    fs::create_dir(folder.path().join("lost+found")).expect("created");
    assert!(try_open(folder.path()).expect("it opens").is_new());
}

#[test]
fn a_store_of_another_format_is_left_as_it_is() {
    let folder = folder();
    let data = folder.path().join("data");
    drop(open(&data));
    let mark = data.join("jotsmith.store");
    let text = fs::read_to_string(&mark).expect("text");
    fs::write(&mark, text.replace("format 1", "format 2")).expect("written");
    let before = contents(&data);
    assert_eq!(try_open(&data).expect_err("not ours"), OpenFailed::UnknownFormat { file: mark, format: 2 });
    assert_eq!(contents(&data), before);
}

#[test]
fn the_folder_is_its_owners_alone() {
    let folder = folder();
    let (new, open_to_all) = (folder.path().join("a/new"), folder.path().join("b"));
    fs::create_dir(&open_to_all).expect("created");
    fs::set_permissions(&open_to_all, fs::Permissions::from_mode(0o755)).expect("permitted");
    for data in [new, open_to_all] {
        drop(open(&data));
        for private in [data.clone(), data.join("records")] {
            assert_eq!(fs::metadata(&private).expect("there").permissions().mode() & 0o777, 0o700, "{private:?}");
        }
    }
}

#[test]
fn a_snapshot_that_a_kill_left_unfinished_is_no_obstacle() {
    let folder = folder();
    let data = folder.path().join("data");
    let grants = filled(&data);
    fs::write(data.join("records/snap.00000000000FFFFF.generating"), [0; 5]).expect("written");
    assert!(knows(&open(&data), &grants));
    // It is removed before it can be taken for damage, which would cost a reading of the whole log.
    assert!(contents(&data).keys().all(|path| !path.to_string_lossy().contains("aside")));
}

#[test]
fn a_damaged_snapshot_is_removed_and_the_log_rebuilds_all() {
    let folder = folder();
    let data = folder.path().join("data");
    let grants = filled(&data);
    drop(open(&data));
    let snapshot = only_snapshot(&data.join("records"));
    let mut bytes = fs::read(&snapshot).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&snapshot, &bytes).expect("written");
    assert!(knows(&open(&data), &grants));
    // Once the log was found whole, it serves nobody.
    assert!(contents(&data).keys().all(|path| !path.to_string_lossy().contains("aside")));
}

#[test]
fn a_record_that_cannot_be_read_stands_in_nobody_elses_way() {
    let folder = folder();
    let data = folder.path().join("data");
    let grants = filled(&data);
    let raw = ::sled::open(data.join("records")).expect("it opens");
    let (bad, good) = grants.split_at(3);
    for (grant, spoilt) in bad.iter().zip([&[][..], &[1], &[2, 0, 0]]) {
        raw.insert([b"g", &grant.id.as_bytes()[..]].concat(), spoilt).expect("inserted");
    }
    drop(raw);
    promise_no_content(&data);
    let store = open(&data);
    for Grant { id, .. } in bad {
        assert!(try_answer(store.read_grant(*id)).is_err());
        assert!(try_answer(store.rotate(*id, 10, after(2), POLICY)).is_err());
        assert!(try_answer(store.revoke_grant(*id, after(2))).is_err());
    }
    assert!(knows(&store, good));
    assert_eq!(answer(store.sweep(after(0) + 2 * ABSOLUTE, IDLE, 1000)).removed, good.len());
    // They are still there for whoever wants to know what happened.
    assert!(bad.iter().all(|grant| try_answer(store.read_grant(grant.id)).is_err()));
}

#[test]
fn records_that_are_not_those_that_were_promised_are_damage() {
    let folder = folder();
    let data = folder.path().join("data");
    let grants = filled(&data);
    let key = |grant: &Grant| [b"g", &grant.id.as_bytes()[..]].concat();
    // One that is gone, and one that is as it was a refresh ago: sled can lose either without a word.
    for spoil in
        [&(|raw: &::sled::Db| raw.remove(key(&grants[0])).map(|_| ())) as &dyn Fn(&_) -> _, &|raw: &::sled::Db| {
            let mut older = raw.get(key(&grants[1]))?.expect("there").to_vec();
            *older.last_mut().expect("not empty") ^= 1;
            raw.insert(key(&grants[1]), older).map(|_| ())
        }]
    {
        let spoilt = folder.path().join("spoilt");
        copy(&data, &spoilt);
        let raw = ::sled::open(spoilt.join("records")).expect("it opens");
        spoil(&raw).expect("spoilt");
        drop(raw);
        let refused = try_open(&spoilt).expect_err("something is not as it was");
        assert!(matches!(refused, OpenFailed::Damaged { .. }), "{refused}");
        fs::remove_dir_all(spoilt).expect("removed");
    }
    assert!(knows(&open(&data), &grants));
}

#[test]
fn a_record_beyond_the_limit_is_refused_and_nothing_of_its_step_is_done() {
    let folder = folder();
    let store = open(&folder.path().join("data"));
    let code = code_of("alice");
    answer(store.put_code(code.clone()));
    let grant = Grant { redirect_uri: Some("x".repeat(5000).into()), ..grant_of(&code) };
    assert!(try_answer(store.redeem(grant, after(0))).is_err());
    assert_eq!(answer(store.read_code(code.id)), Some(code));
}

#[test]
fn a_cache_of_nothing_is_no_obstacle() {
    let folder = folder();
    let options = StoreOptions { cache_bytes: 0, ..options(&folder.path().join("data"), Durability::Fsync) };
    assert!(SledStore::open(options, clock()).is_ok());
}

#[test]
fn a_database_file_that_is_gone_is_damage_and_no_reason_to_start_anew() {
    let folder = folder();
    let data = folder.path().join("data");
    filled(&data);
    fs::remove_file(data.join("records/db")).expect("removed");
    let refused = try_open(&data).expect_err("all is gone");
    assert!(matches!(refused, OpenFailed::Damaged { .. }), "{refused}");
    assert!(!data.join("records/db").exists());
}

#[test]
fn a_database_file_that_was_cut_off_or_replaced_by_an_older_one_is_damage() {
    let folder = folder();
    let [data, older] = ["data", "older"].map(|name| folder.path().join(name));
    drop(open(&data));
    copy(&data, &older);
    filled(&data);
    let database = data.join("records/db");
    let used = fs::read(&database).expect("readable").iter().rposition(|byte| *byte != 0).expect("not empty") as u64;
    for spoil in
        [&(|| fs::copy(older.join("records/db"), &database).map(|_| ()).expect("copied")) as &dyn Fn(), &|| {
            fs::File::options().write(true).open(&database).expect("opens").set_len(used / 2).expect("cut off");
        }]
    {
        let whole = fs::read(&database).expect("readable");
        spoil();
        let spoilt = fs::read(&database).expect("readable");
        let refused = try_open(&data).expect_err("something is gone");
        assert!(matches!(refused, OpenFailed::Damaged { .. }), "{refused}");
        assert_eq!(fs::read(&database).expect("readable"), spoilt, "what was left was changed");
        fs::write(&database, whole).expect("written");
    }
}

/// Flips one bit at each of `flips` places in the first `used` bytes of the database file, each time in a new copy; how
/// many of those are refused. Each is that with nothing changed, or still knows all.
fn flip_bits(whole: &Path, used: usize, flips: usize, grants: &[Grant]) -> usize {
    let database = fs::read(whole.join("records/db")).expect("readable");
    let mut refused = 0;
    for flip in 0..flips {
        let data = whole.with_file_name(format!("flip-{flip}"));
        copy(whole, &data);
        let mut bytes = database.clone();
        bytes[used * flip / flips] ^= 1 << (flip % 8);
        fs::write(data.join("records/db"), &bytes).expect("written");
        match try_open(&data) {
            Ok(store) => {
                let store: Shared = Arc::new(store);
                assert!(knows(&store, grants), "a bit at {} of {used} took records away", used * flip / flips);
            }
            Err(error) => {
                assert!(matches!(error, OpenFailed::Damaged { .. }), "{error}");
                assert_eq!(fs::read(data.join("records/db")).expect("readable"), bytes, "{error}");
                refused += 1;
            }
        }
        fs::remove_dir_all(data).expect("removed");
    }
    refused
}

#[test]
fn a_flipped_bit_anywhere_loses_nothing_or_is_refused_with_nothing_changed() {
    let folder = folder();
    let whole = folder.path().join("whole");
    let grants = filled(&whole);
    let store = open(&whole);
    let more: Vec<_> = (0..40).map(|_| put_grant(&store, 3)).collect();
    drop(store);
    let database = fs::read(whole.join("records/db")).expect("readable");
    let used = database.iter().rposition(|byte| *byte != 0).expect("not empty");
    let refused = flip_bits(&whole, used, 60, &[grants, more].concat());
    assert!(refused > 5, "{refused} refused");
}

#[test]
fn damage_in_a_page_that_opening_alone_would_not_read_is_found() {
    let folder = folder();
    let data = folder.path().join("data");
    let store = open(&data);
    let old = (0..50).map(|_| put_grant(&store, 0)).min_by_key(|grant| grant.id).expect("one of fifty");
    // Much that came later and lies elsewhere.
    for seconds in 1..700 {
        let id = id::uuid_v7(after(seconds), &OsRandom);
        answer(store.put_grant(Grant { id, redirect_uri: Some("x".repeat(3000).into()), ..old.clone() }));
    }
    drop(store);
    // A snapshot of all of it, which spares the next opening the reading of the log.
    drop(open(&data));
    let database = data.join("records/db");
    let mut bytes = fs::read(&database).expect("readable");
    assert!(bytes.len() > 3 * SEGMENT, "{} bytes may all be read", bytes.len());
    let is_old = |place: &usize| bytes[*place..].starts_with(old.id.as_bytes());
    let places: Vec<_> = (0..bytes.len()).filter(is_old).collect();
    for place in &places {
        bytes[*place] ^= 1;
    }
    assert!(!places.is_empty());
    fs::write(&database, &bytes).expect("written");
    let refused = try_open(&data).expect_err("a record is spoilt");
    assert!(matches!(refused, OpenFailed::Damaged { .. }), "{refused}");
    assert_eq!(fs::read(&database).expect("readable"), bytes);
}
