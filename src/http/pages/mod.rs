//! The pages that people meet: plain HTML, with one stylesheet in the page itself. One page has a script, which presses
//! its button.
//!
//! Everything that a page shows is escaped by the template engine. The policy of each page allows that stylesheet by its
//! digest, that script where it is, pictures of our own origin where there are some, and nothing else; it has no
//! `form-action`, for browsers apply that to every later hop of the redirect too.
//!
//! | file | what is in it |
//! |---|---|
//! | `languages` | the messages, one file a language |
//! | `messages` | which message an error is |
//! | `look` | the stylesheet, its colours and its policy |
//! | `templates` | ours and those of a theme |
//! | `theme` | the files of a theme |
//! | `samples` | what a theme's templates are tried with before anybody is shown them |

mod languages;
mod look;
mod messages;
mod samples;
mod templates;
mod theme;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, VARY, X_FRAME_OPTIONS,
};
use actix_web::{HttpResponse, HttpResponseBuilder};
use minijinja::context;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use crate::clients::appearance::{Color, Logo};
use crate::clients::{Client, ClientRegistry};
use crate::protocol::issuer::Issuer;
use crate::protocol::language::{LanguageTag, Preferences};

use super::endpoint;
use super::headers::{NO_SNIFF, NO_STORE};

use languages::{Language, Languages};
use look::{Look, LookKey, STYLE};
pub(super) use messages::Message;
use templates::{Templates, speaker};
pub use theme::{Theme, ThemeFile, ThemeRefused};

/// How the pages look and what they are called.
#[derive(Debug, Clone, Default)]
pub struct PageSettings {
    /// The name of the service; the issuer's host where it is not given.
    pub name: Option<String>,
    /// The colour of buttons and links.
    pub color: Option<Color>,
    /// The picture beside the name.
    pub logo: Option<Logo>,
    /// What replaces our own files.
    pub theme: Theme,
}

/// Everything that pages are made of, judged and ready.
pub struct Pages {
    name: String,
    color: Option<Color>,
    logo: Option<String>,
    logos: HashMap<Arc<str>, Logo>,
    /// The address of the pictures.
    logo_base: String,
    languages: Languages,
    templates: Templates,
    looks: BTreeMap<LookKey, [Look; 2]>,
}

impl Pages {
    /// Judges the settings, and makes what no request should wait for.
    pub fn new(settings: PageSettings, issuer: &Issuer, clients: &ClientRegistry) -> Result<Self, ThemeRefused> {
        let PageSettings { name, color, logo, theme } = settings;
        let style = theme.style.as_ref().map_or(STYLE, |file| &file.text);
        if let Some(file) = &theme.style
            && file.text.to_ascii_lowercase().contains("</style")
        {
            return Err(ThemeRefused::at(&file.path, None, "has </style in it, which would end the style: remove it"));
        }
        let own = LookKey { color, has_logo: logo.is_some() };
        let of_client = |client: &Arc<Client>| LookKey {
            color: client.appearance.color.or(color),
            has_logo: own.has_logo || client.appearance.logo.is_some(),
        };
        let keys: BTreeSet<LookKey> = clients.iter().map(of_client).chain([own]).collect();
        let looks = keys.into_iter().map(|key| (key, [Look::new(STYLE, key), Look::new(style, key)])).collect();
        let of_clients = clients.iter().filter_map(|client| client.appearance.logo.clone());
        let logos = of_clients.chain(logo.clone()).map(|logo| (Arc::clone(logo.name()), logo)).collect();
        let logo_base = issuer.endpoint(endpoint::LOGOS);
        let host = issuer.origin().split_once("://").map_or(issuer.origin(), |(_, host)| host);
        let pages = Self {
            name: name.unwrap_or_else(|| host.to_owned()),
            color,
            logo: logo.map(|logo| format!("{logo_base}/{}", logo.name())),
            logos,
            logo_base,
            languages: Languages::with(&theme.locales)?,
            templates: Templates::new(&theme.templates)?,
            looks,
        };
        samples::try_theme(&pages)?;
        Ok(pages)
    }

    /// What is allowed and perhaps not meant.
    pub fn warnings(&self) -> Vec<String> {
        let missing = self.languages.missing().into_iter();
        missing
            .map(|(tag, keys)| {
                let (count, first) = (keys.len(), keys.first().copied().unwrap_or_default());
                format!("locales/{tag}.ftl lacks {count} messages, which are said in English: {first} and so on")
            })
            .collect()
    }

    /// The languages, as clients are told them.
    pub fn languages(&self) -> impl Iterator<Item = &str> {
        self.languages.tags().iter().map(LanguageTag::as_str)
    }

    /// A picture, by the name in its address.
    pub(super) fn logo(&self, name: &str) -> Option<&Logo> {
        self.logos.get(name)
    }

    /// Where a page is shown: in the first language that one of `preferences` asks for, in the colours of a client.
    pub(super) fn scene<'a>(&'a self, preferences: &[Preferences], client: Option<&'a Client>) -> Scene<'a> {
        Scene { pages: self, language: self.languages.choose(preferences), client }
    }

