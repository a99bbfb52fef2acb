//! Programs that `.ci/run` installs. Where they are missing on a developer's machine the test says so and passes; where
//! `JOTSMITH_TEST_REQUIRE_TOOLS` is set it fails.

use std::path::{Path, PathBuf};

/// Where a tool lies, by the variable that names it.
pub(crate) fn find(variable: &str) -> Option<PathBuf> {
    let found = std::env::var_os(variable).map(PathBuf::from);
    there_or_left_out(found.filter(|path| path.exists()), &format!("{variable} names nothing; .ci/run installs it"))
}

/// A program that the system's packages bring.
pub(crate) fn installed(program: &str, packages: &str) -> Option<PathBuf> {
    let found = Some(PathBuf::from(program)).filter(|path| path.exists());
    there_or_left_out(found, &format!("{program} is missing; `apt-get install {packages}` brings it"))
}

/// One of our examples, which `cargo test` compiles unless it is told to test something else alone.
pub(crate) fn example(name: &str) -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_BIN_EXE_jotsmith")).with_file_name("examples").join(name);
    there_or_left_out(Some(program).filter(|path| path.exists()), &format!("`cargo build --example {name}` makes it"))
}

/// What was found; where it was not, a failure or a line that says so.
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
pub(crate) fn there_or_left_out(found: Option<PathBuf>, otherwise: &str) -> Option<PathBuf> {
    if found.is_none() {
        assert!(std::env::var_os("JOTSMITH_TEST_REQUIRE_TOOLS").is_none(), "{otherwise}");
        eprintln!("left out: {otherwise}");
    }
    found
}
