//! Everything that the servers of this test binary have logged, at the finest level.

use std::io::{self, Write};
use std::sync::Mutex;

use jotsmith::telemetry::{self, LogLines};

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Sink;

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.lock().expect("no panic while logging").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Logs into memory from now on.
pub(crate) fn start() {
    telemetry::start(LogLines::Json, "trace", || Sink).expect("a level");
}

/// What has been logged so far.
pub(crate) fn text() -> String {
    String::from_utf8(LINES.lock().expect("no panic while logging").clone()).expect("UTF-8")
}

/// The lines in which `needle` stands.
pub(crate) fn lines_with(needle: &str) -> Vec<serde_json::Value> {
    let parse = |line: &str| serde_json::from_str(line).expect("a line of JSON");
    text().lines().filter(|line| line.contains(needle)).map(parse).collect()
}