    /// The look for a client, themed or our own.
    fn look(&self, client: Option<&Client>, is_themed: bool) -> &Look {
        let appearance = client.map(|client| &client.appearance);
        let key = LookKey {
            color: appearance.and_then(|appearance| appearance.color).or(self.color),
            has_logo: self.logo.is_some() || appearance.is_some_and(|appearance| appearance.logo.is_some()),
        };
        &self.looks[&key][usize::from(is_themed)]
    }

    fn address_of(&self, logo: &Logo) -> String {
        format!("{}/{}", self.logo_base, logo.name())
    }
}

/// In which language and in whose colours a page is shown.
pub(super) struct Scene<'a> {
    pages: &'a Pages,
    language: &'a Arc<Language>,
    client: Option<&'a Client>,
}

impl Scene<'_> {
    /// The language of the page.
    pub(super) fn tag(&self) -> &LanguageTag {
        self.language.tag()
    }

    /// All that a template is given: what every page has, and what this one has.
    fn values(&self, own: &Value, is_themed: bool) -> Value {
        let client_logo = self.client.and_then(|client| client.appearance.logo.as_ref());
        context! {
            t => speaker(Arc::clone(self.language)),
            lang => self.tag().as_str(),
            dir => self.tag().direction(),
            server_name => self.pages.name.as_str(),
            server_logo => self.pages.logo.as_deref(),
            client_logo => client_logo.map(|logo| self.pages.address_of(logo)),
            style => self.pages.look(self.client, is_themed).style.clone(),
            ..own.clone()
        }
    }
}

/// Asks for username and password.
#[derive(Debug, Serialize)]
pub(super) struct LoginPage<'a> {
    /// Where the form goes.
    pub(super) action: &'a str,
    /// The name of the client that sent the person here.
    pub(super) client_name: &'a str,
    /// Where its answer goes.
    pub(super) redirect_host: &'a str,
    /// The sealed request.
    pub(super) request: &'a str,
    /// Binds the form to this browser.
    pub(super) csrf: &'a str,
    /// What stands in the field already.
    pub(super) username: &'a str,
    /// Why the last attempt failed.
    pub(super) problem: Option<Message>,
}

/// Asks for consent.
#[derive(Debug, Serialize)]
pub(super) struct ConsentPage<'a> {
    /// Where the form goes.
    pub(super) action: &'a str,
    /// Who asks.
    pub(super) client_name: &'a str,
    /// Where the answer goes.
    pub(super) redirect_host: &'a str,
    /// Who is signed in.
    pub(super) user: Option<&'a str>,
    /// What is asked for and cannot be left out.
    pub(super) permissions: Vec<Permission<'a>>,
    /// What is asked for and may be left out.
    pub(super) choices: Vec<Choice<'a>>,
    /// Where: the resources that are asked for, where they are not the one that is always meant.
    pub(super) resources: Vec<&'a str>,
    /// For how long (RFC 6749 §10.2).
    pub(super) lasts: Span,
    /// The client's own page.
    pub(super) client_uri: Option<&'a str>,
    /// How the client treats a person's data.
    pub(super) policy_uri: Option<&'a str>,
    /// The client's terms of service.
    pub(super) tos_uri: Option<&'a str>,
    /// Why the page is shown again.
    pub(super) problem: Option<Message>,
    /// The sealed request.
    pub(super) request: &'a str,
    /// Binds the form to this session.
    pub(super) csrf: &'a str,
}

/// A scope token in words.
#[derive(Debug, Serialize)]
pub(super) struct Permission<'a> {
    /// The words, or the token itself where there are none.
    pub(super) text: &'a str,
    /// The language of the words, where it is not the page's.
    pub(super) lang: Option<&'a str>,
}

/// A scope token that may be left out.
#[derive(Debug, Serialize)]
pub(super) struct Choice<'a> {
    /// The name of its box.
    pub(super) field: String,
    /// The words, or the token itself where there are none.
    pub(super) text: &'a str,
    /// The language of the words, where it is not the page's.
    pub(super) lang: Option<&'a str>,
    /// Whether it is granted as the form stands.
    pub(super) is_on: bool,
}

/// A span of time in the largest unit of which it has one, rounded up: 365 days, 5 minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Span {
    message: Message,
    count: u64,
}

impl From<Duration> for Span {
    fn from(span: Duration) -> Self {
        let seconds = span.as_secs().max(1);
        let units = [
            (24 * 60 * 60, Message::LastsDays),
            (60 * 60, Message::LastsHours),
            (60, Message::LastsMinutes),
            (1, Message::LastsSeconds),
        ];
        let (length, message) = units.into_iter().find(|(length, _)| seconds >= *length).expect("there is a second");
        Self { message, count: seconds.div_ceil(length) }
    }
}

/// Posts an answer to a client (OAuth 2.0 Form Post Response Mode §2), by itself or by a press of its button.
#[derive(Serialize)]
pub(super) struct FormPostPage<'a> {
    /// The redirect URI.
    pub(super) action: &'a str,
    /// What a person knows it by.
    pub(super) redirect_host: &'a str,
    /// The answer.
    pub(super) fields: Vec<PostedField<'a>>,
}

