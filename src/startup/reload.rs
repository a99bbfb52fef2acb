//! Reload: read, judge, swap as one. Whatever is wrong, what was live before stays live.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::clients::authentication::{AssertionVerifier, SecretVerifier};
use crate::config::{ConfigErrors, Settings};
use crate::http::live::Live;
use crate::http::state::State;
use crate::http::{render_metadata, token_endpoint};
use crate::keys::key_ring::Occasion;
use crate::login::directory::UserDirectory;
use crate::login::password::PasswordLogin;
use crate::login::throttle::Throttle;
use crate::tokens::issuer::TokenIssuer;

use super::keys::{KeysRefused, load_ring_after, load_sealing_ring, longest_lifetime};
use super::publications::Publications;
use super::{Fixed, Foundations, Source};

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
    turn: Mutex<()>,
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

impl Reloader {
    pub(super) fn new(
        source: Source,
        foundations: Foundations,
        throttle: Arc<Throttle>,
        state: Arc<State>,
        fixed: Fixed,
        publications: Arc<Publications>,
    ) -> Self {
        Self { source, foundations, throttle, state, fixed, publications, turn: Mutex::new(()) }
    }

    /// Makes what is written live, or notes why not: in the log, in the metrics and in the answer of `/health/ready`.
    pub fn reload(&self) -> Result<(), ReloadRefused> {
        // The lock guards no data, so a panic in another turn has left nothing half done.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = self.load();
        let label = if outcome.is_ok() { "loaded" } else { "refused" };
        metrics::counter!("jotsmith_reloads_total", "outcome" => label).increment(1);
        if let Err(refused) = &outcome {
            tracing::error!(error.cause = %refused, "the configuration is refused; the one before stays live");
            self.state.refuse(refused.to_string());
        }
        outcome
    }

    fn load(&self) -> Result<(), ReloadRefused> {
        let settings = self.source.load()?;
        let written = Fixed::of(&settings);
        if written.issuer != self.fixed.issuer {
            // Every token, cookie and address carries the issuer: half of a change would break them all.
            let text = format!("issuer cannot change from {} without a restart", self.fixed.issuer);
            return Err(ReloadRefused(text));
        }
        super::warn(&settings);
        let clients = settings.clients.iter().count();
        let live = build_live(settings, &self.foundations, &self.throttle, &self.publications, Occasion::Reload)?;
        self.state.replace(live);
        tracing::info!(clients, "the configuration is live");
        for key in self.fixed.changes(&written) {
            tracing::warn!(setting = key, "changed, but stays as it was until a restart");
        }
        Ok(())
    }
}

/// Everything that the configuration decides, ready to serve.
pub(super) fn build_live(
    settings: Settings,
    foundations: &Foundations,
    throttle: &Arc<Throttle>,
    publications: &Publications,
    occasion: Occasion,
) -> Result<Live, KeysRefused> {
    let now = foundations.clock.now();
    let tombstone = longest_lifetime(&settings);
    let sealing = load_sealing_ring(&settings, now)?;
    let keys = Arc::new(load_ring_after(&settings, now, &publications.history(now), occasion)?);
    publications.begin(Arc::clone(&keys), now);
    let random = &foundations.random;
    let directory = UserDirectory::new(settings.users, &**random).expect("the configuration has no user twice");
    Ok(Live {
        metadata: render_metadata(&settings.issuer, &settings.clients),
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
        issuer: settings.issuer,
        tombstone,
        sealing,
        lifetimes: settings.lifetimes,
        scope_descriptions: settings.scopes.into_iter().map(|(token, scope)| (token, scope.description)).collect(),
        clients: settings.clients,
        resources: settings.resources,
        trusted_proxies: settings.server.trusted_proxies,
        keys,
    })
}
