//! Reload: read, judge, swap as one. Whatever is wrong, what was live before stays live.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clients::authentication::{AssertionVerifier, SecretVerifier};
use crate::config::{ConfigErrors, Inputs, SETTINGS, Settings};
use crate::http::live::Live;
use crate::http::state::State;
use crate::http::{ThemeRefused, render_metadata, token_endpoint};
use crate::keys::key_ring::Occasion;
use crate::login::directory::UserDirectory;
use crate::login::password::PasswordLogin;
use crate::login::throttle::Throttle;
use crate::tokens::issuer::TokenIssuer;

use super::keys::{KeysRefused, load_ring_after, load_sealing_ring, longest_lifetime};
use super::pages;
use super::publications::Publications;
use super::{FIXED_SETTINGS, Fixed, Foundations, Source};

/// Loads the configuration again.
pub struct Reloader {
    source: Source,
    foundations: Foundations,
    /// Forgets nothing at a reload.
    throttle: Arc<Throttle>,
    state: Arc<State>,
    fixed: Fixed,
    publications: Arc<Publications>,
    /// One reload at a time, so that the one that began last is the one that stays.
    turn: Mutex<Turn>,
}

/// What outlives every reload.
pub(super) struct Lasting {
    /// Who has failed to sign in.
    pub throttle: Arc<Throttle>,
    /// The process, and the snapshot that is live in it.
    pub state: Arc<State>,
    /// What a reload cannot change.
    pub fixed: Fixed,
    /// Which keys were published, and since when.
    pub publications: Arc<Publications>,
}

/// What one reload leaves to the next.
struct Turn {
    /// What was last read, whether it is live or was refused.
    inputs: Inputs,
    /// Snapshots that were replaced while requests still had them. They are taken apart where no request waits for it.
    retired: Vec<Arc<Live>>,
}

/// Why what is written did not become live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadRefused(String);

impl fmt::Display for ReloadRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ConfigErrors> for ReloadRefused {
    fn from(errors: ConfigErrors) -> Self {
        Self(errors.to_string())
    }
}

impl From<KeysRefused> for ReloadRefused {
    fn from(reason: KeysRefused) -> Self {
        Self(reason.to_string())
    }
}

impl From<LiveRefused> for ReloadRefused {
    fn from(reason: LiveRefused) -> Self {
        Self(reason.to_string())
    }
}

impl Reloader {
    pub(super) fn new(source: Source, foundations: Foundations, lasting: Lasting, inputs: Inputs) -> Self {
        let Lasting { throttle, state, fixed, publications } = lasting;
        let turn = Mutex::new(Turn { inputs, retired: Vec::new() });
        Self { source, foundations, throttle, state, fixed, publications, turn }
    }

    /// Makes what is written live, or notes why not: in the log, in the metrics and in the answer of `/health/ready`.
    pub fn reload(&self) -> Result<(), ReloadRefused> {
        self.reload_in(&mut self.turn())
    }

    /// The same, where what was last read is not what it was. Whether it was loaded.
    pub(super) fn reload_if_changed(&self) -> bool {
        let mut turn = self.turn();
        if turn.inputs.are_current() {
            tracing::debug!(files = ?self.source.files, "nothing of the configuration has changed");
            return false;
        }
        // What it finds is told by itself.
        let _ = self.reload_in(&mut turn);
        true
    }

    /// What tells of a change: the folders of all that was last read, and the files where there are `most_files` at most.
    pub(super) fn watched(&self, most_files: usize) -> BTreeSet<PathBuf> {
        let turn = self.turn();
        let mut watched = turn.inputs.folders();
        let files = turn.inputs.files();
        if files.len() <= most_files {
            watched.extend(files.into_iter().filter(|file| file.exists()));
        }
        watched
    }

    /// Whether snapshots wait to be taken apart.
    pub(super) fn has_retired(&self) -> bool {
        !self.turn().retired.is_empty()
    }

