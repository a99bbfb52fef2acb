//! What the store costs: commits by the number of waiting callers, a million grants, and what a rewriting does to those
//! who wait meanwhile. Prints tables; how to run it, and figures, stand in `benches/README.md`.

#![expect(clippy::print_stdout, reason = "what it finds is what it is for")]
#![expect(clippy::disallowed_methods, reason = "measures spans on this machine")]

mod verbs;

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jotsmith::clients::ClientId;
use jotsmith::foundation::clock::{SystemClock, Timestamp};
use jotsmith::foundation::id;
use jotsmith::foundation::random::OsRandom;
use jotsmith::foundation::storage::{ExportStore as _, Origin};
use jotsmith::protocol::pkce::CodeChallenge;
use jotsmith::protocol::resource::ResourceIndicator;
use jotsmith::protocol::scope::Scope;
use jotsmith::store::backup::Backup;
use jotsmith::store::sled::{CommitStep, ImportTerms, Probe, SledStore, import};
use jotsmith::store::{Durability, Store as _, StoreOptions};
use jotsmith::tokens::grant::Grant;
use jotsmith::tokens::refresh_rotation::RotationPolicy;
use jotsmith::tokens::store::{GrantStore as _, Rotation};
use uuid::Uuid;

/// As in the program: its memory is measured.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const BEGIN: Timestamp = Timestamp::from_seconds(1_800_000_000);
const DAY: Duration = Duration::from_hours(24);
const MINUTE: Duration = Duration::from_mins(1);
const POLICY: RotationPolicy = RotationPolicy { retry_window: Duration::from_secs(30), idle: DAY };
/// How long each row is measured.
const SPAN: Duration = Duration::from_secs(3);
/// How often two stores are compared, and for how long each time: often and shortly, for the disk of a shared machine has its
/// moods.
const ROUNDS: usize = 15;
const ROUND: Duration = Duration::from_secs(1);
/// How often whoever waits for an end looks for it.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// How the server sweeps: so many records, and a pause.
const SLICE: usize = 500;
const PAUSE: Duration = Duration::from_millis(50);

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = env::var_os("JOTSMITH_BENCH_FOLDER").map_or_else(env::temp_dir, PathBuf::from);
    match arguments.as_slice() {
        ["open-once", folder] => open_once(Path::new(folder)),
        ["full", seconds] => full(&root, seconds.parse().expect("a number")),
        ["commits"] => commits(&root),
        ["verbs"] => verbs::measure(&root),
        ["million"] => many(&root, 1_000_000),
        ["many", grants] => many(&root, grants.parse().expect("a number")),
        ["expiry", grants] => expiry(&root, grants.parse().expect("a number")),
        ["backup", grants] => backup(&root, grants.parse().expect("a number")),
        [] => {
            commits(&root);
            verbs::measure(&root);
            many(&root, 1_000_000);
            expiry(&root, 1_000_000);
            backup(&root, 1_000_000);
        }
        _ => println!(
            "commits | verbs | million | many NUMBER | expiry NUMBER | backup NUMBER | full SECONDS; nothing: all but the \
             last one"
        ),
    }
}

/// Counts the syncs of commits.
struct Syncs(Arc<AtomicU64>);

impl Probe for Syncs {
    fn reach(&mut self, step: CommitStep) -> io::Result<()> {
        self.0.fetch_add(u64::from(step == CommitStep::Sync), Ordering::Relaxed);
        Ok(())
    }
}

fn open(folder: &Path) -> (Arc<SledStore>, Arc<AtomicU64>) {
    let syncs = Arc::new(AtomicU64::new(0));
    // The default of `store.cache`.
    let mebibytes = env::var("JOTSMITH_BENCH_CACHE_MIB").map_or(32, |text| text.parse().expect("a number"));
    let options = StoreOptions { path: folder.to_owned(), durability: Durability::Fsync, cache_bytes: mebibytes << 20 };
    let store = SledStore::open_with_probe(options, Arc::new(SystemClock), Box::new(Syncs(Arc::clone(&syncs))));
    (Arc::new(store.expect("it opens")), syncs)
}

