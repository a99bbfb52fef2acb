//! Health, on the admin port alone: whether the process lives, and whether it can serve.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde::Serialize;

use super::state::{ReloadOutcome, State};

#[derive(Serialize)]
struct Alive {
    status: &'static str,
}

#[derive(Serialize)]
struct Ready<'a> {
    status: &'static str,
    reload: &'static str,
    loaded_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reload_error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reload_refused_at: Option<String>,
}

/// Whether requests can be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readiness {
    Ready,
    NoSigningKey,
    NoStore,
}

/// Keys can sign, and the store can be used.
pub(super) fn readiness(state: &State) -> Readiness {
    let can_sign = state.live().keys.algorithms(state.now()).next().is_some();
    match state.stores.health.health() {
        _ if !can_sign => Readiness::NoSigningKey,
        Err(_unavailable) => Readiness::NoStore,
        Ok(()) => Readiness::Ready,
    }
}

/// `GET /health/live`: the process answers.
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(Alive { status: "live" })
}

/// `GET /health/ready`: whether requests can be served. A refused reload leaves the old configuration serving,
/// so it is told in the body and does not make the server unready.
pub(super) async fn ready(state: Data<State>) -> HttpResponse {
    let loaded_at = state.live().loaded_at.to_string();
    let readiness = readiness(&state);
    let status = match readiness {
        Readiness::Ready => "ready",
        Readiness::NoSigningKey => "no signing key",
        Readiness::NoStore => "the store cannot be used",
    };
    let outcome = state.reload_outcome();
    let (reload, reload_error, refused_at) = match &*outcome {
        ReloadOutcome::Loaded => ("loaded", None, None),
        ReloadOutcome::Refused { at, error } => ("refused", Some(error.as_str()), Some(at.to_string())),
    };
    let mut response =
        if readiness == Readiness::Ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(Ready { status, reload, loaded_at, reload_error, reload_refused_at: refused_at })
}
