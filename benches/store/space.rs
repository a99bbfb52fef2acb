//! What a store takes: memory, room on the disk, and time to open.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use jotsmith::store::sled::SledStore;

use super::filled::open;

/// Prints how much a store holds, and what that takes.
pub(crate) fn space(when: &str, store: &SledStore, data: &Path) {
    let held = store.figures();
    let records = held.live_records.max(1);
    println!(
        "{when}: {} records of {} bytes; {} bytes of file a record, {} bytes of folder; {} resident, {} at most",
        held.live_records,
        held.live_bytes / records,
        held.disk_bytes / records,
        size(data) / records,
        mebibytes("VmRSS:"),
        mebibytes("VmHWM:"),
    );
}

fn size(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let sizes = entries.filter_map(Result::ok).map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

fn mebibytes(field: &str) -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kibibytes = status.lines().find_map(|line| line.strip_prefix(field)?.trim().strip_suffix(" kB"));
    let kibibytes: u64 = kibibytes.and_then(|number| number.parse().ok()).unwrap_or_default();
    format!("{} MiB", kibibytes / 1024)
}

/// The most memory that this process has had since the last call, in MiB.
pub(crate) fn peak_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    // Where that is not allowed the peak is that of all before too.
    let _ = fs::write("/proc/self/clear_refs", "5");
    peak.unwrap_or_default() / 1024
}

/// Opens a store in a process of its own, for its memory.
pub(crate) fn opened(what: &str, data: &Path) {
    let program = env::current_exe().expect("a program");
    let output = Command::new(program).arg("open-once").arg(data).output().expect("it runs");
    print!("{what}: {}", String::from_utf8_lossy(&output.stdout));
}

/// What [`opened`] starts.
pub(crate) fn open_once(data: &Path) {
    let begun = Instant::now();
    let (store, _) = open(data);
    println!(
        "{:.2} s, {} resident, {} at most",
        begun.elapsed().as_secs_f64(),
        mebibytes("VmRSS:"),
        mebibytes("VmHWM:")
    );
    drop(store);
}
