//! Signing in: the form of the login page comes back.
//!
//! **What is in a browser twice loses nothing.** Every tab's form is bound to the browser's mark, which stays when one of
//! them signs in; so another tab, a second click or a reload signs in as well, each time into a new session, which is then
//! the browser's. A consent that was asked in the session before is asked again in the new one (`consent`). A form that
//! was shown to no such browser tries no password: its request goes on, with the login page. One that waited too long is
//! over, and the person is shown the way back to the client.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use zeroize::Zeroizing;

use crate::authorize::request::AuthorizationRequest;
use crate::foundation::request_scope::note_client;
use crate::login::account::Account;
use crate::login::known_browser::{KNOWN_FOR, KnownBrowser, Recognized};
use crate::login::password::LoginRefused;
use crate::login::session::{Session, SessionId};
use crate::login::throttle::Guesser;
use crate::protocol::parameters::Parameters;

use super::browser::{
    CSRF_FIELD, FormAction, LoginFailure, REQUEST_FIELD, Step, is_from_elsewhere, show_refusal, stale_form,
};
use super::cookies::CookieKind;
use super::error_response::whole_seconds;
use super::pages::Message;
use super::state::State;
use super::{form, network};

/// `GET /login`: somebody opens the address that stands in the browser after a wrong password. It has no request in it.
pub(super) async fn open(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let live = state.live_for_long();
    Step::new(&request, &state, &live).show_error(&stale_form().because("the login page was opened by its address"))
}

/// `POST /login`.
pub(super) async fn login(request: HttpRequest, body: Payload, state: Data<State>) -> HttpResponse {
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
    let username = parameters.optional("username").unwrap_or_default();
    let csrf = parameters.optional(CSRF_FIELD).unwrap_or_default();
    let is_own =
        step.browser_mark().is_some_and(|mark| step.check_csrf(csrf, &mark, sealed, FormAction::Login).is_ok());
    if !is_own {
        // No password is tried that came in a form which this browser was not shown: who typed it types it again.
        tracing::info!(login.outcome = "other_form", "not signed in");
        return step.show_login(&asked, Some(LoginFailure::asked_again(username, Message::LoginOtherBrowser)));
    }
    let password = Zeroizing::new(parameters.optional("password").unwrap_or_default().to_owned());
    let known: KnownBrowser = step.cookies().read(CookieKind::Known, &request).unwrap_or_default();
    let network = network::of(&request, &live.trusted_proxies);
    let guesser = Guesser { username, network, recognized: recognize(&step, &known, username).await };
    match live.login.verify(&guesser, password.as_bytes(), step.now).await {
        Ok(account) => signed_in(&step, &asked, &account, known).await,
        Err(refused) => again(&step, &asked, username, &refused),
    }
}

/// Whether whoever has this username signed in in this browser before. Where that cannot be found out it is a stranger's.
async fn recognize(step: &Step<'_>, known: &KnownBrowser, username: &str) -> Option<Recognized> {
    if known.is_empty() {
        return None;
    }
    let account = step.live.login.directory.by_username(username).await.ok()??;
    let recognized = known.recognize(&account, step.now)?;
    // Of no session: only what was ended of the person as a whole is asked for.
    let sid = SessionId::new(&*step.state.random);
    let early_end = step.state.stores.sessions.early_end(sid, recognized.subject()).await.ok()?;
    recognized.outlives(early_end.valid_from).then_some(recognized)
}

/// Begins a session, always a new one, and goes on with the request.
async fn signed_in(
    step: &Step<'_>,
    asked: &AuthorizationRequest,
    account: &Account,
    mut known: KnownBrowser,
) -> HttpResponse {
    metrics::counter!("jotsmith_logins_total", "outcome" => "signed_in").increment(1);
    let lifetime = step.live.lifetimes.session;
    // A clock that went back, or another server's that is ahead, must not ask for the password again and again.
    let auth_time = step.now.max(asked.terms().created_at);
    let session = Session::begin(account, lifetime, auth_time, &*step.state.random);
    let early_end = match step.state.stores.sessions.early_end(session.sid, &session.subject).await {
        Ok(early_end) => early_end,
        Err(unavailable) => return step.refuse(asked.to().clone(), &unavailable.into()),
    };
    step.tell_of_end_ahead(early_end.valid_from);
    let session = session.after(early_end.valid_from);
    let is_asked = step.must_ask(asked, &session, early_end.valid_from);
    let mut response = match is_asked.then(|| step.go_on(asked)).flatten() {
        Some(on) => on,
        None => step.proceed(asked, Some(&session), early_end.valid_from, None).await,
    };
    step.add_cookie(&mut response, CookieKind::Session, &session, lifetime);
    known.remember(account, step.now, &*step.state.random);
    step.add_cookie(&mut response, CookieKind::Known, &known, KNOWN_FOR);
    response
}

/// Shows the login page again, with the same words for a wrong name and a wrong password.
fn again(step: &Step<'_>, asked: &AuthorizationRequest, username: &str, refused: &LoginRefused) -> HttpResponse {
    let (status, problem) = words(refused);
    let outcome = refused.outcome();
    metrics::counter!("jotsmith_logins_total", "outcome" => outcome).increment(1);
    if let LoginRefused::Unavailable(cause) = refused {
        tracing::error!(login.outcome = outcome, error.cause = %cause, "not signed in");
    } else {
        tracing::info!(login.outcome = outcome, "not signed in");
    }
    let retry_after = refused.retry_after().map(whole_seconds);
    step.show_login(asked, Some(LoginFailure { status, problem, username, retry_after }))
}

/// With what status the login page comes back, and what it says.
const fn words(refused: &LoginRefused) -> (StatusCode, Message) {
    match refused {
        LoginRefused::Wrong => (StatusCode::FORBIDDEN, Message::LoginWrong),
        LoginRefused::Throttled(_) => (StatusCode::TOO_MANY_REQUESTS, Message::LoginThrottled),
        LoginRefused::Busy(_) => (StatusCode::SERVICE_UNAVAILABLE, Message::LoginBusy),
        LoginRefused::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, Message::LoginUnavailable),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::foundation::slow_hash::Busy;
    use crate::login::directory::DirectoryUnavailable;
    use crate::login::throttle::Throttled;

    #[test]
    fn a_page_that_asks_to_come_back_says_when() {
        let wait = Duration::from_secs(3);
        for (refused, status) in [
            (LoginRefused::Wrong, 403),
            (Throttled { retry_after: wait }.into(), 429),
            (Busy { retry_after: wait }.into(), 503),
            (DirectoryUnavailable("no route to host".to_owned()).into(), 503),
        ] {
            assert_eq!(words(&refused).0, status, "{refused}");
            assert_eq!(refused.retry_after().is_some(), status != 403, "{refused}");
        }
    }
}
