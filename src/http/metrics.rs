//! `/metrics` on the admin port, in Prometheus' text format, and the counts of requests.
//!
//! What rooms count is in the recorder of the process. What is so at this moment (keys, queues, the configuration) is
//! looked at when it is asked for, so that nothing stays that is not so any more, such as a key that is gone.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{Error, HttpResponse};
use metrics::{Counter, Histogram, counter, describe_gauge, gauge, histogram};
use metrics_exporter_prometheus::PrometheusBuilder;
use metrics_process::Collector;

use crate::protocol::error::ErrorCode;
use crate::protocol::grant_type::GrantType;

use super::health::{self, Readiness};
use super::notes::Notes;
use super::state::{ReloadOutcome, State};

/// The text format, in its last version before `OpenMetrics`.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const REQUESTS: &str = "jotsmith_http_requests_total";
const SECONDS: &str = "jotsmith_http_request_duration_seconds";

/// What stands for a path that is none of ours, and for a request that is for no grant.
const NO_ROUTE: &str = "other";
const NO_GRANT_TYPE: &str = "none";

/// Where one kind of request is counted.
struct Measures {
    route: String,
    grant_type: &'static str,
    outcome: &'static str,
    requests: Counter,
    seconds: Histogram,
}

thread_local! {
    /// What this thread has counted before, roughly by how often: the recorder is asked once for each, and no request waits
    /// for a lock of it.
    static KNOWN: RefCell<Vec<Measures>> = RefCell::default();
}

/// When a request came, to be measured from.
#[expect(clippy::disallowed_methods, reason = "measures how long a request takes")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Counts an answer of which nothing was noted.
pub(super) fn count(route: &str, status: StatusCode, span: Duration) {
    record(route, NO_GRANT_TYPE, outcome(status, None), span);
}

/// Counts an answer to a request for `route`, which took `span`.
pub(super) fn count_noted<B>(route: Option<&str>, answered: &Result<ServiceResponse<B>, Error>, span: Duration) {
    let (grant_type, outcome) = match answered {
        Ok(response) => {
            let grant_type = Notes::read(response.request(), |notes| notes.grant_type);
            let error = Notes::read(response.request(), |notes| notes.error);
            (grant_type.map_or(NO_GRANT_TYPE, GrantType::as_str), outcome(response.status(), error))
        }
        Err(error) => (NO_GRANT_TYPE, outcome(error.as_response_error().status_code(), None)),
    };
    record(route.unwrap_or(NO_ROUTE), grant_type, outcome, span);
}

fn outcome(status: StatusCode, error: Option<ErrorCode>) -> &'static str {
    match (status, error) {
        (StatusCode::TOO_MANY_REQUESTS, _) => "throttled",
        (_, Some(code)) => code.as_str(),
        (status, None) if status.is_client_error() => "refused",
        (status, None) if status.is_server_error() => "failed",
        _ => "ok",
    }
}

fn record(route: &str, grant_type: &'static str, outcome: &'static str, span: Duration) {
    KNOWN.with_borrow_mut(|known| {
        let is_same = |one: &Measures| one.route == route && one.grant_type == grant_type && one.outcome == outcome;
        let at = known.iter().position(is_same).unwrap_or_else(|| {
            known.push(Measures::new(route, grant_type, outcome));
            known.len() - 1
        });
        known[at].requests.increment(1);
        known[at].seconds.record(span.as_secs_f64());
        known.swap(at, at.saturating_sub(1));
    });
}

impl Measures {
    fn new(route: &str, grant_type: &'static str, outcome: &'static str) -> Self {
        let route = route.to_owned();
        Self {
            requests: counter!(REQUESTS, "route" => route.clone(), "grant_type" => grant_type, "outcome" => outcome),
            seconds: histogram!(SECONDS, "route" => route.clone(), "grant_type" => grant_type),
            route,
            grant_type,
            outcome,
        }
    }
}

