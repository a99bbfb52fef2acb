//! `jotsmith keys kill`: a key that has leaked, out of the schedule at once.

use std::time::Duration;

use clap::Args;
use humantime::format_duration;

use crate::cli::{ConfigFiles, Failure};
use crate::config::Settings;
use crate::config::schedule_file::ScheduleFile;
use crate::foundation::clock::{Clock as _, SystemClock, Timestamp};
use crate::keys::rotation::{self, Removal, Successor};
use crate::keys::schedule::{KeyState, Lifecycle};
use crate::startup;

use super::change::{LOAD_IT, NewKey, Which, lock, times_to_write};

/// Take a key that has leaked, signing or sealing, out of the schedule at once, so that it can never come back. Without
/// --yes it says what that breaks, and changes nothing.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  jotsmith keys list\n  jotsmith keys kill es256-3aTO6u_f.pem\n  jotsmith keys kill es256-3aTO6u_f.pem --yes && kill -HUP \"$(pidof jotsmith)\""
)]
pub(in crate::cli) struct Kill {
    /// The key: its kid (of a sealing key its id), or its file.
    // One in 64 names begins with a hyphen, for they are base64url.
    #[arg(allow_hyphen_values = true)]
    kid: String,
    /// Do it.
    #[arg(long)]
    yes: bool,
    /// Its entry has been taken out already: note that it never comes back, and that its tokens are given up.
    #[arg(long)]
    lost: bool,
    #[command(flatten)]
    config: ConfigFiles,
}

/// The key that is meant.
struct Victim {
    which: Which,
    file: String,
    kid: String,
}

impl Kill {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (settings, mut schedule) = lock(&self.config.source())?;
        let now = SystemClock.now();
        let victim = match (find(&settings, &self.kid), self.lost) {
            (Some(victim), false) => victim?,
            (None, true) => return give_up(&self.kid, self.yes, schedule, now),
            (None, false) => {
                return Err(Failure(format!(
                    "no configured key is called {}: `jotsmith keys list` shows them, and --lost is for one whose entry is out already",
                    self.kid
                )));
            }
            (Some(_), true) => {
                return Err(Failure(format!("{} is configured: leave --lost out to kill it", self.kid)));
            }
        };
        let Victim { which, file, kid } = &victim;
        let entries = which.entries(&settings);
        let state = rotation::state_of(&entries, file, now).unwrap_or(KeyState::Gone);
        let removal = rotation::remove(&entries, file, &which.demands(&settings, now));
        let radius = radius(&settings, &victim, state, &removal);
        if !self.yes {
            println!("{radius}");
            return Err("nothing was changed yet: run it again with --yes".into());
        }
        let made = if removal.successor == Successor::New { Some(NewKey::make(*which)?) } else { None };
        if let Some(failure) = apply(&mut schedule, &victim, &removal) {
            print!("{}", by_hand(&settings, &victim, &removal, made.as_ref()));
            let place = which.place(&settings, &failure);
            return Err(Failure(format!(
                "the entry of {failure} stands elsewhere ({place}), so nothing was changed: do what is printed above",
            )));
        }
        if let Some(made) = &made {
            made.add_to(&mut schedule, Lifecycle::default())?;
        }
        schedule.add_killed(kid, now)?;
        if let Err(refused) = schedule.write_with(made.as_ref().map(NewKey::new_file), |_| ()) {
            if refused.is_read_only() {
                print!("{}", by_hand(&settings, &victim, &removal, made.as_ref()));
                return Err(Failure(format!(
                    "{} may not be written here, so nothing was changed: do what is printed above",
                    settings.keys.directory.display()
                )));
            }
            return Err(refused.into());
        }
        println!("{radius}");
        if let Some(made) = made {
            println!("The new key is {} ({}).", made.name, made.file);
        }
        println!("{LOAD_IT} The file {file} is still there: delete it when you have looked into the leak.");
        Ok(())
    }
}

fn give_up(kid: &str, is_meant: bool, mut schedule: ScheduleFile, now: Timestamp) -> Result<(), Failure> {
    println!("{kid} never comes back, and what it signed or sealed is given up.");
    if !is_meant {
        return Err("nothing was changed yet: run it again with --yes".into());
    }
    schedule.add_killed(kid, now)?;
    Ok(schedule.write()?)
}

