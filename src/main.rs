//! The `jotsmith` program: parses the command line and runs one command.

use std::process::ExitCode;

/// Measured against the system's: see `benches/README.md`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    jotsmith::cli::run()
}
