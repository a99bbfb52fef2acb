//! What the store costs: commits by the number of waiting callers, a million grants, and what a rewriting does to those
//! who wait meanwhile. Prints tables; how to run it, and figures, stand in `benches/README.md`.

#![expect(clippy::print_stdout, reason = "what it finds is what it is for")]
#![expect(clippy::disallowed_methods, reason = "measures spans on this machine")]

mod backup;
mod expiry;
mod filled;
mod full;
mod many;
mod refreshes;
mod space;
mod verbs;

use std::env;
use std::path::{Path, PathBuf};

/// As in the program: its memory is measured.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = env::var_os("JOTSMITH_BENCH_FOLDER").map_or_else(env::temp_dir, PathBuf::from);
    match arguments.as_slice() {
        ["open-once", folder] => space::open_once(Path::new(folder)),
        ["full", seconds] => full::report(&root, seconds.parse().expect("a number")),
        ["commits"] => refreshes::commits(&root),
        ["verbs"] => verbs::measure(&root),
        ["million"] => many::report(&root, 1_000_000),
        ["many", grants] => many::report(&root, grants.parse().expect("a number")),
        ["expiry", grants] => expiry::report(&root, grants.parse().expect("a number")),
        ["backup", grants] => backup::report(&root, grants.parse().expect("a number")),
        [] => {
            refreshes::commits(&root);
            verbs::measure(&root);
            many::report(&root, 1_000_000);
            expiry::report(&root, 1_000_000);
            backup::report(&root, 1_000_000);
        }
        _ => println!(
            "commits | verbs | million | many NUMBER | expiry NUMBER | backup NUMBER | full SECONDS; nothing: all but the \
             last one"
        ),
    }
}
