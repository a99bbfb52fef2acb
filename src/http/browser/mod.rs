//! One step of a person's way from the authorization request to the answer: what the browser shows of itself, and what
//! comes next. The authorization, login and consent endpoints all end here.

mod forms;
mod pages_shown;

use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue, LOCATION};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use crate::authorize::code::AuthorizationCode;
use crate::authorize::consent::{LONGEST_CONSENT, RememberedConsent, RememberedConsents};
use crate::authorize::interaction::{Evidence, Interaction, InteractionRefused, decide};
use crate::authorize::prompt::Prompt;
use crate::authorize::request::{AuthorizationError, AuthorizationRequest};
use crate::authorize::response::{Answer, AuthorizationResponse, Delivery, ReturnAddress};
use crate::foundation::clock::Timestamp;
use crate::grant_types::implicit;
use crate::login::session::{Session, SessionOver};
use crate::protocol::error::OAuthError;
use crate::protocol::language::Preferences;
use crate::protocol::response_type::ResponseType;
use crate::protocol::scope::Scope;

use super::cookies::{CookieKind, Cookies};
use super::headers::NO_STORE;
use super::live::Live;
use super::pages::{FormPostPage, Message, PostedField, Scene};
use super::state::State;
use super::{endpoint, error_response, network};

pub(super) use forms::{CSRF_FIELD, FormAction, REQUEST_FIELD, is_from_elsewhere, left_out, stale_form};
pub(super) use pages_shown::{LoginFailure, show_refusal};

/// The longest sealed request that travels in an address: with the rest of the line it must pass proxies, whose usual
/// limit for a request line is 8 KiB.
const LONGEST_IN_ADDRESS: usize = 6 * 1024;

/// A request of a browser, with everything that its answer needs.
pub(super) struct Step<'a> {
    pub(super) request: &'a HttpRequest,
    pub(super) state: &'a State,
    pub(super) live: &'a Live,
    pub(super) now: Timestamp,
}

impl<'a> Step<'a> {
    pub(super) fn new(request: &'a HttpRequest, state: &'a State, live: &'a Live) -> Self {
        Self { request, state, live, now: state.now() }
    }

