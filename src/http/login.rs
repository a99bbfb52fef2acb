//! Signing in: the form of the login page comes back.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use zeroize::Zeroizing;

use crate::authorize::request::{AuthorizationError, AuthorizationRequest};
use crate::login::account::Account;
use crate::login::password::LoginRefused;
use crate::login::session::Session;
use crate::protocol::parameters::Parameters;

use super::browser::{
    CSRF_FIELD, FormAction, LoginFailure, REQUEST_FIELD, Step, add, is_from_elsewhere, show_refusal, stale_form,
};
use super::cookies::CookieKind;
use super::error_response::whole_seconds;
use super::pages::Message;
use super::state::State;
use super::{form, network};

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
    let asked = match resume(&step, &parameters) {
        Ok(asked) => asked,
        Err(error) => return step.fail(error),
    };
    tracing::Span::current().record("client.id", asked.client().id.as_str());
    let username = parameters.optional("username").unwrap_or_default();
    let password = Zeroizing::new(parameters.optional("password").unwrap_or_default().to_owned());
    let network = network::of(&request, &live.trusted_proxies);
    match live.login.verify(username, password.as_bytes(), network, step.now).await {
        Ok(account) => signed_in(&step, &asked, &account).await,
        Err(refused) => again(&step, &asked, username, &refused),
    }
}

fn resume(step: &Step<'_>, parameters: &Parameters<'_>) -> Result<AuthorizationRequest, AuthorizationError> {
    if is_from_elsewhere(step) {
        return Err(AuthorizationError::ShowToUser(stale_form().because("the form was sent by another site's page")));
    }
    let mark = step.browser_mark();
    let mark = mark.ok_or_else(|| AuthorizationError::ShowToUser(stale_form().because("the browser has no mark")))?;
    let sealed = parameters.optional(REQUEST_FIELD).unwrap_or_default();
    let csrf = parameters.optional(CSRF_FIELD).unwrap_or_default();
    step.resume(sealed, csrf, &mark, FormAction::Login)
}

/// Begins a session, always a new one, and goes on with the request.
async fn signed_in(step: &Step<'_>, asked: &AuthorizationRequest, account: &Account) -> HttpResponse {
    metrics::counter!("jotsmith_logins_total", "outcome" => "signed_in").increment(1);
    let lifetime = step.live.lifetimes.session;
    // A clock that went back, or another server's that is ahead, must not ask for the password again and again.
    let auth_time = step.now.max(asked.terms().created_at);
    let session = Session::begin(account, lifetime, auth_time, &*step.state.random);
    let early_end = match step.state.stores.sessions.early_end(session.sid, &session.subject).await {
        Ok(early_end) => early_end,
        Err(unavailable) => return step.refuse(asked.to().clone(), &unavailable.into()),
    };
    let mut response = step.proceed(asked, Some(&session), early_end.valid_from, None).await;
    step.add_cookie(&mut response, CookieKind::Session, &session, lifetime);
    add(&mut response, &step.cookies().remove(CookieKind::Browser));
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