    /// Takes apart the snapshots that no request has any more.
    pub(super) fn drop_retired(&self) {
        let retired = std::mem::take(&mut self.turn().retired);
        let still_used: Vec<_> = retired.into_iter().filter_map(|live| Arc::try_unwrap(live).err()).collect();
        self.turn().retired.extend(still_used);
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        // What a panic in another turn may have left undone is a note, not the snapshot.
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reload_in(&self, turn: &mut Turn) -> Result<(), ReloadRefused> {
        let inputs = Inputs::default();
        let outcome = self.load(&inputs, &mut turn.retired);
        if outcome.is_err() {
            inputs.look_at_all_of(&turn.inputs);
        }
        turn.inputs = inputs;
        let label = if outcome.is_ok() { "loaded" } else { "refused" };
        metrics::counter!("jotsmith_reloads_total", "outcome" => label).increment(1);
        if let Err(refused) = &outcome {
            tracing::error!(error.cause = %refused, "the configuration is refused; the one before stays live");
            self.state.refuse(refused.to_string());
        }
        outcome
    }

    fn load(&self, inputs: &Inputs, retired: &mut Vec<Arc<Live>>) -> Result<(), ReloadRefused> {
        let mut settings = self.source.load_noting(inputs)?;
        let written = Fixed::of(&settings);
        if written.issuer != self.fixed.issuer {
            // Every token, cookie and address carries the issuer: half of a change would break them all.
            let text = format!("issuer cannot change from {} without a restart", self.fixed.issuer);
            return Err(ReloadRefused(text));
        }
        look_at_keys(&settings, inputs);
        settings.fingerprints.keep(SETTINGS, &FIXED_SETTINGS, &self.fixed.fingerprints);
        super::warn(&settings);
        let clients = settings.clients.iter().count();
        let live = build_live(settings, &self.foundations, &self.throttle, &self.publications, Occasion::Reload)?;
        retired.push(self.state.replace(live));
        tracing::info!(clients, "the configuration is live");
        for key in self.fixed.changes(&written) {
            tracing::warn!(setting = key, "changed, but stays as it was until a restart");
        }
        Ok(())
    }
}

/// Notes the files of the keys, which are read after this.
pub(super) fn look_at_keys(settings: &Settings, inputs: &Inputs) {
    let keys = &settings.keys;
    let files = keys.signing.iter().map(|key| &key.file).chain(keys.sealing.iter().map(|key| &key.file));
    for file in files {
        inputs.look(&keys.directory.join(file));
    }
}

/// Why what is configured cannot be served.
#[derive(Debug, thiserror::Error)]
pub(super) enum LiveRefused {
    /// For its keys.
    #[error(transparent)]
    Keys(#[from] KeysRefused),
    /// For its theme.
    #[error(transparent)]
    Theme(#[from] ThemeRefused),
}

impl From<LiveRefused> for super::StartError {
    fn from(reason: LiveRefused) -> Self {
        match reason {
            LiveRefused::Keys(reason) => reason.into(),
            LiveRefused::Theme(reason) => reason.into(),
        }
    }
}

/// Everything that the configuration decides, ready to serve.
pub(super) fn build_live(
    settings: Settings,
    foundations: &Foundations,
    throttle: &Arc<Throttle>,
    publications: &Publications,
    occasion: Occasion,
) -> Result<Live, LiveRefused> {
    let now = foundations.clock.now();
    let loaded_at = now;
    let pages = pages::load(&settings)?;
    for warning in pages.warnings() {
        tracing::warn!(warning, "the configuration is allowed, and perhaps not meant");
    }
    let tombstone = longest_lifetime(&settings);
    let sealing = load_sealing_ring(&settings, now)?;
    let keys = Arc::new(load_ring_after(&settings, now, &publications.history(now), occasion)?);
    publications.begin(Arc::clone(&keys), now);
    let random = &foundations.random;
    let directory = UserDirectory::new(settings.users, &**random).expect("the configuration has no user twice");
    Ok(Live {
        metadata: render_metadata(&settings.issuer, &settings.clients, &pages),
        pages,
        secrets: SecretVerifier::new(foundations.slow_hash.clone(), &**random),
        assertions: AssertionVerifier::new(settings.issuer.clone(), token_endpoint(&settings.issuer)),
        tokens: TokenIssuer::new(settings.issuer.clone(), Arc::clone(&keys), Arc::clone(random)),
        login: PasswordLogin {
            directory: Arc::new(directory),
            throttle: Arc::clone(throttle),
            limits: settings.login.limits,
            slow_hash: foundations.slow_hash.clone(),
            random: Arc::clone(random),
        },
        fingerprints: settings.fingerprints,
        issuer: settings.issuer,
        loaded_at,
        tombstone,
        sealing,
        lifetimes: settings.lifetimes,
        scope_descriptions: settings.scopes.into_iter().map(|(token, scope)| (token, scope.description)).collect(),
        clients: settings.clients,
        resources: settings.resources,
        admin_scope: settings.server.admin_scope,
        trusted_proxies: settings.server.trusted_proxies,
        keys,
    })
}
