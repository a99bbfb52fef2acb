//! `jotsmith keys list`: every configured key, what it does now and what it does next.
//!
//! It shows the configuration. What a server has published it alone knows, and its store is locked while it runs: so this
//! says that a key may be held back, and where a server says that it does.

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;

use crate::cli::{ConfigFiles, Failure};
use crate::foundation::clock::{Clock as _, SystemClock, Timestamp};
use crate::keys::algorithm::Algorithm;
use crate::keys::schedule::KeyState;
use crate::startup;

use super::change::when;

/// What a running server may do otherwise: it holds back a key of which it heard late.
const ON_PAPER: &str = "These are the configured times. A server that heard of a key after its publish_at signs with it later: its log says from \
when, and its metric jotsmith_signing_key_next_change_seconds how long that is.";

/// List every configured key, signing and sealing: what it does now, and what it does next. The times are those of the
/// configuration; a server that heard of a key late may sign with it later, and says so in its log.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  jotsmith keys list\n  jotsmith keys list --json")]
pub(in crate::cli) struct List {
    /// One JSON array, for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigFiles,
}

#[derive(Serialize)]
struct Row {
    /// `sig`, as in a JWK (RFC 7517 §4.2), or `seal`.
    r#use: &'static str,
    kid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    algorithm: Option<Algorithm>,
    state: &'static str,
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Change>,
    #[serde(skip)]
    words: String,
}

#[derive(Serialize)]
struct Change {
    state: &'static str,
    at: String,
}

impl List {
    pub(super) fn run(self) -> Result<(), Failure> {
        let settings = self.config.source().load()?;
        let now = SystemClock.now();
        let (signing, sealing) = startup::judge_rings(&settings, now)?;
        if signing.is_none() {
            eprintln!("There is no signing key yet: `jotsmith serve` makes the first when it starts.");
        }
        let mut rows: Vec<Row> = Vec::new();
        for key in signing.iter().flat_map(|ring| ring.listing(now)) {
            rows.push(row("sig", key.kid.to_owned(), Some(key.algorithm), key.name, key.state, key.next, now));
        }
        for key in sealing.iter().flat_map(|ring| ring.standings(now)) {
            let id = key.entry.key.id().to_string();
            rows.push(row("seal", id, None, &key.entry.name, key.state, key.next, now));
        }
        if self.json {
            println!("{}", serde_json::to_string_pretty(&rows)?);
            return Ok(());
        }
        let mut text = String::new();
        let algorithms: Vec<_> = signing.iter().flat_map(|ring| ring.listing(now)).map(|key| key.algorithm).collect();
        // The only key of an algorithm is never held back: nothing else could sign.
        let has_follower = algorithms.array_windows().any(|[one, next]| one == next);
        for row in rows {
            let kind = row.algorithm.map_or("sealing", Algorithm::as_str);
            writeln!(text, "{kind:<7}  {}  ({})\n         {}", row.kid, row.file, row.words)?;
        }
        if has_follower {
            writeln!(text, "\n{ON_PAPER}")?;
        }
        print!("{text}");
        Ok(())
    }
}

type Next = Option<(Timestamp, KeyState)>;

fn row(
    r#use: &'static str,
    kid: String,
    algorithm: Option<Algorithm>,
    file: &str,
    state: KeyState,
    next: Next,
    now: Timestamp,
) -> Row {
    let does = |state| if algorithm.is_some() { signing_words(state) } else { sealing_words(state) };
    let later = next.map_or_else(
        || "as long as the configuration says nothing else".to_owned(),
        |(at, state)| format!("from {} it {}", when(at, now), does(state)),
    );
    let words = format!("{}: {}; {later}", state.as_str(), does(state));
    let next = next.map(|(at, state)| Change { state: state.as_str(), at: at.to_string() });
    Row { r#use, kid, algorithm, state: state.as_str(), file: file.to_owned(), next, words }
}

const fn signing_words(state: KeyState) -> &'static str {
    match state {
        KeyState::Pending => "does nothing yet",
        KeyState::Published => "is in the key set and does not sign yet",
        KeyState::Signing => "signs new tokens",
        KeyState::Retiring => "signs nothing new, and verifies what it has signed",
        KeyState::Gone => "is out of the key set: its entry and its file may go",
    }
}

const fn sealing_words(state: KeyState) -> &'static str {
    match state {
        KeyState::Pending | KeyState::Published => "opens, and seals nothing yet",
        KeyState::Signing => "seals what is new",
        KeyState::Retiring => "seals nothing new, and opens what it has sealed",
        KeyState::Gone => "opens what it has sealed, and that has ended: its entry and its file may go",
    }
}
