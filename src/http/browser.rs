//! One step of a person's way from the authorization request to the answer: what the browser shows of itself, and what
//! comes next. The authorization, login and consent endpoints all end here.

use std::sync::Arc;
use std::time::Duration;

use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue, LOCATION};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};

use crate::authorize::code::AuthorizationCode;
use crate::authorize::consent::{LONGEST_CONSENT, RememberedConsent, RememberedConsents};
use crate::authorize::interaction::{Evidence, Interaction, InteractionRefused, decide};
use crate::authorize::pending::{PENDING_LIFETIME, PendingRequest};
use crate::authorize::prompt::Prompt;
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
use crate::protocol::language::{LanguageTag, Preferences};
use crate::protocol::parameters::Parameters;
use crate::protocol::resource::ResourceIndicator;
use crate::protocol::response_type::ResponseType;
use crate::protocol::scope::Scope;

use super::cookies::{CookieKind, Cookies};
use super::error_response::Refusal;
use super::headers::NO_STORE;
use super::live::Live;
use super::pages::{
    Choice, ConsentPage, FormPostPage, LoginPage, LogoutPage, Message, MessagePage, Permission, PostedField, Scene,
    WayBackPage,
};
use super::state::State;
use super::{endpoint, error_response, network};

/// Where the pending request stands in a form; part of what it is sealed with.
pub(super) const REQUEST_FIELD: &str = "request";
pub(super) const CSRF_FIELD: &str = "csrf";

/// What stands before a scope token in the name of its box.
const SCOPE_FIELD: &str = "scope:";

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

    /// The login page; `failed` says why it is shown again.
    pub(super) fn show_login(&self, request: &AuthorizationRequest, failed: Option<LoginFailure<'_>>) -> HttpResponse {
        let known: Option<BrowserMark> = self.cookies().read(CookieKind::Browser, self.request);
        let mark = known.unwrap_or_else(|| BrowserMark(random::bytes(&*self.state.random)));
        let sealed = self.seal(request);
        let csrf = self.csrf_token(&mark.0, &sealed, FormAction::Login);
        let hint = request.terms().login_hint.as_deref();
        let page = LoginPage {
            action: &self.live.issuer.endpoint(endpoint::LOGIN),
            client_name: client_name(request.client()),
            redirect_host: request.to().target.host_to_show(),
            request: &sealed,
            csrf: &csrf,
            username: failed.as_ref().map(|failed| failed.username).or(hint).unwrap_or_default(),
            problem: failed.as_ref().map(|failed| failed.problem),
        };
        let status = failed.as_ref().map_or(StatusCode::OK, |failed| failed.status);
        let mark = self.cookies().write(CookieKind::Browser, &mark, PENDING_LIFETIME, self.now, &*self.state.random);
        let retry_after = failed.and_then(|failed| failed.retry_after);
        page.render(&self.scene(Some(request)), status).with_cookie(mark).with_retry_after(retry_after).finish()
    }

    /// The consent page; `left_out` is what the person has left out, and `problem` why they are asked again.
    async fn show_consent(
        &self,
        request: &AuthorizationRequest,
        session: &Session,
        left_out: Option<&Scope>,
        problem: Option<Message>,
    ) -> HttpResponse {
        let sealed = self.seal(request);
        let csrf = self.csrf_token(session.sid.as_bytes(), &sealed, FormAction::Consent);
        let scene = self.scene(Some(request));
        let user = self.name_of(session).await;
        let optional = request.optional_scope();
        let fixed = request.terms().scope.tokens().filter(|token| !optional.contains(token));
        let appearance = &request.client().appearance;
        let page = ConsentPage {
            action: &self.live.issuer.endpoint(endpoint::CONSENT),
            client_name: client_name(request.client()),
            redirect_host: request.to().target.host_to_show(),
            user: user.as_deref(),
            permissions: fixed.map(|token| self.describe(token, scene.tag())).collect(),
            choices: optional
                .tokens()
                .map(|token| {
                    let Permission { text, lang } = self.describe(token, scene.tag());
                    Choice { field: format!("{SCOPE_FIELD}{token}"), text, lang, is_on: is_left(left_out, token) }
                })
                .collect(),
            resources: self.resources_to_show(request),
            lasts: self.lifetime_of_access(request).into(),
            client_uri: appearance.client_uri.as_deref(),
            policy_uri: appearance.policy_uri.as_deref(),
            tos_uri: appearance.tos_uri.as_deref(),
            problem,
            request: &sealed,
            csrf: &csrf,
        };
        let status = match problem {
            None => StatusCode::OK,
            Some(Message::ConsentNoneLeft) => StatusCode::BAD_REQUEST,
            Some(_) => StatusCode::CONFLICT,
        };
        page.render(&scene, status).finish()
    }

    /// The page that offers to sign out.
    pub(super) async fn show_logout(&self, session: &Session) -> HttpResponse {
        let csrf = self.csrf_token(session.sid.as_bytes(), "", FormAction::Logout);
        let user = self.name_of(session).await;
        let action = self.live.issuer.endpoint(endpoint::LOGOUT);
        let page = LogoutPage { action: &action, user: user.as_deref(), csrf: &csrf };
        page.render(&self.scene(None)).finish()
    }

    /// What the person of a session types to sign in; none where the directory cannot say it, which is no reason to fail.
    async fn name_of(&self, session: &Session) -> Option<Arc<str>> {
        let account = self.live.login.directory.by_subject(&session.subject).await.ok().flatten()?;
        Some(Arc::clone(account.username()))
    }

    /// Ends a session before its time.
    pub(super) async fn end(&self, session: &Session) -> Result<(), OAuthError> {
        Ok(self.state.stores.sessions.end_session(session.sid, session.expires_at).await?)
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
            client_name: client_name(client),
            redirect_host: response.to.target.host_to_show(),
            action: &action,
            fields: fields.iter().map(|(name, value)| PostedField { name, value }).collect(),
        };
        let scene = self.live.pages.scene(&[accepted(self.request)], Some(client));
        page.render(&scene, StatusCode::BAD_REQUEST).finish()
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
        let (title, text) = (Message::ErrorTitle, Message::of_error(error));
        let page = MessagePage { title, text, error_id: Some(&error_id) };
        let retry_after = error.retry_after.map(error_response::whole_seconds);
        page.render(&self.scene(None), status).with_retry_after(retry_after).finish()
    }

    /// The words for a scope token in the language that comes nearest, or the token itself.
    fn describe<'b>(&'b self, token: &'b str, language: &LanguageTag) -> Permission<'b> {
        let Some(words) = self.live.scope_descriptions.get(token) else {
            return Permission { text: token, lang: None };
        };
        // What the configuration took are tags.
        let tags: Vec<_> = words.keys().filter_map(|tag| LanguageTag::parse(tag).ok()).collect();
        let best = Preferences::of_ui_locales(&format!("{language} en")).best(&tags).or(Some(0));
        let Some((tag, text)) = best.and_then(|at| words.iter().nth(at)) else {
            return Permission { text: token, lang: None };
        };
        Permission { text, lang: (tag != language.as_str()).then_some(tag) }
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
    let page = MessagePage { title: Message::ErrorTitle, text: Message::of_error(&error), error_id: Some(&error_id) };
    let state = request.app_data::<Data<State>>().expect("every route has the state");
    page.render(&state.live().pages.scene(&[accepted(request)], None), status).finish()
}

