//! Everything that the servers of this test binary have logged, at the finest level.

use std::io::{self, Write};
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jotsmith::foundation::base64url;
use jotsmith::foundation::random::{self, OsRandom};
use jotsmith::telemetry::{self, LogLines};

use super::Answer;

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

/// A secret that no other test knows.
pub(crate) fn secret() -> String {
    base64url::encode(random::bytes::<24>(&OsRandom))
}

/// What requests sent and got that nobody may find in the log.
#[derive(Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    pub(crate) fn add(&mut self, secret: impl Into<String>) {
        self.0.push(secret.into());
    }

    pub(crate) fn add_all(&mut self, secrets: impl IntoIterator<Item = String>) {
        self.0.extend(secrets);
    }

    /// A token whole, and each part of it that is its own.
    pub(crate) fn add_token(&mut self, answer: &Answer) {
        let token = answer.access_token();
        self.0.extend(token.split('.').skip(1).map(str::to_owned));
        self.0.push(token);
    }

    /// Asserts that none is anywhere in the log, in any of the ways in which bytes are written.
    pub(crate) fn assert_none_is_logged(&self) {
        let text = text();
        for secret in &self.0 {
            let debug = format!("{:?}", secret.as_bytes());
            let hex = format!("{:02x?}", secret.as_bytes()).replace(", ", "");
            for form in [secret, &STANDARD.encode(secret), debug.trim_matches(['[', ']']), hex.trim_matches(['[', ']'])]
            {
                let line = text.lines().find(|line| line.contains(form));
                assert_eq!(line, None, "{secret} is logged");
            }
        }
    }
}
