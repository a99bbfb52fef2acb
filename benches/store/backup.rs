//! A backup, and a store made of it.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jotsmith::foundation::storage::{ExportStore as _, Origin};
use jotsmith::store::backup::Backup;
use jotsmith::store::sled::{ImportTerms, SledStore, import};

use super::filled::{BEGIN, DAY, open, runtime};
use super::refreshes::{Refreshed, head};
use super::space::{opened, peak_mib};

/// A backup of this many grants, at rest and beside refreshes, and a store of it.
pub(crate) fn report(root: &Path, grants: u64) {
    let folder = tempfile::tempdir_in(root).expect("a folder");
    let (data, file) = (folder.path().join("data"), folder.path().join("backup.jsonl"));
    let Refreshed { store, ids, .. } = Refreshed::with(&data, grants);
    println!("\nbackup of {grants} grants; filled with a peak of {} MiB", peak_mib());
    drop(store);
    let (store, syncs) = open(&data);
    let refreshed = Refreshed { store, syncs, ids };
    println!("opened again: {} MiB", peak_mib());
    let export = |store: &Arc<SledStore>| {
        let origin = Origin {
            issuer: "https://login.example.com".to_owned(),
            begun_at: BEGIN,
            is_running: true,
            sealing_keys: Vec::new(),
        };
        let mut export = Arc::clone(store).export(origin);
        let mut to = io::BufWriter::new(fs::File::create(&file).expect("created"));
        let (begun, mut longest) = (Instant::now(), Duration::ZERO);
        runtime().block_on(async {
            loop {
                let part_begun = Instant::now();
                let Some(part) = export.next().await.expect("answered") else { break };
                longest = longest.max(part_begun.elapsed());
                io::Write::write_all(&mut to, &part).expect("written");
            }
        });
        println!(
            "exported in {:.1} s, {} bytes a grant; longest slice {:.1} ms; peak {} MiB",
            begun.elapsed().as_secs_f64(),
            fs::metadata(&file).map_or(0, |metadata| metadata.len()) / grants,
            longest.as_secs_f64() * 1000.0,
            peak_mib()
        );
    };
    export(&refreshed.store);
    head("beside an export", "rotations");
    refreshed.measure("at rest", 16);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            export(&refreshed.store);
            is_over.store(true, Ordering::Relaxed);
        });
        refreshed.measure_until("during an export", 16, |_| is_over.load(Ordering::Relaxed));
    });
    drop(refreshed);
    fs::remove_dir_all(&data).expect("removed");
    peak_mib();
    let terms = ImportTerms {
        folder: data.clone(),
        issuer: "https://login.example.com".to_owned(),
        now: BEGIN,
        tombstone: DAY,
        revoke_all: false,
    };
    let begun = Instant::now();
    let backup = Backup::open(io::BufReader::new(fs::File::open(&file).expect("there"))).expect("a backup");
    let imported = import(&terms, backup).expect("imported");
    println!("imported {} in {:.1} s; peak {} MiB", imported.live_grants, begun.elapsed().as_secs_f64(), peak_mib());
    opened("opened after that", &data);
}
