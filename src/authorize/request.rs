//! The authorization request (RFC 6749 §4.1.1 and §4.2.1): from what a browser sends to what may be shown to a person.
//!
//! In three steps, each a type: parameters as they were sent; a [`ReturnAddress`], once client and redirect URI are
//! sound; an [`AuthorizationRequest`], once all else is. What fails in the first step is shown to the person and never
//! redirected, what fails later goes back to the client (§4.1.2.1): without a return address there is no redirect.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clients::Client;
use crate::foundation::clock::Timestamp;
use crate::protocol::error::{ErrorCode, OAuthError};
use crate::protocol::parameters::{InvalidParameters, Parameters, UncheckedParameters};
use crate::protocol::pkce::CodeChallenge;
use crate::protocol::resource::ResourceIndicator;
use crate::protocol::response_type::ResponseType;
use crate::protocol::scope::Scope;

use super::answer_mode;
pub use super::permission::Registrations;
use super::permission::{Wish, permit, redirect_target};
use super::prompt::{Prompt, parse_max_age};
use super::response::ReturnAddress;

/// The longest request, in bytes as it is sent. Sealed into a form field it must be a parameter that may come back.
const LONGEST_REQUEST: usize = 5 * 1024;

/// The longest request with all that it left out, in bytes, for the same reason: defaults may be long too.
const LONGEST_WITH_DEFAULTS: usize = LONGEST_REQUEST + 512;

/// The longest `login_hint` that is kept, in bytes: a longer one is nobody's name.
const LONGEST_LOGIN_HINT: usize = 255;

/// The longest `ui_locales` that is kept, in bytes: a longer one is no preference.
const LONGEST_UI_LOCALES: usize = 255;

/// What is wrong with a request, and who hears of it.
#[derive(Debug)]
pub enum AuthorizationError {
    /// The person, on a page of ours: nobody vouches for the redirect URI (RFC 6749 §4.1.2.1).
    ShowToUser(OAuthError),
    /// The client, at its checked redirect URI.
    RedirectToClient {
        /// Where the answer goes.
        to: ReturnAddress,
        /// What it says.
        error: OAuthError,
    },
    /// The person, who took too long, and the client only if the person goes back to it.
    Expired {
        /// Who asked.
        client: Arc<Client>,
        /// Where the person may go back to.
        to: ReturnAddress,
    },
}

/// Why a request is refused, where no other rule says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestRefused {
    /// No client has this identifier.
    #[error("client_id is unknown")]
    UnknownClient,
    /// None was sent, and the client has not exactly one (RFC 6749 §3.1.2.3).
    #[error("redirect_uri is missing, and the client has not exactly one")]
    RedirectUriMissing,
    /// The client has not registered it.
    #[error("redirect_uri is not one of the client's")]
    RedirectUriMismatch,
    /// The request is a JWT (RFC 9101 §5).
    #[error("request is not supported")]
    RequestObject,
    /// The request lies somewhere else (RFC 9101 §5).
    #[error("request_uri is not supported")]
    RequestUri,
    /// Its parameters would not fit into the form that waits for a person.
    #[error("the request is longer than {LONGEST_REQUEST} bytes, or than 512 more with its defaults")]
    TooLong,
    /// The client is not registered for this response type.
    #[error("the client may not use this response_type")]
    ResponseTypeNotForClient,
    /// The client must use PKCE (RFC 7636 §4.4.1).
    #[error("code_challenge is missing")]
    ChallengeMissing,
}

impl From<RequestRefused> for OAuthError {
    fn from(reason: RequestRefused) -> Self {
        use RequestRefused as Why;
        let (code, description) = match reason {
            Why::UnknownClient => (ErrorCode::InvalidRequest, "The application is not registered here."),
            Why::RedirectUriMissing => (ErrorCode::InvalidRequest, "The application did not say where to go back to."),
            Why::RedirectUriMismatch => (
                ErrorCode::InvalidRequest,
                "The application wants to go back to an address that it has not registered.",
            ),
            Why::RequestObject => (ErrorCode::RequestNotSupported, "The parameter request is not supported."),
            Why::RequestUri => (ErrorCode::RequestUriNotSupported, "The parameter request_uri is not supported."),
            Why::TooLong => (ErrorCode::InvalidRequest, "The request is too long."),
            Why::ResponseTypeNotForClient => {
                (ErrorCode::UnauthorizedClient, "The client is not registered for this response_type.")
            }
            Why::ChallengeMissing => (ErrorCode::InvalidRequest, "A code_challenge is required (RFC 7636)."),
        };
        Self::new(code, description).because(reason)
    }
}

