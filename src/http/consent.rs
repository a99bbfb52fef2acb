//! Consent: the page with the question, and its form that comes back, with a yes, a no, or "that is not me".
//!
//! The page has an address of its own, which holds the sealed request and nothing else: to open it is what it is to come
//! from the client, and gives nothing: whoever opens it, perhaps out of the history, is asked, whatever was allowed before. The form is bound to the session of whoever was asked. When it comes in another
//! one, for the browser has signed in again since, nothing is allowed: the person of that session is asked.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use crate::authorize::interaction::InteractionRefused;
use crate::authorize::request::AuthorizationRequest;
use crate::foundation::request_scope::note_client;
use crate::login::session::Session;
use crate::protocol::parameters::Parameters;

use super::browser::{
    CSRF_FIELD, FormAction, LoginFailure, REQUEST_FIELD, Step, add, is_from_elsewhere, left_out, show_refusal,
    stale_form,
};
use super::cookies::CookieKind;
use super::form;
use super::pages::Message;
use super::state::State;

/// `GET /consent`: the question, at the end of signing in.
pub(super) async fn ask(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let live = state.live_for_long();
    let step = Step::new(&request, &state, &live);
    let parameters = match Parameters::parse(request.query_string().as_bytes()) {
        Ok(parameters) => parameters,
        Err(invalid) => return step.show_error(&invalid.into()),
    };
    let asked = match step.resume(parameters.optional(REQUEST_FIELD).unwrap_or_default()) {
        Ok(asked) => asked,
        Err(error) => return step.fail(error),
    };
    note_client((&asked.client().id).into());
    match step.session().await {
        Ok((Some(session), valid_from)) => step.ask_again(&asked, &session, valid_from, None).await,
        Ok((None, valid_from)) => step.proceed(&asked, None, valid_from, None).await,
        Err(unavailable) => step.refuse(asked.to().clone(), &unavailable),
    }
}

/// `POST /consent`.
pub(super) async fn consent(request: HttpRequest, body: Payload, state: Data<State>) -> HttpResponse {
    let body = match form::read(&request, body).await {
        Ok(body) => body,
        Err(refusal) => return show_refusal(&request, refusal),
    };
    let live = state.live_for_long();
    let step = Step::new(&request, &state, &live);
    let parameters = match Parameters::parse(&body) {
        Ok(parameters) => parameters,
        Err(invalid) => return step.show_error(&invalid.into()),
    };
    if is_from_elsewhere(&step) {
        return step.show_error(&stale_form().because("the form was sent by another site's page"));
    }
    let sealed = parameters.optional(REQUEST_FIELD).unwrap_or_default();
    let asked = match step.resume(sealed) {
        Ok(asked) => asked,
        Err(error) => return step.fail(error),
    };
    note_client((&asked.client().id).into());
    let (session, valid_from) = match step.session().await {
        Ok((Some(session), valid_from)) => (session, valid_from),
        Ok((None, _)) => return step.show_login(&asked, Some(LoginFailure::asked_again("", Message::LoginAgain))),
        Err(unavailable) => return step.show_error(&unavailable),
    };
    let csrf = parameters.optional(CSRF_FIELD).unwrap_or_default();
    if let Err(other) = step.check_csrf(csrf, session.sid.as_bytes(), sealed, FormAction::Consent) {
        tracing::info!(error.cause = %other.cause, "a consent of another session: the person is asked again");
        return step.ask_again(&asked, &session, valid_from, Some(Message::ConsentOtherSession)).await;
    }
    match parameters.optional("decision") {
        Some("allow") => {
            let left_out = left_out(&asked, &parameters);
            step.proceed(&asked, Some(&session), valid_from, Some(&left_out)).await
        }
        Some("switch") => switch(&step, asked, &session).await,
        // Anything but a clear yes is a no.
        _ => step.refuse(asked.to().clone(), &InteractionRefused::Denied.into()),
    }
}

/// It was somebody else who was signed in: they are signed out, and the same request goes on at the login page.
async fn switch(step: &Step<'_>, asked: AuthorizationRequest, session: &Session) -> HttpResponse {
    if let Err(unavailable) = step.end(session).await {
        return step.show_error(&unavailable);
    }
    tracing::info!("signed out by whoever is somebody else");
    let mut response = step.show_login(&asked.for_somebody_else(), None);
    add(&mut response, &step.cookies().remove(CookieKind::Session));
    response
}
