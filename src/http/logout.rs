//! Signing out. Only a POST does it, so that no link or picture on another site can.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use crate::protocol::error::OAuthError;
use crate::protocol::parameters::Parameters;

use super::browser::{CSRF_FIELD, FormAction, Step, add, is_from_elsewhere, show_refusal, stale_form};
use super::cookies::CookieKind;
use super::form;
use super::pages::{Message, MessagePage, Page};
use super::state::State;

/// `GET /logout`: asks.
pub(super) async fn ask(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let live = state.live_for_long();
    let step = Step::new(&request, &state, &live);
    match step.session().await {
        Ok((Some(session), _)) => step.show_logout(&session).await,
        Ok((None, _)) => signed_out(&step).finish(),
        Err(unavailable) => step.show_error(&unavailable),
    }
}

/// `POST /logout`: does it.
pub(super) async fn logout(request: HttpRequest, body: Payload, state: Data<State>) -> HttpResponse {
    let body = match form::read(&request, body).await {
        Ok(body) => body,
        Err(refusal) => return show_refusal(&request, refusal),
    };
    let live = state.live_for_long();
    let step = Step::new(&request, &state, &live);
    match end(&step, &body).await {
        Ok(()) => {
            let mut response = signed_out(&step).finish();
            // With the mark, no login form of this browser is good any more, in whoever's history it is.
            for kind in [CookieKind::Session, CookieKind::Browser] {
                add(&mut response, &step.cookies().remove(kind));
            }
            response
        }
        Err(error) => step.show_error(&error),
    }
}

async fn end(step: &Step<'_>, body: &[u8]) -> Result<(), OAuthError> {
    let parameters = Parameters::parse(body)?;
    if is_from_elsewhere(step) {
        return Err(stale_form().because("the form was sent by another site's page"));
    }
    let (session, _) = step.session().await?;
    // Whoever is signed out already has what they want.
    let Some(session) = session else { return Ok(()) };
    let csrf = parameters.optional(CSRF_FIELD).unwrap_or_default();
    step.check_csrf(csrf, session.sid.as_bytes(), "", FormAction::Logout)?;
    step.end(&session).await
}

fn signed_out(step: &Step<'_>) -> Page {
    let (title, text) = (Message::SignedOutTitle, Message::SignedOutText);
    MessagePage { title, text, error_id: None }.render(&step.scene(None), StatusCode::OK)
}
