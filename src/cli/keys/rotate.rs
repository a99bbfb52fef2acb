//! `jotsmith keys rotate`: a new key, and the times at which it takes over from the old one.

use std::time::Duration;

use clap::Args;

use crate::cli::{ConfigFiles, Failure};
use crate::config::Settings;
use crate::foundation::clock::{Clock as _, SystemClock, Timestamp};
use crate::keys::algorithm::Algorithm;
use crate::keys::rotation::{self, Rotation};
use crate::keys::schedule::Lifecycle;
use crate::startup;

use super::change::{LOAD_IT, NewKey, Which, lock, times_to_write, when};

/// Make a new key that takes over from the one that works now, and write when into schedule.toml. Nobody who uses the keys
/// notices. While a rotation is under way, nothing is changed.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  jotsmith keys rotate --dry-run\n  jotsmith keys rotate && kill -HUP \"$(pidof jotsmith)\"\n  jotsmith keys rotate --algorithm RS256 --sign-in 7d\n  jotsmith keys rotate --sealing"
)]
pub(in crate::cli) struct Rotate {
    /// Which signing key; without it that of `keys.default_algorithm`.
    #[arg(long, value_name = "ES256|RS256|EdDSA", conflicts_with = "sealing")]
    algorithm: Option<Algorithm>,
    /// The sealing key: of codes, refresh tokens, cookies and form fields.
    #[arg(long)]
    sealing: bool,
    /// How long from now the new key begins to work: at least `keys.jwks_max_age` and a minute.
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = humantime::parse_duration)]
    sign_in: Duration,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    config: ConfigFiles,
}

impl Rotate {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (settings, mut schedule) = lock(&self.config.source())?;
        let now = SystemClock.now();
        startup::judge_rings(&settings, now)?;
        let which = if self.sealing {
            Which::Sealing
        } else {
            Which::Signing(self.algorithm.unwrap_or(settings.keys.default_algorithm))
        };
        let entries = which.entries(&settings);
        let is_published = !self.sealing;
        let planned = rotation::rotate(&entries, self.sign_in, is_published, &which.demands(&settings, now));
        let (new, old, old_lifecycle) = match planned.map_err(|refused| format!("{}: {refused}", which.words()))? {
            Rotation::UnderWay { newest } => {
                let sign_from =
                    entries.iter().find(|entry| entry.name == newest).and_then(|key| key.lifecycle.sign_from);
                let from = sign_from.map_or_else(String::new, |at| format!(" from {}", when(at, now)));
                println!(
                    "A rotation of the {} is under way, and nothing was changed: {newest} works{from}.",
                    which.words()
                );
                return Ok(());
            }
            Rotation::Follow { new, old, old_lifecycle } => (new, old, old_lifecycle),
        };
        let made = NewKey::make(which)?;
        let timeline = timeline(which, &made, &new, &old, &old_lifecycle, now);
        let by_hand = || by_hand(&settings, which, &made, &new, &old, &old_lifecycle);
        if self.dry_run {
            println!("{timeline}\nNothing was changed. Another key is made when it is done.");
            return Ok(());
        }
        if !schedule.set_times(which.list(), &old, &old_lifecycle) {
            print!("{}", by_hand());
            return Err(Failure(format!(
                "the entry of {old} stands elsewhere ({}), so nothing was changed: do what is printed above",
                which.place(&settings, &old)
            )));
        }
        made.add_to(&mut schedule, new)?;
        match schedule.write_with(Some(made.new_file()), |_| ()) {
            Ok(()) => {
                println!("{timeline}\n{LOAD_IT}");
                Ok(())
            }
            Err(refused) if refused.is_read_only() => {
                print!("{}", by_hand());
                Err(Failure(format!(
                    "{} may not be written here, so nothing was changed: do what is printed above",
                    settings.keys.directory.display()
                )))
            }
            Err(refused) => Err(refused.into()),
        }
    }
}

fn timeline(
    which: Which,
    made: &NewKey,
    new: &Lifecycle,
    old: &str,
    old_lifecycle: &Lifecycle,
    now: Timestamp,
) -> String {
    let mut lines = vec![format!("A new {}, {} ({}), follows {old}:", which.words(), made.name, made.file)];
    if let Some(at) = new.publish_at {
        lines.push(format!("  {}: the new key is in the key set, where verifiers find it", when(at, now)));
    }
    let (works, rests, gone) = match which {
        Which::Signing(_) => {
            ("signs", "verifies what it has signed", "leaves the key set; its entry and its file may go")
        }
        Which::Sealing => {
            ("seals", "opens what it has sealed", "has nothing left to open; its entry and its file may go")
        }
    };
    if let Some(at) = new.sign_from {
        lines.push(format!("  {}: the new key {works}; the old one only {rests}", when(at, now)));
    }
    if let Some(at) = old_lifecycle.retire_at {
        lines.push(format!("  {}: the old key {gone}", when(at, now)));
    }
    lines.join("\n")
}

/// What a person does where the program may not.
fn by_hand(
    settings: &Settings,
    which: Which,
    made: &NewKey,
    new: &Lifecycle,
    old: &str,
    old_lifecycle: &Lifecycle,
) -> String {
    let place = which.place(settings, old);
    format!(
        "# 1. Make the key: {}\n# 2. In the entry of {old} ({place}) write:\n{}\n# 3. Add its entry:\n\n{}",
        made.command(settings),
        times_to_write(old_lifecycle),
        made.block(*new),
    )
}