/// The configured key of that kid, id or file. A file that cannot be read is passed over unless it is named itself.
fn find(settings: &Settings, named: &str) -> Option<Result<Victim, Failure>> {
    let signing = settings
        .keys
        .signing
        .iter()
        .map(|entry| (Which::Signing(entry.algorithm), &entry.file, startup::name_of_signing_key(settings, entry)));
    let sealing = settings
        .keys
        .sealing
        .iter()
        .map(|entry| (Which::Sealing, &entry.file, startup::name_of_sealing_key(settings, entry)));
    let mut keys = signing.chain(sealing);
    let (which, file, kid) =
        keys.find(|(_, file, kid)| *file == named || kid.as_ref().is_ok_and(|kid| kid == named))?;
    Some(kid.map(|kid| Victim { which, file: file.clone(), kid }).map_err(Failure::from))
}

/// Changes the entries; gives the file of one that stands elsewhere.
fn apply(schedule: &mut ScheduleFile, victim: &Victim, removal: &Removal) -> Option<String> {
    let list = victim.which.list();
    for file in [&victim.file].into_iter().chain(&removal.removed) {
        if !schedule.remove(list, file) {
            return Some(file.clone());
        }
    }
    let elsewhere = removal.changed.iter().find(|(file, lifecycle)| !schedule.set_times(list, file, lifecycle));
    elsewhere.map(|(file, _)| file.clone())
}

fn radius(settings: &Settings, victim: &Victim, state: KeyState, removal: &Removal) -> String {
    let Victim { which, file, kid } = victim;
    let mut lines = vec![format!("Killing the {} {kid} ({file}), which is {}:", which.words(), state.as_str())];
    match which {
        Which::Signing(algorithm) => {
            let demands = which.demands(settings, Timestamp::default());
            let (lifetime, age) = (demands.longest_lifetime, settings.keys.jwks_max_age);
            let has_signed = matches!(state, KeyState::Signing | KeyState::Retiring);
            lines.push(if has_signed {
                format!(
                    "  Access tokens that it has signed, of the last {}, die as soon as a verifier fetches the key set anew.",
                    short(lifetime)
                )
            } else {
                "  It has signed no token that is in use.".to_owned()
            });
            lines.push(format!(
                "  Until then, up to {} after every server has loaded this, verifiers go on trusting the leaked key, tokens that a thief signs with it included.",
                short(age)
            ));
            lines
                .push("  Refresh tokens, codes and sessions stay: clients get new access tokens with them.".to_owned());
            lines.push(match &removal.successor {
                Successor::Known(other) => format!("  {other} signs; verifiers know it."),
                Successor::Early(other) => format!(
                    "  {other} signs at once; a verifier that does not know it yet has to fetch the key set anew, at the latest after {}.",
                    short(age)
                ),
                Successor::New => format!(
                    "  A new {algorithm} key is made and signs at once; a verifier has to fetch the key set anew to know it, at the latest after {}.",
                    short(age)
                ),
                Successor::Nobody => format!("  Nothing signs with {algorithm} then, and nothing asks for it."),
            });
        }
        Which::Sealing => {
            lines.push("  Codes, refresh tokens, sessions, remembered consents and pending sign-ins that it has sealed die at once: those people sign in again.".to_owned());
            lines.push("  Access tokens stay until they end by themselves. No other server trusts the key once it has loaded this.".to_owned());
            lines.push(match &removal.successor {
                Successor::Known(other) => format!("  {other} seals what is new; what it has sealed stays."),
                Successor::Early(other) => format!("  {other} seals at once; let every server have it."),
                Successor::New | Successor::Nobody => {
                    "  A new sealing key is made and seals at once; let every server have it.".to_owned()
                }
            });
        }
    }
    lines.join("\n")
}

fn short(span: Duration) -> String {
    format_duration(span).to_string()
}

/// What a person does where the program may not.
fn by_hand(settings: &Settings, victim: &Victim, removal: &Removal, made: Option<&NewKey>) -> String {
    let place = |file: &str| victim.which.place(settings, file);
    let mut lines: Vec<_> = [&victim.file]
        .into_iter()
        .chain(&removal.removed)
        .map(|file| format!("# Take out the entry of {file} ({}).\n", place(file)))
        .collect();
    lines.extend(removal.changed.iter().map(|(file, lifecycle)| {
        format!("# In the entry of {file} ({}) write:\n{}\n", place(file), times_to_write(lifecycle))
    }));
    if let Some(made) = made {
        let block = made.block(Lifecycle::default());
        lines.push(format!("# Make a new key: {}\n# Add its entry:\n\n{block}", made.command(settings)));
    }
    lines.concat() + &format!("\n[[keys.killed]]\nkid = {:?}\n", victim.kid)
}
