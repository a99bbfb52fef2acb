//! The assertions of the fuzz targets hold for their seeds, without an engine, so that they do not rot between two runs
//! of one. How to fuzz: `fuzz/README.md`.

#[path = "../fuzz/src/lib.rs"]
pub mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use targets::{TARGETS, Target};

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").path().file_stem().expect("a name").display().to_string()).collect()
}

/// Gives a target its seeds, cut off and with one bit flipped at a few places too.
fn give_seeds((name, target): Target) {
    for entry in fs::read_dir(folder().join("seeds").join(name)).expect("seeds") {
        let seed = fs::read(entry.expect("an entry").path()).expect("a seed");
        target(&seed);
        let step = seed.len() / 24 + 1;
        for at in (0..seed.len()).step_by(step) {
            target(&seed[..at]);
            let mut flipped = seed.clone();
            flipped[at] ^= 1 << (at % 8);
            target(&flipped);
        }
    }
}

#[test]
fn every_target_holds_for_its_seeds_and_for_what_is_almost_one() {
    let failed = |target: &Target| std::panic::catch_unwind(|| give_seeds(*target)).is_err();
    let failed: Vec<_> = TARGETS.into_iter().filter(failed).map(|(name, _)| name).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn every_target_has_a_binary_and_seeds() {
    let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&folder().join("fuzz_targets")), targets);
    assert_eq!(names(&folder().join("seeds")), targets);
}
