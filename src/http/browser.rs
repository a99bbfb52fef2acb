//! One step of a person's way from the authorization request to the answer: what the browser shows of itself, and what
//! comes next. The authorization, login and consent endpoints all end here.

use std::time::Duration;

use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue, LOCATION};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};

use crate::authorize::code::AuthorizationCode;
use crate::authorize::consent::{LONGEST_CONSENT, RememberedConsent, RememberedConsents};
use crate::authorize::interaction::{Evidence, Interaction, InteractionRefused, decide};
use crate::authorize::pending::{PENDING_LIFETIME, PendingRequest};
use crate::authorize::request::{AuthorizationError, AuthorizationRequest};
use crate::authorize::response::{Answer, AuthorizationResponse, Delivery, ReturnAddress};
use crate::clients::Client;
use crate::foundation::clock::Timestamp;
use crate::foundation::{digest, random};
use crate::grant_types::implicit;
use crate::keys::csrf::CsrfBinding;
use crate::keys::sealing_ring::SealPurpose;
use crate::login::session::Session;
use crate::protocol::error::{ErrorCode, OAuthError};
use crate::protocol::grant_type::GrantType;
use crate::protocol::resource::ResourceIndicator;
use crate::protocol::response_type::ResponseType;

use super::cookies::{CookieKind, Cookies};
use super::error_response::Refusal;
use super::headers::NO_STORE;
use super::live::Live;
use super::pages::{ConsentPage, FormPostPage, LoginPage, MessagePage, PostedField, WayBackPage, in_words};
use super::state::State;
use super::{endpoint, error_response, network};

/// Where the pending request stands in a form; part of what it is sealed with.
pub(super) const REQUEST_FIELD: &str = "request";
pub(super) const CSRF_FIELD: &str = "csrf";

/// The mark of a browser that was shown a login form, which is bound to it. It proves nothing about a person, so it stays
/// when somebody signs in: a form in another tab, or a second click, is still good. What a session is bound to is its
/// `sid`, which is new with each sign-in.
#[derive(Serialize, Deserialize)]
struct BrowserMark([u8; 16]);

/// What a form does; part of its CSRF token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FormAction {
    Login,
    Consent,
    Logout,
}