fn grant(number: u64) -> Grant {
    Grant {
        id: id::uuid_v7(BEGIN + Duration::from_millis(number), &OsRandom),
        client_id: ClientId::parse("s6BhdRkqt3").expect("valid"),
        subject: format!("person-{number:07}").into(),
        scope: "read write".parse::<Scope>().expect("valid"),
        resources: vec![ResourceIndicator::parse("https://api.example.com").expect("valid")],
        auth_time: BEGIN,
        created_at: BEGIN,
        expires_at: BEGIN + DAY,
        absolute_expires_at: BEGIN + 300 * DAY,
        generation: 0,
        rotated_at: BEGIN,
        code_challenge: CodeChallenge::parse(Some(&"A".repeat(43)), Some("S256")).expect("valid"),
        redirect_uri: Some("https://client.example.com/callback".into()),
        is_resynchronised: false,
        revoked_at: None,
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}

/// Puts this many grants, many at once.
fn fill(store: &Arc<SledStore>, grants: u64) -> Vec<Uuid> {
    let mut ids = Vec::new();
    runtime().block_on(async {
        let mut number = 0;
        while number < grants {
            let slice: Vec<_> = (number..grants.min(number + 1000)).map(grant).collect();
            number += slice.len() as u64;
            ids.extend(slice.iter().map(|grant| grant.id));
            let puts = slice.into_iter().map(|grant| {
                let store = Arc::clone(store);
                tokio::spawn(async move { store.put_grant(grant).await })
            });
            for put in puts.collect::<Vec<_>>() {
                put.await.expect("no panic").expect("the store answers");
            }
        }
    });
    ids
}

/// How long each of many took, in microseconds: few bytes each, for the memory of this process is measured.
#[derive(Default)]
struct Latencies(Vec<u32>);

impl Latencies {
    fn add(&mut self, took: Duration) {
        self.0.push(took.as_micros().try_into().unwrap_or(u32::MAX));
    }

    fn at(&mut self, share: f64) -> f64 {
        self.0.sort_unstable();
        #[expect(clippy::cast_precision_loss, clippy::cast_sign_loss, reason = "a place in a list")]
        #[expect(clippy::cast_possible_truncation, reason = "a place in a list")]
        let place = (self.0.len() as f64 * share) as usize;
        f64::from(self.0.get(place.min(self.0.len().saturating_sub(1))).copied().unwrap_or_default()) / 1000.0
    }
}

/// Has `callers` refresh one grant after the other, each its own, spread over all, until told to stop.
fn rotate(store: &Arc<SledStore>, ids: &Arc<[Uuid]>, callers: usize, is_over: impl Fn() -> bool) -> Latencies {
    let stop = Arc::new(AtomicBool::new(false));
    runtime().block_on(async {
        let tasks: Vec<_> = (0..callers)
            .map(|caller| {
                let (store, ids, stop) = (Arc::clone(store), Arc::clone(ids), Arc::clone(&stop));
                tokio::spawn(async move {
                    let mut took = Latencies::default();
                    // Steps through all of them in no order, and meets nobody else's.
                    let mut place = caller;
                    let own = ids.len() / callers;
                    while !stop.load(Ordering::Relaxed) {
                        place = (place + 7919 * callers) % (own * callers);
                        let begun = Instant::now();
                        let generation =
                            store.read_grant(ids[place]).await.expect("answered").expect("there").generation;
                        let rotation = store.rotate(ids[place], generation, BEGIN, POLICY).await.expect("answered");
                        assert!(matches!(rotation, Rotation::Rotated(_)), "{rotation:?}");
                        took.add(begun.elapsed());
                    }
                    took
                })
            })
            .collect();
        while !is_over() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        stop.store(true, Ordering::Relaxed);
        let mut all = Latencies::default();
        for task in tasks {
            all.0.extend(task.await.expect("no panic").0);
        }
        all
    })
}

fn row(what: &str, callers: usize, latencies: &mut Latencies, span: Duration, syncs: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "few")]
    let (rotations, syncs, seconds) = (latencies.0.len() as f64, syncs as f64, span.as_secs_f64());
    println!(
        "{what:<28} {callers:>7} {:>12.0} {:>9.0} {:>12.1} {:>8.2} {:>8.2} {:>8.2}",
        rotations / seconds,
        syncs / seconds,
        rotations / syncs.max(1.0),
        latencies.at(0.5),
        latencies.at(0.99),
        latencies.at(1.0),
    );
    rotations / seconds
}

