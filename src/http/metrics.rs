//! `/metrics` on the admin port, in Prometheus' text format, and the middleware that counts requests.
//!
//! What rooms count is in the recorder of the process. What is so at this moment (keys, queues, the configuration) is
//! looked at when it is asked for, so that nothing stays that is not so any more, such as a key that is gone.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage as _, HttpRequest, HttpResponse};
use metrics::{Counter, Histogram, counter, describe_gauge, gauge, histogram};
use metrics_exporter_prometheus::PrometheusBuilder;
use metrics_process::Collector;

use crate::protocol::error::ErrorCode;
use crate::protocol::grant_type::GrantType;

use super::health::{self, Readiness};
use super::state::{ReloadOutcome, State};

/// The text format, in its last version before `OpenMetrics`.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const REQUESTS: &str = "jotsmith_http_requests_total";
const SECONDS: &str = "jotsmith_http_request_duration_seconds";

/// What stands for a path that is none of ours, and for a request that is for no grant.
const NO_ROUTE: &str = "other";
const NO_GRANT_TYPE: &str = "none";

/// What an endpoint tells the middleware: the grant type that was asked for.
#[derive(Clone, Copy)]
struct Asked(GrantType);

/// What an endpoint tells the middleware: with which error it answered.
#[derive(Clone, Copy)]
struct Failed(ErrorCode);

/// Notes the grant type that a request asks for.
pub(super) fn note_grant_type(request: &HttpRequest, grant_type: GrantType) {
    request.extensions_mut().insert(Asked(grant_type));
}

/// Notes the error that a request is answered with.
pub(super) fn note_error(request: &HttpRequest, code: ErrorCode) {
    request.extensions_mut().insert(Failed(code));
}

/// Where one kind of request is counted.
struct Measures {
    requests: Counter,
    seconds: Histogram,
}

thread_local! {
    /// What this thread has counted before, by route: the recorder is asked once for each, and no request waits
    /// for a lock of it.
    static KNOWN: RefCell<HashMap<String, OfRoute>> = RefCell::default();
}

/// By grant type and outcome.
type OfRoute = HashMap<(&'static str, &'static str), Measures>;

/// Counts every request, and measures how long it took.
pub async fn measure_request(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let begun = now();
    // The pattern and not the path, which may be anything.
    let route = request.match_pattern();
    let answered = next.call(request).await;
    let (grant_type, outcome) = match &answered {
        Ok(response) => {
            let extensions = response.request().extensions();
            let grant_type = extensions.get::<Asked>().map_or(NO_GRANT_TYPE, |asked| asked.0.as_str());
            (grant_type, outcome(response.status(), extensions.get::<Failed>()))
        }
        Err(error) => (NO_GRANT_TYPE, outcome(error.as_response_error().status_code(), None)),
    };
    count(route.as_deref().unwrap_or(NO_ROUTE), grant_type, outcome, begun.elapsed());
    answered
}

fn outcome(status: StatusCode, failed: Option<&Failed>) -> &'static str {
    match (status, failed) {
        (StatusCode::TOO_MANY_REQUESTS, _) => "throttled",
        (_, Some(Failed(code))) => code.as_str(),
        (status, None) if status.is_client_error() => "refused",
        (status, None) if status.is_server_error() => "failed",
        _ => "ok",
    }
}

fn count(route: &str, grant_type: &'static str, outcome: &'static str, span: Duration) {
    let record = |measures: &Measures| {
        measures.requests.increment(1);
        measures.seconds.record(span.as_secs_f64());
    };
    KNOWN.with_borrow_mut(|known| {
        if let Some(measures) = known.get(route).and_then(|of_route| of_route.get(&(grant_type, outcome))) {
            return record(measures);
        }
        let name = route.to_owned();
        let measures = Measures {
            requests: counter!(REQUESTS, "route" => name.clone(), "grant_type" => grant_type, "outcome" => outcome),
            seconds: histogram!(SECONDS, "route" => name.clone(), "grant_type" => grant_type),
        };
        record(&measures);
        known.entry(name).or_default().insert((grant_type, outcome), measures);
    });
}

#[expect(clippy::disallowed_methods, reason = "measures how long a request takes")]
fn now() -> Instant {
    Instant::now()
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