impl FormAction {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Consent => "consent",
            Self::Logout => "logout",
        }
    }
}

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
        Ok(match session.check(account.as_ref(), early_end, self.now) {
            Ok(()) => (Some(session), valid_from),
            Err(over) => {
                tracing::debug!(reason = %over, "a session is over");
                (None, valid_from)
            }
        })
    }

    /// What comes next for `request`: a page, or the answer to the client. `session` is the one that holds.
    pub(super) async fn proceed(
        &self,
        request: &AuthorizationRequest,
        session: Option<&Session>,
        valid_from: Option<Timestamp>,
        is_consent_given: bool,
    ) -> HttpResponse {
        let mut remembered: RememberedConsents =
            self.cookies().read(CookieKind::Consents, self.request).unwrap_or_default();
        let evidence = Evidence { session, valid_from, remembered: &remembered, is_consent_given };
        match decide(request, &evidence, self.now) {
            Interaction::ShowLogin => self.show_login(request, None),
            Interaction::ShowConsent(session) => self.show_consent(request, session, None),
            Interaction::Refuse(reason) => self.refuse(request.to().clone(), &reason.into()),
            Interaction::Issue(session) => {
                let mut response = match request.terms().response_type {
                    ResponseType::Code => self.issue_code(request, session).await,
                    ResponseType::Token => self.issue_token(request, session).await,
                };
                let given = is_consent_given.then(|| RememberedConsent::given(request, &session.subject, self.now));
                if let Some(consent) = given.flatten() {
                    remembered.remember(consent);
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
        self.send(&AuthorizationResponse { to: request.to().clone(), answer: Answer::Code(handle) })
    }

    /// Makes an access token, of which nothing is kept, and sends the browser back with it.
    async fn issue_token(&self, request: &AuthorizationRequest, session: &Session) -> HttpResponse {
        let network = network::of(self.request, &self.live.trusted_proxies);
        match implicit::respond(request, session, &self.state.ports(self.live, network), self.now).await {
            Ok(token) => self.send(&AuthorizationResponse { to: request.to().clone(), answer: Answer::Token(token) }),
            Err(error) => self.refuse(request.to().clone(), &error),
        }
    }

    /// Sends an error back to the client, and logs it with its cause.
    pub(super) fn refuse(&self, to: ReturnAddress, error: &OAuthError) -> HttpResponse {
        error_response::log(self.request, error, error_response::status_of_page(error));
        self.send(&AuthorizationResponse { to, answer: Answer::Error(error.clone()) })
    }

    /// An error of the authorization endpoint: back to the client where that is safe, else to the person.
    pub(super) fn fail(&self, error: AuthorizationError) -> HttpResponse {
        match error {
            AuthorizationError::RedirectToClient { to, error } => self.refuse(to, &error),
            AuthorizationError::ShowToUser(error) => self.show_error(&error),
            AuthorizationError::Expired { client, to } => self.show_way_back(&client, to),
        }
    }

    /// Asks the person of `session` what somebody was asked in another session of this browser. Nothing is given before
    /// they have answered, whatever they have consented to before.
    pub(super) fn ask_again(
        &self,
        request: &AuthorizationRequest,
        session: &Session,
        valid_from: Option<Timestamp>,
    ) -> HttpResponse {
        let remembered = RememberedConsents::default();
        let evidence =
            Evidence { session: Some(session), valid_from, remembered: &remembered, is_consent_given: false };
        match decide(request, &evidence, self.now) {
            Interaction::ShowLogin => self.show_login(request, Some(LoginFailure::asked_again("", SIGN_IN_AGAIN))),
            Interaction::Refuse(reason) => self.refuse(request.to().clone(), &reason.into()),
            Interaction::ShowConsent(session) | Interaction::Issue(session) => {
                self.show_consent(request, session, Some(OTHER_SESSION))
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

    /// What comes next for the person of `session`, with nothing but what they did before.
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

    /// The answer to a client, on its way.
    fn send(&self, response: &AuthorizationResponse) -> HttpResponse {
        match response.deliver(&self.live.issuer) {
            Delivery::Redirect(location) => self.redirect(location),
            Delivery::Form { action, fields } => {
                let redirect_host = response.to.target.host_to_show();
                let fields = fields.iter().map(|(name, value)| PostedField { name, value }).collect();
                FormPostPage { action, redirect_host, fields }.render().finish()
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

    /// The login page; `failed` says why it is shown again.
    pub(super) fn show_login(&self, request: &AuthorizationRequest, failed: Option<LoginFailure<'_>>) -> HttpResponse {
        let known: Option<BrowserMark> = self.cookies().read(CookieKind::Browser, self.request);
        let mark = known.unwrap_or_else(|| BrowserMark(random::bytes(&*self.state.random)));
        let sealed = self.seal(request);
        let csrf = self.csrf_token(&mark.0, &sealed, FormAction::Login);
        let hint = request.terms().login_hint.as_deref();
        let page = LoginPage {
            action: &self.live.issuer.endpoint(endpoint::LOGIN),
            client_name: client_name(request),
            request: &sealed,
            csrf: &csrf,
            username: failed.as_ref().map(|failed| failed.username).or(hint).unwrap_or_default(),
            problem: failed.as_ref().map(|failed| failed.problem),
        };
        let status = failed.as_ref().map_or(StatusCode::OK, |failed| failed.status);
        let mark = self.cookies().write(CookieKind::Browser, &mark, PENDING_LIFETIME, self.now, &*self.state.random);
        let retry_after = failed.and_then(|failed| failed.retry_after);
        page.render(status).with_cookie(mark).with_retry_after(retry_after).finish()
    }

    /// The consent page; `problem` says why the person is asked again.
    fn show_consent(
        &self,
        request: &AuthorizationRequest,
        session: &Session,
        problem: Option<&'static str>,
    ) -> HttpResponse {
        let sealed = self.seal(request);
        let csrf = self.csrf_token(session.sid.as_bytes(), &sealed, FormAction::Consent);
        let terms = request.terms();
        let page = ConsentPage {
            action: &self.live.issuer.endpoint(endpoint::CONSENT),
            client_name: client_name(request),
            redirect_host: request.to().target.host_to_show(),
            permissions: terms.scope.tokens().map(|token| self.describe(token)).collect(),
            resources: self.resources_to_show(request),
            lifetime: &in_words(self.lifetime_of_access(request)),
            problem,
            request: &sealed,
            csrf: &csrf,
        };
        page.render(if problem.is_some() { StatusCode::CONFLICT } else { StatusCode::OK }).finish()
    }

    /// Tells a person that a request waited too long, and whose it was; the client learns of it if they go back.
    fn show_way_back(&self, client: &Client, to: ReturnAddress) -> HttpResponse {
        let error = InteractionRefused::Expired.into();
        error_response::log(self.request, &error, StatusCode::BAD_REQUEST);
        let response = AuthorizationResponse { to, answer: Answer::Error(error) };
        let (action, fields) = match response.deliver(&self.live.issuer) {
            Delivery::Redirect(location) => (location, Vec::new()),
            Delivery::Form { action, fields } => (action.to_owned(), fields),
        };
        let page = WayBackPage {
            client_name: client.name.as_deref().unwrap_or(client.id.as_str()),
            redirect_host: response.to.target.host_to_show(),
            action: &action,
            fields: fields.iter().map(|(name, value)| PostedField { name, value }).collect(),
        };
        page.render(StatusCode::BAD_REQUEST).finish()
    }

    /// The resources that a person is told of: all, but where it is the default one alone, which needs no word.
    fn resources_to_show<'r>(&self, request: &'r AuthorizationRequest) -> Vec<&'r str> {
        match &*request.terms().resources {
            [only] if self.live.resources.is_default(only) => Vec::new(),
            all => all.iter().map(ResourceIndicator::as_str).collect(),
        }
    }

    /// How long what the person allows may last: until the grant ends for a code of a client that may refresh, else until
    /// the access token does.
    fn lifetime_of_access(&self, request: &AuthorizationRequest) -> Duration {
        let (client, lifetimes) = (request.client(), &self.live.lifetimes);
        let is_code = request.terms().response_type == ResponseType::Code;
        if is_code && client.grant_types.contains(&GrantType::RefreshToken) {
            return lifetimes.refresh_token_absolute;
        }
        let resources = request.terms().resources.iter().filter_map(|resource| self.live.resources.find(resource));
        resources.map(|resource| lifetimes.of_access_token(client, resource)).max().unwrap_or(lifetimes.access_token)
    }

    /// An error that only the person hears of.
    pub(super) fn show_error(&self, error: &OAuthError) -> HttpResponse {
        let status = error_response::status_of_page(error);
        let error_id = error_response::log(self.request, error, status);
        let page = MessagePage { title: "This did not work", text: error.description, error_id: Some(&error_id) };
        let retry_after = error.retry_after.map(error_response::whole_seconds);
        page.render(status).with_retry_after(retry_after).finish()
    }

    /// The words for a scope token, or the token itself.
    fn describe<'b>(&'b self, token: &'b str) -> &'b str {
        let words = self.live.scope_descriptions.get(token);
        words.and_then(|words| words.get("en").or_else(|| words.values().next())).map_or(token, String::as_str)
    }

    fn seal(&self, request: &AuthorizationRequest) -> String {
        let pending = PendingRequest::new(request);
        let purpose = SealPurpose::AuthorizationRequest;
        self.live.sealing.seal(purpose, REQUEST_FIELD, &pending, self.now, &*self.state.random)
    }

    /// The request that waits in a form or an address. Whose it is, it does not say: everybody may begin a request, and
    /// have it sealed. So nothing is given for it before the CSRF token beside it was checked, and who brings it without
    /// a good one is only asked, as if they came from the client.
    pub(super) fn resume(&self, sealed: &str) -> Result<AuthorizationRequest, AuthorizationError> {
        let pending: PendingRequest = self
            .live
            .sealing
            .open(SealPurpose::AuthorizationRequest, REQUEST_FIELD, sealed)
            .map_err(|refused| AuthorizationError::ShowToUser(stale_form().because(refused)))?;
        pending.resume(self.live.registrations(), self.now)
    }

    /// The mark of this browser, which a login form is bound to.
    pub(super) fn browser_mark(&self) -> Option<[u8; 16]> {
        self.cookies().read::<BrowserMark>(CookieKind::Browser, self.request).map(|mark| mark.0)
    }

    pub(super) fn csrf_token(&self, holder: &[u8], sealed: &str, action: FormAction) -> String {
        let request = digest::sha256(sealed);
        let binding = CsrfBinding { session: holder, request: &request, action: action.as_str() };
        binding.token(&self.live.sealing, self.now)
    }

    pub(super) fn check_csrf(
        &self,
        token: &str,
        holder: &[u8],
        sealed: &str,
        action: FormAction,
    ) -> Result<(), OAuthError> {
        let request = digest::sha256(sealed);
        let binding = CsrfBinding { session: holder, request: &request, action: action.as_str() };
        binding.verify(token, &self.live.sealing).map_err(|refused| stale_form().because(refused))
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

/// A body that could not be read, as a page: the person at the browser is told.
pub(super) fn show_refusal(request: &HttpRequest, refusal: Refusal) -> HttpResponse {
    let (error, status) = (refusal.error(), refusal.status());
    let error_id = error_response::log(request, &error, status);
    MessagePage { title: "This did not work", text: error.description, error_id: Some(&error_id) }
        .render(status)
        .finish()
}

/// Why the login page is shown again.
pub(super) struct LoginFailure<'a> {
    pub(super) status: StatusCode,
    pub(super) problem: &'a str,
    pub(super) username: &'a str,
    pub(super) retry_after: Option<u64>,
}

impl<'a> LoginFailure<'a> {
    /// Nothing was tried: the form is not one that this browser was shown, or nobody is signed in any more.
    pub(super) const fn asked_again(username: &'a str, problem: &'static str) -> Self {
        Self { status: StatusCode::CONFLICT, problem, username, retry_after: None }
    }
}

/// What a login form gets that this browser was not shown, or not lately.
pub(super) const FORM_OF_ANOTHER: &str = "This page was opened in another browser, or lay open too long. Please sign in \
     here. If you see this again, allow this site to keep cookies.";

/// What a consent form gets when nobody is signed in any more.
pub(super) const SIGN_IN_AGAIN: &str = "You are not signed in any more. Please sign in again, nothing was allowed yet.";

/// What a consent form of another session of this browser gets.
const OTHER_SESSION: &str = "This browser has signed in again since this page was opened, perhaps as somebody else. \
     Nothing was allowed yet: please answer once more.";

/// The longest sealed request that travels in an address: with the rest of the line it must pass proxies, whose usual
/// limit for a request line is 8 KiB.
const LONGEST_IN_ADDRESS: usize = 6 * 1024;

/// Adds a cookie to an answer that is built already.
pub(super) fn add(response: &mut HttpResponse, cookie: &Cookie<'_>) {
    response.add_cookie(cookie).expect("our cookies are header values");
}

/// A form that this browser was not shown, or in another session, or too long ago.
pub(super) fn stale_form() -> OAuthError {
    OAuthError::new(
        ErrorCode::InvalidRequest,
        "This page is too old, or was opened in another browser. Go back to the application and start again.",
    )
}

/// A form that another site's page sent. `Sec-Fetch-Site` is the browser's own word; where it is not sent, `Origin` is,
/// but not always with a value: our pages say `no-referrer`, which makes it `null`. The CSRF token decides then.
pub(super) fn is_from_elsewhere(step: &Step<'_>) -> bool {
    let text = |name: &str| step.request.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text("sec-fetch-site") {
        return site != "same-origin";
    }
    text("origin").is_some_and(|origin| origin != "null" && origin != step.live.issuer.origin())
}

fn client_name(request: &AuthorizationRequest) -> &str {
    let client = request.client();
    client.name.as_deref().unwrap_or(client.id.as_str())
}