fn head(title: &str, what: &str) {
    println!("\n{title}");
    println!(
        "{:<28} {:>7} {:>12} {:>9} {:>12} {:>8} {:>8} {:>8}",
        "",
        "callers",
        format!("{what}/s"),
        "syncs/s",
        format!("{what}/"),
        "p50 ms",
        "p99 ms",
        "max ms"
    );
    println!("{:<28} {:>7} {:>12} {:>9} {:>12}", "", "", "", "", "sync");
}

fn measure(what: &str, store: &Arc<SledStore>, syncs: &AtomicU64, ids: &Arc<[Uuid]>, callers: usize) -> (f64, f64) {
    measure_for(SPAN, what, store, syncs, ids, callers)
}

fn measure_for(
    span: Duration,
    what: &str,
    store: &Arc<SledStore>,
    syncs: &AtomicU64,
    ids: &Arc<[Uuid]>,
    callers: usize,
) -> (f64, f64) {
    let (begun, before) = (Instant::now(), syncs.load(Ordering::Relaxed));
    let mut latencies = rotate(store, ids, callers, || begun.elapsed() >= span);
    let rate = row(what, callers, &mut latencies, begun.elapsed(), syncs.load(Ordering::Relaxed) - before);
    (rate, latencies.at(0.99))
}

fn commits(root: &Path) {
    let folder = tempfile::tempdir_in(root).expect("a folder");
    let (store, syncs) = open(&folder.path().join("data"));
    let ids: Arc<[Uuid]> = fill(&store, 1000).into();
    head("commits, 1,000 grants", "rotations");
    let mut rates = Vec::new();
    for callers in [1, 16, 64, 256] {
        rates.push(measure("refresh", &store, &syncs, &ids, callers).0);
    }
    println!("64 callers make {:.1} times the rate of one", rates[2] / rates[0]);
}

fn many(root: &Path, grants: u64) {
    let folder = tempfile::tempdir_in(root).expect("a folder");
    let data = folder.path().join("data");
    println!("\n{grants} grants");
    let (store, _) = open(&data);
    let begun = Instant::now();
    let ids: Arc<[Uuid]> = fill(&store, grants).into();
    println!("\nput in {:.1} s", begun.elapsed().as_secs_f64());
    space("as put", &store, &data);
    drop(store);
    opened("opened, without a snapshot", &data);
    opened("opened again", &data);
    let (store, syncs) = open(&data);
    let begun = Instant::now();
    runtime().block_on(store.rewrite()).expect("written anew");
    println!("written anew at rest in {:.1} s", begun.elapsed().as_secs_f64());
    space("right after it", &store, &data);
    compare_with_few(&folder.path().join("few"), &store, &syncs, &ids);
    head("during a rewriting", "rotations");
    for callers in [256, 64, 1] {
        let (_, at_rest) = measure("at rest", &store, &syncs, &ids, callers);
        let is_over = Arc::new(AtomicBool::new(false));
        let rewriting = {
            let (store, is_over) = (Arc::clone(&store), Arc::clone(&is_over));
            std::thread::spawn(move || {
                runtime().block_on(store.rewrite()).expect("written anew");
                is_over.store(true, Ordering::Relaxed);
            })
        };
        let (begun, before) = (Instant::now(), syncs.load(Ordering::Relaxed));
        let mut latencies = rotate(&store, &ids, callers, || is_over.load(Ordering::Relaxed));
        rewriting.join().expect("no panic");
        let span = begun.elapsed();
        row("while written anew", callers, &mut latencies, span, syncs.load(Ordering::Relaxed) - before);
        let p99 = latencies.at(0.99);
        println!("took {:.1} s; p99 is {:.1} times that at rest", span.as_secs_f64(), p99 / at_rest);
        space("right after it", &store, &data);
    }
    // As it goes on for a while: the store rewrites itself when it is due.
    let begun = Instant::now();
    let largest = AtomicU64::new(0);
    let mut latencies = rotate(&store, &ids, 64, || {
        largest.fetch_max(store.figures().disk_bytes, Ordering::Relaxed);
        begun.elapsed() >= Duration::from_secs(30)
    });
    row("half a minute of refreshes", 64, &mut latencies, begun.elapsed(), 0);
    println!("largest file meanwhile: {} bytes a grant", largest.load(Ordering::Relaxed) / grants);
    space("after it", &store, &data);
    drop(store);
    opened("opened after that", &data);
}

