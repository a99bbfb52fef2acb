//! The file of a backup: what is cut off, changed, put in another order or not ours is refused, and leaves nothing.

use std::fs;
use std::path::Path;

use jotsmith::store::backup::{Check, Whole};
use jotsmith::store::sled::ImportTerms;

use super::format_1::FORMAT_1;
use super::{ISSUER, import_of, sealed_anew, terms};
use crate::sled::folder;

/// What a file is found to be that comes in parts of this many bytes.
pub(super) fn check(file: &[u8]) -> Result<Whole, jotsmith::store::backup::BackupRefused> {
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
