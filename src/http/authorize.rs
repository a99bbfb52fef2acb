//! The authorization endpoint (RFC 6749 §3.1): GET with a query, or POST with a form.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use crate::authorize::request::AuthorizationRequest;
use crate::foundation::request_scope::note_client;

use super::browser::{Step, show_refusal};
use super::form;
use super::state::State;

/// `GET /authorize`.
pub(super) async fn get(request: HttpRequest, state: Data<State>) -> HttpResponse {
    authorize(&request, request.query_string().as_bytes(), &state).await
}

/// `POST /authorize`.
pub(super) async fn post(request: HttpRequest, body: Payload, state: Data<State>) -> HttpResponse {
    match form::read(&request, body).await {
        Ok(body) => authorize(&request, &body, &state).await,
        Err(refusal) => show_refusal(&request, refusal),
    }
}

async fn authorize(request: &HttpRequest, encoded: &[u8], state: &State) -> HttpResponse {
    let live = state.live_for_long();
    let step = Step::new(request, state, &live);
    let asked = match AuthorizationRequest::parse(encoded, live.registrations(), step.now) {
        Ok(asked) => asked,
        Err(error) => return step.fail(error),
    };
    note_client((&asked.client().id).into());
    match step.session().await {
        Ok((session, valid_from)) => step.proceed(&asked, session.as_ref(), valid_from, None).await,
        Err(unavailable) => step.refuse(asked.to().clone(), &unavailable),
    }
}
