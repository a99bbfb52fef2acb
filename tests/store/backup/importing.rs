//! An import that is killed or fails, anywhere, and one into a folder that is not empty.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use jotsmith::store::backup::Backup;
use jotsmith::store::sled::{CommitStep, ImportFailed, Imported, OpenFailed, import_with_probe};
use jotsmith::tokens::grant::Grant;

use super::format_1::FORMAT_1;
use super::{export, import_of, terms};
use crate::sled::{At, copy, folder, open, try_open};
use crate::suite::{self, Shared, answer};

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
