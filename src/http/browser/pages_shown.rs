//! What a person is shown on the way: each page with what it says of this request, this client and this person.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::authorize::interaction::InteractionRefused;
use crate::authorize::pending::PENDING_LIFETIME;
use crate::authorize::request::AuthorizationRequest;
use crate::authorize::response::{Answer, AuthorizationResponse, Delivery, ReturnAddress};
use crate::clients::Client;
use crate::foundation::random;
use crate::http::cookies::CookieKind;
use crate::http::error_response::Refusal;
use crate::http::pages::{
    Choice, ConsentPage, LoginPage, LogoutPage, Message, MessagePage, Permission, PostedField, WayBackPage,
};
use crate::http::state::State;
use crate::http::{endpoint, error_response};
use crate::login::session::Session;
use crate::protocol::error::OAuthError;
use crate::protocol::grant_type::GrantType;
use crate::protocol::language::{LanguageTag, Preferences};
use crate::protocol::resource::ResourceIndicator;
use crate::protocol::response_type::ResponseType;
use crate::protocol::scope::Scope;

use super::forms::{BrowserMark, FormAction, SCOPE_FIELD};
use super::{Step, accepted};

impl Step<'_> {
    /// The login page; `failed` says why it is shown again.
    pub(in crate::http) fn show_login(
        &self,
        request: &AuthorizationRequest,
        failed: Option<LoginFailure<'_>>,
    ) -> HttpResponse {
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
    pub(super) async fn show_consent(
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
    pub(in crate::http) async fn show_logout(&self, session: &Session) -> HttpResponse {
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

    /// Tells a person that a request waited too long, and whose it was; the client learns of it if they go back.
    pub(super) fn show_way_back(&self, client: &Client, to: ReturnAddress) -> HttpResponse {
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
    pub(in crate::http) fn show_error(&self, error: &OAuthError) -> HttpResponse {
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
}

/// A body that could not be read, as a page: the person at the browser is told.
pub(in crate::http) fn show_refusal(request: &HttpRequest, refusal: Refusal) -> HttpResponse {
    let (error, status) = (refusal.error(), refusal.status());
    let error_id = error_response::log(request, &error, status);
    let page = MessagePage { title: Message::ErrorTitle, text: Message::of_error(&error), error_id: Some(&error_id) };
    let state = request.app_data::<Data<State>>().expect("every route has the state");
    page.render(&state.live().pages.scene(&[accepted(request)], None), status).finish()
}

/// Whether a person has kept what they may leave out: all, as the page first comes.
fn is_left(left_out: Option<&Scope>, token: &str) -> bool {
    left_out.is_none_or(|left_out| !left_out.contains(token))
}

/// Why the login page is shown again.
pub(in crate::http) struct LoginFailure<'a> {
    pub(in crate::http) status: StatusCode,
    pub(in crate::http) problem: Message,
    pub(in crate::http) username: &'a str,
    pub(in crate::http) retry_after: Option<u64>,
}

impl<'a> LoginFailure<'a> {
    /// Nothing was tried: the form is not one that this browser was shown, or nobody is signed in any more.
    pub(in crate::http) const fn asked_again(username: &'a str, problem: Message) -> Self {
        Self { status: StatusCode::CONFLICT, problem, username, retry_after: None }
    }
}

fn client_name(client: &Client) -> &str {
    client.name.as_deref().unwrap_or(client.id.as_str())
}
