//! `jotsmith store import`: a backup becomes the store of a server that is stopped.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::Settings;
use crate::foundation::clock::{Clock as _, SystemClock, Timestamp};
use crate::foundation::duration;
use crate::foundation::storage::Origin;
use crate::startup;
use crate::store::backup::Backup;
use crate::store::sled::{Imported, import};

use super::super::{ConfigFiles, Failure};
use super::{counted, is_stream};

/// Make a store of a file that `jotsmith store export` has written: all of it, or nothing.
///
/// The server is stopped, and the folder in store.url is empty or not there. Codes are gone; what is over is left out. The
/// store is marked recovered: for one lifetime of an idle refresh token, one that is newer than the backup is let through,
/// once a grant.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  jotsmith store import /var/backups/jotsmith.jsonl\n  age -d -i key.txt jotsmith.jsonl.age | jotsmith store import -\n  JOTSMITH__STORE__URL=sled:///tmp/try jotsmith store import /var/backups/jotsmith.jsonl    tries a backup\n\nRun it as the user of the server. Grants that were revoked since the backup are good again; --revoke-all rules that out."
)]
pub(in crate::cli) struct Import {
    /// The file to read, or - for standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Revoke every grant, and end every session and remembered consent: everybody signs in again.
    #[arg(long)]
    revoke_all: bool,
    #[command(flatten)]
    config: ConfigFiles,
}

impl Import {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Self { file, revoke_all, config } = self;
        let settings = config.source().load()?;
        let name = if is_stream(&file) { "standard input".to_owned() } else { file.display().to_string() };
        let from = open(&file).map_err(|cause| format!("{name} cannot be read: {cause}"))?;
        let backup = Backup::open(from).map_err(|refused| format!("{name} {refused}"))?;
        let origin = backup.header().origin.clone();
        let now = SystemClock.now();
        let terms = startup::import_terms(&settings, now, revoke_all);
        let imported = import(&terms, backup)
            .map_err(|failed| if failed.is_of_file() { format!("{name} {failed}") } else { failed.to_string() })?;
        say(&imported, &origin, &settings, now, revoke_all);
        warn_of_keys(&origin, &settings, now);
        Ok(())
    }
}

fn open(file: &Path) -> io::Result<Box<dyn BufRead>> {
    Ok(if is_stream(file) { Box::new(io::stdin().lock()) } else { Box::new(BufReader::new(File::open(file)?)) })
}

/// What came, how old it is, and what that means.
fn say(imported: &Imported, origin: &Origin, settings: &Settings, now: Timestamp, revoke_all: bool) {
    let Imported { live_grants, dead_grants, ended_sessions, ended_subjects, shown_once, .. } = *imported;
    println!(
        "Imported {} that {} and {} revoked or over, {} that had ended, {} for a whole person, and {} that may not come again. {} \
         left out, for they are over.",
        counted(live_grants, "grant"),
        if live_grants == 1 { "is good" } else { "are good" },
        dead_grants,
        counted(ended_sessions, "session"),
        counted(ended_subjects, "end"),
        counted(shown_once, "assertion"),
        counted(imported.left_out, "record"),
    );
    let age = duration::in_words(now.since(origin.begun_at));
    println!("The backup is of {} and {age} old.", origin.begun_at);
    if revoke_all {
        println!(
            "Every grant is revoked, and every session and remembered consent has ended: everybody signs in again."
        );
        return;
    }
    println!(
        "What happened in these {age} is not in it. Refresh tokens that were given out meanwhile are let through, once a \
         grant, for {}; grants that began meanwhile are gone, so these people sign in again; grants that were revoked \
         and sessions that were ended meanwhile are good again. If that must not be, remove {} and import once more with \
         --revoke-all.",
        duration::in_words(settings.lifetimes.refresh_token_idle),
        settings.store.path.display()
    );
}

/// Says where the backup is of no use with the keys that are there.
fn warn_of_keys(origin: &Origin, settings: &Settings, now: Timestamp) {
    let own = match startup::load_sealing_ring(settings, now) {
        Ok(ring) => ring.ids(),
        Err(refused) => {
            eprintln!(
                "jotsmith: warning: the sealing keys cannot be loaded, and without them no refresh token is good: {refused}"
            );
            return;
        }
    };
    for lost in origin.sealing_keys.iter().filter(|id| !own.contains(id)) {
        eprintln!(
            "jotsmith: warning: the server of the backup had the sealing key {lost}, and this configuration has not: refresh \
             tokens that it sealed are not good; bring its file back into {} and name it in keys.sealing",
            settings.keys.directory.display()
        );
    }
}