/// The rate of 64 callers with all these grants and with a thousand in another store, in turn.
fn compare_with_few(folder: &Path, store: &Arc<SledStore>, syncs: &AtomicU64, ids: &Arc<[Uuid]>) {
    let (small, small_syncs) = open(folder);
    let few: Arc<[Uuid]> = fill(&small, 1000).into();
    head("rate by what is there", "rotations");
    let mut ratios: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let (rate, _) = measure_for(ROUND, "1,000 grants", &small, &small_syncs, &few, 64);
            measure_for(ROUND, "all of them", store, syncs, ids, 64).0 / rate
        })
        .collect();
    ratios.sort_unstable_by(f64::total_cmp);
    println!("{:.2} of the rate at 1,000 grants ({:.2} to {:.2})", ratios[ROUNDS / 2], ratios[0], ratios[ROUNDS - 1]);
}

/// The most memory that this process has had since the last call, in MiB.
fn peak_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    // Where that is not allowed the peak is that of all before too.
    let _ = fs::write("/proc/self/clear_refs", "5");
    peak.unwrap_or_default() / 1024
}

/// A backup of this many grants, at rest and beside refreshes, and a store of it.
fn backup(root: &Path, grants: u64) {
    let folder = tempfile::tempdir_in(root).expect("a folder");
    let (data, file) = (folder.path().join("data"), folder.path().join("backup.jsonl"));
    let (store, _) = open(&data);
    let ids: Arc<[Uuid]> = fill(&store, grants).into();
    println!("\nbackup of {grants} grants; filled with a peak of {} MiB", peak_mib());
    drop(store);
    let (store, syncs) = open(&data);
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
    export(&store);
    head("beside an export", "rotations");
    measure("at rest", &store, &syncs, &ids, 16);
    let is_over = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            export(&store);
            is_over.store(true, Ordering::Relaxed);
        });
        let (begun, before) = (Instant::now(), syncs.load(Ordering::Relaxed));
        let mut latencies = rotate(&store, &ids, 16, || is_over.load(Ordering::Relaxed));
        row("during an export", 16, &mut latencies, begun.elapsed(), syncs.load(Ordering::Relaxed) - before);
    });
    drop(store);
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

/// Sweeps until the end of a round, or until told to stop: how many records were removed, and what the longest slice took in
/// milliseconds.
fn sweep(store: &SledStore, now: Timestamp, is_enough: impl Fn(Instant) -> bool, pause: Duration) -> (usize, f64) {
    let (begun, mut removed, mut longest) = (Instant::now(), 0, Duration::ZERO);
    while !is_enough(begun) {
        let slice_begun = Instant::now();
        let swept = runtime().block_on(store.sweep(now, DAY, SLICE)).expect("answered");
        longest = longest.max(slice_begun.elapsed());
        removed += swept.removed;
        if swept.is_at_end {
            break;
        }
        std::thread::sleep(pause);
    }
    (removed, longest.as_secs_f64() * 1000.0)
}