/// The languages that the browser asks for. More than one header is one list (RFC 9110 §5.3); what is no text is none.
fn accepted(request: &HttpRequest) -> Preferences {
    let lists: Vec<&str> =
        request.headers().get_all(header::ACCEPT_LANGUAGE).filter_map(|value| value.to_str().ok()).collect();
    Preferences::of_accept_language(&lists.join(","))
}

/// Whether a person has kept what they may leave out: all, as the page first comes.
fn is_left(left_out: Option<&Scope>, token: &str) -> bool {
    left_out.is_none_or(|left_out| !left_out.contains(token))
}

/// What a form leaves out: what may be left out and has no mark in its box. A box for anything else says nothing.
pub(super) fn left_out(request: &AuthorizationRequest, parameters: &Parameters<'_>) -> Scope {
    let optional = request.optional_scope();
    let is_marked = |token: &&str| parameters.optional(&format!("{SCOPE_FIELD}{token}")).is_some();
    optional.tokens().filter(|token| !is_marked(token)).collect()
}

/// Why the login page is shown again.
pub(super) struct LoginFailure<'a> {
    pub(super) status: StatusCode,
    pub(super) problem: Message,
    pub(super) username: &'a str,
    pub(super) retry_after: Option<u64>,
}

impl<'a> LoginFailure<'a> {
    /// Nothing was tried: the form is not one that this browser was shown, or nobody is signed in any more.
    pub(super) const fn asked_again(username: &'a str, problem: Message) -> Self {
        Self { status: StatusCode::CONFLICT, problem, username, retry_after: None }
    }
}

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

fn client_name(client: &Client) -> &str {
    client.name.as_deref().unwrap_or(client.id.as_str())
}