/// A request that may be answered with a code or a token, once a person has signed in and consented.
///
/// It comes from [`parse`](Self::parse) or [`PendingRequest::resume`](super::pending::PendingRequest::resume) and from
/// nowhere else.
#[derive(Debug, Clone)]
pub struct AuthorizationRequest {
    pub(super) client: Arc<Client>,
    pub(super) to: ReturnAddress,
    pub(super) is_redirect_uri_sent: bool,
    pub(super) terms: Terms,
}

/// What a client asks for, judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// What the answer is.
    pub response_type: ResponseType,
    /// The scope: what was named, or the client's default, as far as the resources understand it.
    pub scope: Scope,
    /// The resources: what was named, or the default one.
    pub resources: Vec<ResourceIndicator>,
    /// What the code is bound to; never there for a token.
    pub code_challenge: Option<CodeChallenge>,
    /// What the person is to see.
    pub prompt: Prompt,
    /// How long ago the person may have signed in.
    pub max_age: Option<Duration>,
    /// Who the client believes the person is; only ever a suggestion.
    pub login_hint: Option<String>,
    /// In which languages the person wants to be spoken to (OpenID Connect Core §3.1.2.1).
    pub ui_locales: Option<String>,
    /// When the request came.
    pub created_at: Timestamp,
}

impl AuthorizationRequest {
    /// Reads and judges the form-encoded parameters of a request that came `now`, in a query or a body.
    pub fn parse(encoded: &[u8], registrations: Registrations<'_>, now: Timestamp) -> Result<Self, AuthorizationError> {
        let parameters = UncheckedParameters::parse(encoded).map_err(shown)?;
        let client_id = parameters.optional("client_id").map_err(shown)?;
        let client_id = client_id.ok_or(InvalidParameters::Missing("client_id")).map_err(shown)?;
        let client = registrations.clients.find(client_id).ok_or(RequestRefused::UnknownClient).map_err(shown)?;
        let redirect_uri = parameters.optional("redirect_uri").map_err(shown)?;
        let target = redirect_target(client, redirect_uri).map_err(shown)?;

        let is_redirect_uri_sent = redirect_uri.is_some();
        // A state that is sent twice is nobody's: none comes back.
        let state = parameters.optional("state").ok().flatten().map(str::to_owned);
        let (mode, is_mode_sound) = answer_mode::choose(&parameters, &target, state.as_deref());
        let to = ReturnAddress { target, state, mode };
        let judged = is_mode_sound.map_err(OAuthError::from).and_then(|()| {
            if encoded.len() > LONGEST_REQUEST {
                return Err(RequestRefused::TooLong.into());
            }
            let terms = judge(parameters, client, registrations, now)?;
            if length(client, &to, &terms) > LONGEST_WITH_DEFAULTS {
                return Err(RequestRefused::TooLong.into());
            }
            Ok(terms)
        });
        match judged {
            Ok(terms) => Ok(Self { client: Arc::clone(client), to, is_redirect_uri_sent, terms }),
            Err(error) => Err(AuthorizationError::RedirectToClient { to, error }),
        }
    }

    /// Who asks.
    pub const fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Where the answer goes.
    pub const fn to(&self) -> &ReturnAddress {
        &self.to
    }

    /// Whether the request named its redirect URI: then the token request must too (RFC 6749 §4.1.3).
    pub const fn is_redirect_uri_sent(&self) -> bool {
        self.is_redirect_uri_sent
    }