/// A parameter of an answer.
#[derive(Debug, Serialize)]
pub(super) struct PostedField<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Its value, which may be a secret.
    pub(super) value: &'a str,
}

/// Says that a request waited too long, and offers the way back to its client.
#[derive(Debug, Serialize)]
pub(super) struct WayBackPage<'a> {
    /// Whose request it was.
    pub(super) client_name: &'a str,
    /// Where the way leads.
    pub(super) redirect_host: &'a str,
    /// The redirect URI: with the answer in it, or for the fields.
    pub(super) action: &'a str,
    /// The answer, where it is posted.
    pub(super) fields: Vec<PostedField<'a>>,
}

/// Offers to sign out.
#[derive(Debug, Serialize)]
pub(super) struct LogoutPage<'a> {
    /// Where the form goes.
    pub(super) action: &'a str,
    /// Who is signed in.
    pub(super) user: Option<&'a str>,
    /// Binds the form to this session.
    pub(super) csrf: &'a str,
}

/// Says something and asks nothing.
#[derive(Debug, Serialize)]
pub(super) struct MessagePage<'a> {
    /// What it is about.
    pub(super) title: Message,
    /// What happened, and what to do.
    pub(super) text: Message,
    /// What to tell the operator.
    pub(super) error_id: Option<&'a str>,
}

impl LoginPage<'_> {
    const TEMPLATE: &'static str = "login.html";

    pub(super) fn render(&self, scene: &Scene<'_>, status: StatusCode) -> Page {
        Page::new(Self::TEMPLATE, self, scene, status)
    }
}

impl ConsentPage<'_> {
    const TEMPLATE: &'static str = "consent.html";

    pub(super) fn render(&self, scene: &Scene<'_>, status: StatusCode) -> Page {
        Page::new(Self::TEMPLATE, self, scene, status)
    }
}

impl WayBackPage<'_> {
    const TEMPLATE: &'static str = "way_back.html";

    pub(super) fn render(&self, scene: &Scene<'_>, status: StatusCode) -> Page {
        Page::new(Self::TEMPLATE, self, scene, status)
    }
}

impl FormPostPage<'_> {
    const TEMPLATE: &'static str = "form_post.html";

    pub(super) fn render(&self, scene: &Scene<'_>) -> Page {
        let mut page = Page::new(Self::TEMPLATE, self, scene, StatusCode::OK);
        let policy = scene.pages.look(scene.client, page.is_themed).policy_with_script.clone();
        page.response.insert_header((CONTENT_SECURITY_POLICY, policy));
        page
    }
}

impl LogoutPage<'_> {
    const TEMPLATE: &'static str = "logout.html";

    pub(super) fn render(&self, scene: &Scene<'_>) -> Page {
        Page::new(Self::TEMPLATE, self, scene, StatusCode::OK)
    }
}

impl MessagePage<'_> {
    const TEMPLATE: &'static str = "message.html";

    pub(super) fn render(&self, scene: &Scene<'_>, status: StatusCode) -> Page {
        Page::new(Self::TEMPLATE, self, scene, status)
    }
}

/// A rendered page, and what goes with it.
pub(super) struct Page {
    body: String,
    is_themed: bool,
    response: HttpResponseBuilder,
}

impl Page {
    fn new(template: &str, own: &impl Serialize, scene: &Scene<'_>, status: StatusCode) -> Self {
        let own = Value::from(Serde(own));
        let rendered = scene.pages.templates.render(template, |is_themed| scene.values(&own, is_themed));
        let is_themed = rendered.is_themed;
        let mut response = HttpResponse::build(status);
        for header in NO_STORE {
            response.insert_header(header);
        }
        let language = HeaderValue::try_from(scene.tag().as_str()).expect("a tag is ASCII");
        response
            .insert_header(NO_SNIFF)
            .insert_header((CONTENT_SECURITY_POLICY, scene.pages.look(scene.client, is_themed).policy.clone()))
            .insert_header((REFERRER_POLICY, "no-referrer"))
            .insert_header((X_FRAME_OPTIONS, "DENY"))
            .insert_header((CONTENT_LANGUAGE, language))
            // RFC 9110 §12.5.5: the page would be another one for another preference.
            .insert_header((VARY, "Accept-Language"))
            .content_type("text/html; charset=utf-8");
        Self { body: rendered.html, is_themed, response }
    }

    /// The same page with a cookie.
    pub(super) fn with_cookie(mut self, cookie: Cookie<'_>) -> Self {
        self.response.cookie(cookie);
        self
    }

    /// The same page with the time to wait, in seconds.
    pub(super) fn with_retry_after(mut self, seconds: Option<u64>) -> Self {
        if let Some(seconds) = seconds {
            self.response.insert_header((actix_web::http::header::RETRY_AFTER, seconds));
        }
        self
    }

    pub(super) fn finish(mut self) -> HttpResponse {
        self.response.body(self.body)
    }
}
