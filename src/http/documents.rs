//! The two documents, which are the same for everybody and asked for most often: they are answered before anything that
//! stands around the other endpoints, and as the other answers are named, counted and timed here.

use std::future::ready;
use std::sync::Arc;

use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
use actix_web::{Handler, HttpRequest, HttpResponse};
use uuid::Uuid;

use crate::foundation::random;

use super::state::State;
use super::{cors, headers, metrics};

/// A document that is read at `route`.
pub(super) fn document(
    route: String,
    render: Render,
) -> impl Handler<(HttpRequest, Data<State>), Output = HttpResponse> {
    let route: Arc<str> = route.into();
    move |request: HttpRequest, state: Data<State>| ready(answer(&request, &state, &route, render))
}

/// What a document says to a request.
pub(super) type Render = fn(&HttpRequest, &State) -> HttpResponse;

/// The route is told and not the path, of which every character may be encoded or not.
fn answer(request: &HttpRequest, state: &State, route: &str, render: Render) -> HttpResponse {
    let begun = metrics::now();
    let mut response = cors::for_anyone(request, render(request, state));
    let id = uuid::Builder::from_random_bytes(random::bytes(&*state.random)).into_uuid();
    headers::name_request(response.headers_mut(), id);
    log(request.method(), route, id, response.status());
    metrics::count(route, response.status(), begun.elapsed());
    response
}

/// As the end of every request is told, where somebody wants to see it.
fn log(method: &Method, route: &str, id: Uuid, status: StatusCode) {
    let span = tracing::debug_span!("request", request.id = %id, http.method = method.as_str(), http.route = route);
    tracing::debug!(parent: &span, http.status = status.as_u16(), "answered");
}