fn expiry(root: &Path, grants: u64) {
    let folder = tempfile::tempdir_in(root).expect("a folder");
    let data = folder.path().join("data");
    let (store, syncs) = open(&data);
    let ids: Arc<[Uuid]> = fill(&store, grants).into();
    println!("\nexpiry of {grants} grants");
    head("beside refreshes", "rotations");
    let (_, at_rest) = measure("at rest", &store, &syncs, &ids, 16);
    // The store forgets a little later than it might.
    for (what, now) in [("some of a round, nothing over", BEGIN), ("the same, all over", BEGIN + 2 * DAY + 2 * MINUTE)]
    {
        let is_over = Arc::new(AtomicBool::new(false));
        let sweeping = {
            let (store, is_over) = (Arc::clone(&store), Arc::clone(&is_over));
            std::thread::spawn(move || {
                let swept = sweep(&store, now, |begun| begun.elapsed() >= 3 * SPAN, PAUSE);
                is_over.store(true, Ordering::Relaxed);
                swept
            })
        };
        let (begun, before) = (Instant::now(), syncs.load(Ordering::Relaxed));
        let mut number = grants;
        // Refreshes of grants that the sweeper takes away would fail; new ones are put then.
        let mut latencies = if now == BEGIN {
            rotate(&store, &ids, 16, || is_over.load(Ordering::Relaxed))
        } else {
            let mut took = Latencies::default();
            runtime().block_on(async {
                while !is_over.load(Ordering::Relaxed) {
                    number += 1;
                    let fresh = Grant { expires_at: BEGIN + 30 * DAY, ..grant(number) };
                    let begun = Instant::now();
                    store.put_grant(fresh).await.expect("answered");
                    took.add(begun.elapsed());
                }
            });
            took
        };
        let (removed, longest) = sweeping.join().expect("no panic");
        let callers = if now == BEGIN { 16 } else { 1 };
        row(what, callers, &mut latencies, begun.elapsed(), syncs.load(Ordering::Relaxed) - before);
        println!(
            "{removed} removed; longest slice {longest:.1} ms; p99 {:.1} times that at rest",
            latencies.at(0.99) / at_rest
        );
    }
    let begun = Instant::now();
    let (removed, longest) = sweep(&store, BEGIN + 2 * DAY + 2 * MINUTE, |_| false, Duration::ZERO);
    println!(
        "the others without a pause: {removed} removed in {:.1} s; longest slice {longest:.1} ms",
        begun.elapsed().as_secs_f64()
    );
    let held = store.figures();
    println!("{} records live on {} bytes of disk", held.live_records, held.disk_bytes);
    let begun = Instant::now();
    while store.figures().disk_bytes > 32 << 20 && begun.elapsed() < Duration::from_mins(1) {
        runtime().block_on(store.put_grant(grant(0))).expect("answered");
    }
    let held = store.figures();
    println!("{:.1} s later {} on {}", begun.elapsed().as_secs_f64(), held.live_records, held.disk_bytes);
}

/// Fills the disk of the folder, and shows what is answered then and once somebody has made room.
fn full(root: &Path, seconds: u64) {
    let folder = tempfile::tempdir_in(root).expect("a folder");
    let data = folder.path().join("data");
    let (store, _) = open(&data);
    let (runtime, begun) = (runtime(), Instant::now());
    let (mut number, mut answered, mut said) = (0, Vec::new(), String::new());
    while begun.elapsed() < Duration::from_secs(seconds) {
        let grant = grant(number);
        number += 1;
        let now = match runtime.block_on(store.put_grant(grant.clone())) {
            Ok(()) => {
                answered.push(grant.id);
                "answered".to_owned()
            }
            Err(refused) => {
                std::thread::sleep(Duration::from_millis(50));
                refused.to_string()
            }
        };
        if now != said {
            println!("{:6.1} s, {} answered so far: {now}", begun.elapsed().as_secs_f64(), answered.len());
            said = now;
        }
    }
    drop(store);
    let (store, _) = open(&data);
    let lost =
        answered.iter().filter(|id| runtime.block_on(store.read_grant(**id)).expect("answered").is_none()).count();
    println!("{} were answered, {lost} of them are lost", answered.len());
}

fn space(when: &str, store: &SledStore, data: &Path) {
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

/// Opens a store in a process of its own, for its memory.
fn opened(what: &str, data: &Path) {
    let program = env::current_exe().expect("a program");
    let output = Command::new(program).arg("open-once").arg(data).output().expect("it runs");
    print!("{what}: {}", String::from_utf8_lossy(&output.stdout));
}

fn open_once(data: &Path) {
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