    /// What is asked for.
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// What of the scope a person may leave out.
    pub fn optional_scope(&self) -> Scope {
        self.terms.scope.intersection(&self.client.optional_scope)
    }

    /// The same request for less: what a person has left of it. A resource that nothing of it is for is left out too.
    /// `None`: nothing would be left, or nothing that the client could use.
    pub fn without(&self, left_out: &Scope, registrations: Registrations<'_>) -> Option<Self> {
        if left_out.is_empty() {
            return Some(self.clone());
        }
        let scope: Scope = self.terms.scope.tokens().filter(|token| !left_out.contains(token)).collect();
        if scope.is_empty() {
            return None;
        }
        let is_used = |resource: &&ResourceIndicator| {
            let own = registrations.resources.find(resource).and_then(|resource| resource.scope.as_ref());
            own.is_none_or(|own| !own.intersection(&scope).is_empty())
        };
        let text = scope.to_string();
        let wish = Wish {
            response_type: self.terms.response_type,
            code_challenge: self.terms.code_challenge,
            scope: Some(&text),
            resources: self.terms.resources.iter().filter(is_used).map(ResourceIndicator::as_str).collect(),
        };
        let (scope, resources) = permit(&self.client, registrations, &wish).ok()?;
        Some(Self { terms: Terms { scope, resources, ..self.terms.clone() }, ..self.clone() })
    }

    /// The same request, for whoever signs in next: not for whom the client believes the person to be.
    #[must_use]
    pub fn for_somebody_else(mut self) -> Self {
        self.terms.login_hint = None;
        self
    }
}

pub(super) fn shown(reason: impl Into<OAuthError>) -> AuthorizationError {
    AuthorizationError::ShowToUser(reason.into())
}

/// Reads and judges everything but client and redirect URI.
fn judge(
    parameters: UncheckedParameters<'_>,
    client: &Client,
    registrations: Registrations<'_>,
    now: Timestamp,
) -> Result<Terms, OAuthError> {
    let parameters = parameters.check()?;
    // Whoever sends one of these relies on what is in it, so ignoring it would answer another question.
    if parameters.optional("request").is_some() {
        return Err(RequestRefused::RequestObject.into());
    }
    if parameters.optional("request_uri").is_some() {
        return Err(RequestRefused::RequestUri.into());
    }
    let response_type: ResponseType = parameters.required("response_type")?.parse()?;
    let code_challenge = match response_type {
        ResponseType::Code => {
            let challenge = parameters.optional("code_challenge");
            CodeChallenge::parse(challenge, parameters.optional("code_challenge_method"))?
        }
        // RFC 7636 §4 binds a code to its redemption, and there is neither.
        ResponseType::Token => None,
    };
    let scope = parameters.optional("scope");
    let wish = Wish { response_type, code_challenge, scope, resources: parameters.all("resource").collect() };
    let (scope, resources) = permit(client, registrations, &wish)?;
    Ok(Terms {
        response_type,
        scope,
        resources,
        code_challenge,
        prompt: Prompt::parse(parameters.optional("prompt"))?,
        max_age: parse_max_age(parameters.optional("max_age"))?,
        login_hint: login_hint(&parameters),
        ui_locales: ui_locales(&parameters),
        created_at: now,
    })
}

/// About how many bytes a request has when it waits for a person.
fn length(client: &Client, to: &ReturnAddress, terms: &Terms) -> usize {
    let of_resources: usize = terms.resources.iter().map(|resource| resource.as_str().len() + 2).sum();
    let of_texts = [&to.state, &terms.login_hint, &terms.ui_locales].map(|text| text.as_ref().map_or(0, String::len));
    client.id.as_str().len()
        + to.target.as_str().len()
        + terms.scope.to_string().len()
        + of_resources
        + of_texts.iter().sum::<usize>()
}

/// The name with which the sign-in form starts. It is whatever a link says, so what could not be a name, or would be
/// shown as another one, is left out.
fn login_hint(parameters: &Parameters<'_>) -> Option<String> {
    let is_name = |hint: &&str| hint.len() <= LONGEST_LOGIN_HINT && !hint.chars().any(is_invisible);
    parameters.optional("login_hint").filter(is_name).map(str::to_owned)
}

