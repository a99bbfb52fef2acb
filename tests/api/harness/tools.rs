//! Programs that `.ci/run` installs. Where they are missing on a developer's machine the test says so and passes; where
//! `JOTSMITH_TEST_REQUIRE_TOOLS` is set it fails.

use std::path::PathBuf;

/// Where a tool lies, by the variable that names it.
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
pub(crate) fn find(variable: &str) -> Option<PathBuf> {
    let found = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.exists());
    if found.is_none() {
        assert!(std::env::var_os("JOTSMITH_TEST_REQUIRE_TOOLS").is_none(), "{variable} names nothing");
        eprintln!("left out: {variable} names nothing; .ci/run installs it");
    }
    found
}