/// `GET /metrics`.
pub(super) async fn metrics(state: Data<State>) -> HttpResponse {
    state.metrics.run_upkeep();
    let text = state.metrics.render() + &of_this_moment(&state);
    HttpResponse::Ok().content_type(CONTENT_TYPE).body(text)
}

/// What is so now, in a recorder that lives no longer.
fn of_this_moment(state: &State) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        let process = Collector::default();
        process.describe();
        process.collect();
        describe_moment();
        look(state);
    });
    handle.run_upkeep();
    handle.render()
}

fn describe_moment() {
    describe_gauge!("jotsmith_build_info", "1, with the version of the program.");
    describe_gauge!("jotsmith_ready", "1 where the server can serve, as /health/ready says, else 0.");
    describe_gauge!("jotsmith_clients", "Clients that are registered.");
    describe_gauge!("jotsmith_config_loaded_timestamp_seconds", "When what is live was read.");
    describe_gauge!(
        "jotsmith_config_last_reload_successful",
        "1 where what is written is live, 0 where it was refused."
    );
    describe_gauge!("jotsmith_signing_keys", "Signing keys in each state.");
    describe_gauge!("jotsmith_signing_key_next_change_seconds", "How long a signing key stays in its state.");
    describe_gauge!("jotsmith_sealing_keys", "Sealing keys in each state.");
    describe_gauge!("jotsmith_sealing_key_next_change_seconds", "How long a sealing key stays in its state.");
    describe_gauge!("jotsmith_password_hashes", "Password hashes that run, and that wait for one of those to end.");
    describe_gauge!("jotsmith_password_hashes_limit", "How many password hashes may run, and may wait.");
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; these are small, or times until the year 287396")]
fn look(state: &State) {
    let (live, now) = (state.live(), state.now());
    gauge!("jotsmith_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    gauge!("jotsmith_ready").set(if health::readiness(state) == Readiness::Ready { 1.0 } else { 0.0 });
    gauge!("jotsmith_clients").set(live.clients.iter().count() as f64);
    gauge!("jotsmith_config_loaded_timestamp_seconds").set(live.loaded_at.as_seconds() as f64);
    let is_loaded = matches!(*state.reload_outcome(), ReloadOutcome::Loaded);
    gauge!("jotsmith_config_last_reload_successful").set(if is_loaded { 1.0 } else { 0.0 });

    for key in live.keys.listing(now) {
        // So that an alert sees a nought where an algorithm has lost its last signer, and not a series that is gone.
        gauge!("jotsmith_signing_keys", "algorithm" => key.algorithm.as_str(), "state" => "signing").set(0.0);
    }
    for key in live.keys.listing(now) {
        let (algorithm, key_state) = (key.algorithm.as_str(), key.state.as_str());
        gauge!("jotsmith_signing_keys", "algorithm" => algorithm, "state" => key_state).increment(1.0);
        if let Some((at, next)) = key.next {
            gauge!(
                "jotsmith_signing_key_next_change_seconds",
                "kid" => key.kid.to_owned(), "algorithm" => algorithm, "state" => key_state, "next" => next.as_str()
            )
            .set(at.since(now).as_secs_f64());
        }
    }

    for key in live.sealing.standings(now) {
        let key_state = key.state.as_str();
        gauge!("jotsmith_sealing_keys", "state" => key_state).increment(1.0);
        if let Some((at, next)) = key.next {
            gauge!(
                "jotsmith_sealing_key_next_change_seconds",
                "id" => key.entry.key.id().to_string(), "state" => key_state, "next" => next.as_str()
            )
            .set(at.since(now).as_secs_f64());
        }
    }

    let occupancy = live.login.slow_hash.occupancy();
    gauge!("jotsmith_password_hashes", "state" => "running").set(occupancy.now.running as f64);
    gauge!("jotsmith_password_hashes", "state" => "waiting").set(occupancy.now.waiting as f64);
    gauge!("jotsmith_password_hashes_limit", "state" => "running").set(occupancy.most.running as f64);
    gauge!("jotsmith_password_hashes_limit", "state" => "waiting").set(occupancy.most.waiting as f64);
}