/// The languages that the client says the person prefers. OpenID Connect Core §3.1.2.1: what is not known is no error.
fn ui_locales(parameters: &Parameters<'_>) -> Option<String> {
    let is_list = |list: &&str| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b' ');
        list.len() <= LONGEST_UI_LOCALES && list.bytes().all(is_part)
    };
    parameters.optional("ui_locales").filter(is_list).map(str::to_owned)
}

/// Control characters, and those that turn the direction of writing (Unicode Standard Annex #9 §2).
fn is_invisible(character: char) -> bool {
    let turns =
        matches!(character, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    turns || character.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::fixture::{NOW, Refusal, Registered};
    use crate::protocol::response_type::ResponseMode;
    use crate::tokens::grant::LONGEST_TERMS;

    fn refused(query: &str) -> Refusal {
        let refused = Registered::default().parse(query).expect_err(query);
        Refusal::from(refused)
    }

    fn sent_back(query: &str) -> ErrorCode {
        match refused(&format!("state=s&{query}")) {
            Refusal::SentBack(code, state) => {
                assert_eq!(state.as_deref(), Some("s"), "{query}");
                code
            }
            other => panic!("{query}: {other:?}"),
        }
    }

    const CHALLENGE: &str = "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";

    #[test]
    fn a_sound_request_is_judged() {
        let query = format!(
            "client_id=web&response_type=code&redirect_uri=https://web.example/cb&state=xyz&{CHALLENGE}\
             &scope=write+read&resource=https://api.example&prompt=login&max_age=60&login_hint=alice&ui_locales=fr+zh-CN&unknown=1"
        );
        let request = Registered::default().parse(&query).expect("sound");
        assert_eq!(request.client().id.as_str(), "web");
        assert_eq!(request.to().target.as_str(), "https://web.example/cb");
        assert_eq!(request.to().state.as_deref(), Some("xyz"));
        assert!(request.is_redirect_uri_sent());
        let terms = request.terms();
        assert_eq!(terms.scope.to_string(), "read write");
        assert_eq!(terms.resources, [ResourceIndicator::parse("https://api.example").expect("valid")]);
        assert!(terms.code_challenge.is_some());
        assert_eq!(terms.prompt, Prompt::Interactive { login: true, consent: false });
        assert_eq!(terms.max_age, Some(Duration::from_mins(1)));
        assert_eq!(terms.login_hint.as_deref(), Some("alice"));
        assert_eq!(terms.ui_locales.as_deref(), Some("fr zh-CN"));
        assert_eq!(terms.created_at, NOW);
    }

    #[test]
    fn what_cannot_be_a_list_of_languages_is_no_preference_and_no_error() {
        let registered = Registered::default();
        for (sent, kept) in [
            ("zh-CN%20en", Some("zh-CN en")),
            ("", None),
            ("%3Cb%3E", None),
            ("en%0d%0aX:1", None),
            (&"a".repeat(255), Some(&*"a".repeat(255))),
            (&"a".repeat(256), None),
        ] {
            let request = registered.request(&format!("client_id=web&ui_locales={sent}"));
            assert_eq!(request.terms().ui_locales.as_deref(), kept, "{sent}");
        }
    }

    #[test]
    fn a_request_for_less_has_no_resource_that_nothing_is_left_for() {
        let registered = Registered::default();
        let of = |left_out: &str, query: &str| {
            let request = registered.request(&format!("client_id=web&{query}"));
            let narrowed = request.without(&left_out.parse().expect("a scope"), registered.registrations())?;
            let resources = narrowed.terms().resources.iter().map(ToString::to_string).collect::<Vec<_>>();
            Some((narrowed.terms().scope.to_string(), resources.join(" ")))
        };
        let some = |scope: &str, resources: &str| Some((scope.to_owned(), resources.to_owned()));
        assert_eq!(of("", "scope=read+write"), some("read write", "https://api.example"));
        assert_eq!(of("write", "scope=read+write"), some("read", "https://api.example"));
        assert_eq!(of("read write", "scope=read+write"), None);
        let both = "scope=read+write&resource=https://other.example&resource=https://quick.example";
        assert_eq!(of("read", both), some("write", "https://quick.example"));
        assert_eq!(of("write", both), some("read", "https://other.example https://quick.example"));
    }

    #[test]
    fn what_is_left_out_is_the_default() {
        let request = Registered::default().request("client_id=web");
        assert!(!request.is_redirect_uri_sent());
        assert_eq!(request.to().target.as_str(), "https://web.example/cb");
        assert_eq!(request.to().state, None);
        let terms = request.terms();
        assert_eq!(terms.scope.to_string(), "read");
        assert_eq!(terms.resources, [ResourceIndicator::parse("https://api.example").expect("valid")]);
        assert_eq!((terms.prompt, terms.max_age, terms.login_hint.as_deref()), (Prompt::default(), None, None));
    }

    #[test]
    fn a_bad_client_or_redirect_uri_is_shown_to_the_person_and_never_redirected() {
        for query in [
            "",
            "client_id=",
            "client_id=nobody",
            "client_id=web&client_id=web",
            "client_id=web&client_id=old",
            "client_id=web&redirect_uri=https://evil.example/cb",
            "client_id=web&redirect_uri=https://web.example/cb/",
            "client_id=web&redirect_uri=https://web.example/cb&redirect_uri=https://web.example/cb",
            "client_id=web&redirect_uri=https://web.example/cb&redirect_uri=https://evil.example/cb",
            "client_id=web&redirect_uri=%ff",
            "client_id=web&redirect_uri=http://web.example/cb",
            "client_id=spa",
            "client_id=spa&redirect_uri=",
            "client_id=machine",
            "client_id=trusted&redirect_uri=http://127.0.0.1:7/cb",
        ] {
            let query = format!("response_type=code&state=s&{CHALLENGE}&{query}");
            assert_eq!(refused(&query), Refusal::Shown(ErrorCode::InvalidRequest), "{query}");
        }
    }

    #[test]
    fn too_many_parameters_are_shown_for_what_is_behind_them_is_not_read() {
        let many = "x=1&".repeat(crate::protocol::parameters::MOST_PARAMETERS);
        let query = format!("client_id=web&response_type=code&{many}");
        assert_eq!(refused(&query), Refusal::Shown(ErrorCode::InvalidRequest));
    }

    #[test]
    fn any_other_parameter_that_is_repeated_or_unreadable_goes_back() {
        for rest in ["scope=read&scope=read", "x=1&x=2", "scope=%ff", &format!("scope={}", "x".repeat(8193))] {
            let query = format!("client_id=web&response_type=code&{CHALLENGE}&{rest}");
            assert_eq!(sent_back(&query), ErrorCode::InvalidRequest, "{rest}");
        }
        let twice = format!("client_id=web&response_type=code&{CHALLENGE}&state=a&state=b");
        assert_eq!(refused(&twice), Refusal::SentBack(ErrorCode::InvalidRequest, None));
    }

    #[test]
    fn a_response_type_is_required_known_and_registered() {
        assert_eq!(sent_back("client_id=web"), ErrorCode::InvalidRequest);
        assert_eq!(sent_back("client_id=web&response_type="), ErrorCode::InvalidRequest);
        for unknown in ["id_token", "code+token", "Code"] {
            let query = format!("client_id=web&response_type={unknown}");
            assert_eq!(sent_back(&query), ErrorCode::UnsupportedResponseType, "{unknown}");
        }
        assert_eq!(sent_back("client_id=web&response_type=token"), ErrorCode::UnauthorizedClient);
        let nobody = Registered::with(|_| {}).parse("client_id=web&response_type=token").expect_err("refused");
        assert_eq!(Refusal::from(nobody), Refusal::SentBack(ErrorCode::UnsupportedResponseType, None));
        let query = format!("client_id=machine-with-uri&response_type=code&{CHALLENGE}");
        assert_eq!(sent_back(&query), ErrorCode::UnauthorizedClient);
    }

    #[test]
    fn an_answer_goes_the_way_that_is_asked_for_and_a_refused_way_is_an_error() {
        let with = |mode| format!("client_id=web&response_type=code&{CHALLENGE}&response_mode={mode}");
        for mode in ResponseMode::ALL {
            let request = Registered::default().parse(&with(mode.as_str())).expect("sound");
            assert_eq!(request.to().mode, mode);
        }
        assert_eq!(sent_back(&with("jwt")), ErrorCode::InvalidRequest);
        assert_eq!(sent_back(&format!("{PAGE}&response_mode=query")), ErrorCode::InvalidRequest);
    }

    /// A request for an access token.
    const PAGE: &str = "client_id=page&redirect_uri=https://page.example/cb&response_type=token";

    #[test]
    fn a_token_needs_no_challenge_and_looks_at_none() {
        for rest in ["", &format!("&{CHALLENGE}"), "&code_challenge=x&code_challenge_method=plain"] {
            let request = Registered::default().parse(&format!("{PAGE}{rest}")).expect(rest);
            let terms = request.terms();
            assert_eq!((terms.response_type, &terms.code_challenge), (ResponseType::Token, &None), "{rest}");
            assert_eq!(request.to().mode, ResponseMode::Fragment);
        }
    }

    #[test]
    fn a_token_is_for_resources_that_can_share_one_and_a_code_for_any() {
        let several = "&resource=https://api.example&resource=https://quick.example";
        assert_eq!(sent_back(&format!("{PAGE}{several}")), ErrorCode::InvalidTarget);
        assert!(Registered::default().parse(&format!("{PAGE}&resource=https://quick.example")).is_ok());
        let alike = "&resource=https://api.example&resource=https://other.example";
        assert!(Registered::default().parse(&format!("{PAGE}{alike}")).is_ok());
        assert_eq!(Registered::default().request(&format!("client_id=web{several}")).terms().resources.len(), 2);
    }

    #[test]
    fn a_code_needs_pkce_unless_a_confidential_client_may_do_without() {
        for client in ["web", "cli&redirect_uri=http://127.0.0.1:7/cb", "desktop"] {
            let query = format!("client_id={client}&response_type=code");
            assert_eq!(sent_back(&query), ErrorCode::InvalidRequest, "{client}");
            let empty = format!("{query}&code_challenge=&code_challenge_method=");
            assert_eq!(sent_back(&empty), ErrorCode::InvalidRequest, "{client}");
        }
        let request = Registered::default().parse("client_id=old&response_type=code").expect("sound");
        assert_eq!(request.terms().code_challenge, None);
    }

    #[test]
    fn plain_is_refused_also_for_a_client_that_may_do_without_pkce() {
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        for rest in [
            format!("code_challenge={challenge}"),
            format!("code_challenge={challenge}&code_challenge_method="),
            format!("code_challenge={challenge}&code_challenge_method=plain"),
            "code_challenge_method=S256".to_owned(),
            "code_challenge=short&code_challenge_method=S256".to_owned(),
        ] {
            let query = format!("client_id=old&response_type=code&{rest}");
            assert_eq!(sent_back(&query), ErrorCode::InvalidRequest, "{rest}");
        }
    }

    #[test]
    fn scope_and_resource_are_known_and_the_clients() {
        let with = |rest| sent_back(&format!("client_id=web&response_type=code&{CHALLENGE}&{rest}"));
        assert_eq!(with("scope=read+admin"), ErrorCode::InvalidScope);
        assert_eq!(with("scope=read++write"), ErrorCode::InvalidScope);
        assert_eq!(with("scope=write&resource=https://other.example"), ErrorCode::InvalidScope);
        assert_eq!(with("resource=https://nobody.example"), ErrorCode::InvalidTarget);
        assert_eq!(with("resource=https://api.example%23x"), ErrorCode::InvalidTarget);
        assert_eq!(with("resource=https://api.example&resource=https://nobody.example"), ErrorCode::InvalidTarget);
    }

    #[test]
    fn several_resources_are_each_kept_once_as_they_are_registered() {
        let request = Registered::default().request(
            "client_id=web&resource=https://other.example/&resource=https://api.example/\
             &resource=https://other.example&resource=https://api.example",
        );
        let kept: Vec<_> = request.terms().resources.iter().map(ResourceIndicator::as_str).collect();
        assert_eq!(kept, ["https://other.example", "https://api.example"]);
    }

    #[test]
    fn the_scope_is_what_the_resource_understands() {
        let request = Registered::default().request("client_id=web&scope=read+write&resource=https://other.example");
        assert_eq!(request.terms().scope.to_string(), "read");
    }

    #[test]
    fn prompt_and_max_age_are_well_formed() {
        for rest in ["prompt=none+login", "prompt=create", "max_age=soon", "max_age=-1"] {
            let query = format!("client_id=web&response_type=code&{CHALLENGE}&{rest}");
            assert_eq!(sent_back(&query), ErrorCode::InvalidRequest, "{rest}");
        }
    }

    #[test]
    fn a_request_in_a_jwt_or_somewhere_else_is_refused_and_not_ignored() {
        let with = |rest| sent_back(&format!("client_id=web&response_type=code&{CHALLENGE}&{rest}"));
        assert_eq!(with("request=eyJ"), ErrorCode::RequestNotSupported);
        assert_eq!(with("request_uri=urn:x"), ErrorCode::RequestUriNotSupported);
    }

    #[test]
    fn a_login_hint_that_is_nobodys_name_is_forgotten() {
        let hint =
            |hint: &str| Registered::default().request(&format!("client_id=web&login_hint={hint}")).terms.login_hint;
        for nobody in ["", &"x".repeat(256), "a%00b", "a%0Ab", "%E2%80%AEecila", "%D8%9Ca", "a%E2%81%A9"] {
            assert_eq!(hint(nobody), None, "{nobody}");
        }
        for somebody in ["x".repeat(255), "tel:+1-201-555-0123".to_owned(), "élodie".to_owned(), "\"><b>".to_owned()] {
            let encoded: String = form_urlencoded::byte_serialize(somebody.as_bytes()).collect();
            assert_eq!(hint(&encoded), Some(somebody));
        }
    }

    #[test]
    fn what_a_grant_cannot_hold_is_refused_before_anybody_is_asked() {
        let ask = |bytes: usize| {
            let scope = "x".repeat(bytes);
            let registered = Registered::with(|metadata| metadata.scope = format!("read {scope}"));
            let query = format!("client_id=web&response_type=code&{CHALLENGE}&scope={scope}");
            registered.parse(&query).map(drop).map_err(Refusal::from)
        };
        let of_resource = "https://api.example".len() + 1;
        let longest = LONGEST_TERMS - of_resource;
        assert_eq!(ask(longest), Ok(()));
        assert_eq!(ask(longest + 1), Err(Refusal::SentBack(ErrorCode::InvalidRequest, None)));
        assert_eq!(ask(LONGEST_TERMS + 1), Err(Refusal::SentBack(ErrorCode::InvalidScope, None)));
    }

    #[test]
    fn a_short_request_with_long_defaults_still_fits_into_a_form() {
        let registered = Registered::with(|metadata| {
            metadata.scope = format!("read {}", "x".repeat(1500));
            metadata.default_scope = None;
        });
        let ask = |state: usize| {
            let query = format!("client_id=web&response_type=code&{CHALLENGE}&state={}", "s".repeat(state));
            registered
                .parse(&query)
                .map(drop)
                .map_err(|error| matches!(error, AuthorizationError::RedirectToClient { .. }))
        };
        assert_eq!(ask(4000), Ok(()));
        assert_eq!(ask(4200), Err(true));
    }

    #[test]
    fn a_native_client_comes_back_at_the_port_it_named() {
        let request = Registered::default().request("client_id=cli&redirect_uri=http://127.0.0.1:51004/cb");
        assert_eq!(request.to().target.as_str(), "http://127.0.0.1:51004/cb");
    }
}