    pub(super) const fn cookies(&self) -> Cookies<'a> {
        Cookies { issuer: &self.live.issuer, sealing: &self.live.sealing }
    }

    /// The session of this browser, if it still holds, and since when its subject's sessions may be.
    pub(super) async fn session(&self) -> Result<(Option<Session>, Option<Timestamp>), OAuthError> {
        let Some(session) = self.cookies().read::<Session>(CookieKind::Session, self.request) else {
            return Ok((None, None));
        };
        let early_end = self.state.stores.sessions.early_end(session.sid, &session.subject).await?;
        let account = self.live.login.directory.by_subject(&session.subject).await?;
        let valid_from = early_end.valid_from;
        self.tell_of_end_ahead(valid_from);
        Ok(match session.check(account.as_ref(), early_end, self.now) {
            Ok(()) => (Some(session), valid_from),
            Err(over) => {
                if over == SessionOver::FromTheFuture {
                    tracing::warn!(session.began = %session.auth_time, "a session is from a clock that was ahead, and is not taken before that time");
                } else {
                    tracing::debug!(reason = %over, "a session is over");
                }
                (None, valid_from)
            }
        })
    }

    /// Says that this person is kept out by an end of all their sessions which a clock that was ahead has written: neither
    /// they nor the operator could know why.
    pub(super) fn tell_of_end_ahead(&self, valid_from: Option<Timestamp>) {
        if let Some(valid_from) = valid_from.filter(|valid_from| valid_from.is_ahead_of(self.now)) {
            tracing::warn!(
                until = %valid_from,
                "all sessions of a person were ended by a clock that was ahead: no session of theirs is taken before that time"
            );
        }
    }

    /// In which language and in whose colours a page is shown: what the request says comes before what the browser says.
    pub(super) fn scene<'s>(&'s self, request: Option<&'s AuthorizationRequest>) -> Scene<'s> {
        let locales = request.and_then(|request| request.terms().ui_locales.as_deref());
        let of_request = locales.map(Preferences::of_ui_locales).unwrap_or_default();
        let client = request.map(|request| &**request.client());
        self.live.pages.scene(&[of_request, accepted(self.request)], client)
    }

    /// What comes next for `request`: a page, or the answer to the client. `session` is the one that holds. `left_out`: the
    /// person has just consented, to all but this.
    pub(super) async fn proceed(
        &self,
        request: &AuthorizationRequest,
        session: Option<&Session>,
        valid_from: Option<Timestamp>,
        left_out: Option<&Scope>,
    ) -> HttpResponse {
        let mut remembered: RememberedConsents =
            self.cookies().read(CookieKind::Consents, self.request).unwrap_or_default();
        let evidence = Evidence { session, valid_from, remembered: &remembered, is_consent_given: left_out.is_some() };
        match decide(request, &evidence, self.now) {
            Interaction::ShowLogin => self.show_login(request, None),
            Interaction::ShowConsent(session) => self.show_consent(request, session, None, None).await,
            Interaction::Refuse(reason) => self.refuse(request.to().clone(), &reason.into()),
            Interaction::Issue(session, left_out_before) => {
                let less = request.without(left_out.unwrap_or(&left_out_before), self.live.registrations());
                let Some(granted) = less else {
                    if request.terms().prompt == Prompt::Silent {
                        return self.refuse(request.to().clone(), &InteractionRefused::ConsentRequired.into());
                    }
                    let left_out = left_out.unwrap_or(&left_out_before);
                    return self.show_consent(request, session, Some(left_out), Some(Message::ConsentNoneLeft)).await;
                };
                let mut response = match granted.terms().response_type {
                    ResponseType::Code => self.issue_code(&granted, session).await,
                    ResponseType::Token => self.issue_token(&granted, session).await,
                };
                let given = left_out.map(|left| RememberedConsent::given(request, left, &session.subject, self.now));
                if let Some(consent) = given.flatten() {
                    remembered.remember(consent.after(valid_from));
                    self.add_cookie(&mut response, CookieKind::Consents, &remembered, LONGEST_CONSENT);
                }
                response
            }
        }
    }

    /// Makes a code, keeps it, and sends the browser back with it.
    async fn issue_code(&self, request: &AuthorizationRequest, session: &Session) -> HttpResponse {
        let lifetime = self.live.lifetimes.authorization_code;
        let code = AuthorizationCode::new(request, session, lifetime, self.now, &*self.state.random);
        let handle = code.handle(&self.live.sealing);
        if let Err(unavailable) = self.state.stores.codes.put_code(code).await {
            return self.refuse(request.to().clone(), &unavailable.into());
        }
        metrics::counter!("jotsmith_codes_issued_total").increment(1);
        let response = AuthorizationResponse { to: request.to().clone(), answer: Answer::Code(handle) };
        self.send(&response, Some(request))
    }

    /// Makes an access token, of which nothing is kept, and sends the browser back with it.
    async fn issue_token(&self, request: &AuthorizationRequest, session: &Session) -> HttpResponse {
        let network = network::of(self.request, &self.live.trusted_proxies);
        match implicit::respond(request, session, &self.state.ports(self.live, network), self.now).await {
            Ok(token) => {
                let response = AuthorizationResponse { to: request.to().clone(), answer: Answer::Token(token) };
                self.send(&response, Some(request))
            }
            Err(error) => self.refuse(request.to().clone(), &error),
        }
    }

    /// Sends an error back to the client, and logs it with its cause.
    pub(super) fn refuse(&self, to: ReturnAddress, error: &OAuthError) -> HttpResponse {
        error_response::log(self.request, error, error_response::status_of_page(error));
        self.send(&AuthorizationResponse { to, answer: Answer::Error(error.clone()) }, None)
    }

    /// An error of the authorization endpoint: back to the client where that is safe, else to the person.
    pub(super) fn fail(&self, error: AuthorizationError) -> HttpResponse {
        match error {
            AuthorizationError::RedirectToClient { to, error } => self.refuse(to, &error),
            AuthorizationError::ShowToUser(error) => self.show_error(&error),
            AuthorizationError::Expired { client, to } => self.show_way_back(&client, to),
        }
    }

    /// Asks the person of `session`, and says why where it is not for the first time. Nothing is given before they have
    /// answered, whatever they have consented to before.
    pub(super) async fn ask_again(
        &self,
        request: &AuthorizationRequest,
        session: &Session,
        valid_from: Option<Timestamp>,
        problem: Option<Message>,
    ) -> HttpResponse {
        let remembered = RememberedConsents::default();
        let evidence =
            Evidence { session: Some(session), valid_from, remembered: &remembered, is_consent_given: false };
        match decide(request, &evidence, self.now) {
            Interaction::ShowLogin => {
                let failed = problem.map(|_| LoginFailure::asked_again("", Message::LoginAgain));
                self.show_login(request, failed)
            }
            Interaction::Refuse(reason) => self.refuse(request.to().clone(), &reason.into()),
            Interaction::ShowConsent(session) | Interaction::Issue(session, _) => {
                self.show_consent(request, session, None, problem).await
            }
        }
    }

    /// Sends the browser on from a form that was posted to a page of its own, at which the person who has just signed in
    /// is asked: then the back button and a reload lead there, and not to the password once more.
    pub(super) fn go_on(&self, request: &AuthorizationRequest) -> Option<HttpResponse> {
        let sealed = self.seal(request);
        let is_short = sealed.len() <= LONGEST_IN_ADDRESS;
        let consent = self.live.issuer.endpoint(endpoint::CONSENT);
        // base64url needs no encoding.
        is_short.then(|| self.redirect(format!("{consent}?{REQUEST_FIELD}={sealed}")))
    }

    /// Whether the person of `session` must be asked, by what they did before.
    pub(super) fn must_ask(
        &self,
        request: &AuthorizationRequest,
        session: &Session,
        valid_from: Option<Timestamp>,
    ) -> bool {
        let remembered: RememberedConsents =
            self.cookies().read(CookieKind::Consents, self.request).unwrap_or_default();
        let evidence =
            Evidence { session: Some(session), valid_from, remembered: &remembered, is_consent_given: false };
        matches!(decide(request, &evidence, self.now), Interaction::ShowConsent(_))
    }

    /// The answer to a client, on its way; `request` is what it answers, where that was sound.
    fn send(&self, response: &AuthorizationResponse, request: Option<&AuthorizationRequest>) -> HttpResponse {
        match response.deliver(&self.live.issuer) {
            Delivery::Redirect(location) => self.redirect(location),
            Delivery::Form { action, fields } => {
                let redirect_host = response.to.target.host_to_show();
                let fields = fields.iter().map(|(name, value)| PostedField { name, value }).collect();
                FormPostPage { action, redirect_host, fields }.render(&self.scene(request)).finish()
            }
        }
    }

    /// 302 after GET, 303 after POST: the browser must not send a password on to the client (RFC 9700 §4.12).
    fn redirect(&self, location: String) -> HttpResponse {
        let is_post = self.request.method() == actix_web::http::Method::POST;
        let status = if is_post { StatusCode::SEE_OTHER } else { StatusCode::FOUND };
        let location = HeaderValue::try_from(location).expect("a URI is ASCII");
        let mut answer = HttpResponse::build(status);
        answer.insert_header((LOCATION, location));
        // RFC 6749 §5.1: a code is a credential.
        for header in NO_STORE {
            answer.insert_header(header);
        }
        answer.insert_header((header::REFERRER_POLICY, "no-referrer")).finish()
    }

    /// Ends a session before its time.
    pub(super) async fn end(&self, session: &Session) -> Result<(), OAuthError> {
        Ok(self.state.stores.sessions.end_session(session.sid, session.expires_at).await?)
    }

    /// Adds a sealed cookie to an answer.
    pub(super) fn add_cookie<T: Serialize>(
        &self,
        response: &mut HttpResponse,
        kind: CookieKind,
        value: &T,
        life: std::time::Duration,
    ) {
        let cookie = self.cookies().write(kind, value, life, self.now, &*self.state.random);
        add(response, &cookie);
    }
}

/// The languages that the browser asks for. More than one header is one list (RFC 9110 §5.3); what is no text is none.
fn accepted(request: &HttpRequest) -> Preferences {
    let lists: Vec<&str> =
        request.headers().get_all(header::ACCEPT_LANGUAGE).filter_map(|value| value.to_str().ok()).collect();
    Preferences::of_accept_language(&lists.join(","))
}

/// Adds a cookie to an answer that is built already.
pub(super) fn add(response: &mut HttpResponse, cookie: &Cookie<'_>) {
    response.add_cookie(cookie).expect("our cookies are header values");
}
