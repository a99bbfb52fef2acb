//! Extractors for actix-web: a handler that takes an [`Authorized`] runs only for a good access token with its scope.
//!
//! ```
//! use actix_web::{App, web};
//! use jotsmith::resource_server::actix::{Authorized, Protection, RequiredScope};
//! use jotsmith::resource_server::{ProtectedResource, Verifier};
//!
//! struct Read;
//!
//! impl RequiredScope for Read {
//!     const SCOPE: &'static str = "read";
//! }
//!
//! async fn notes(token: Authorized<Read>) -> String {
//!     format!("The notes of {}", token.subject())
//! }
//!
//! # fn f() -> Result<(), Box<dyn std::error::Error>> {
//! const API: &str = "https://api.example.com";
//! let verifier = Verifier::builder("https://login.example.com", API).build()?;
//! let metadata = ProtectedResource::new(API, verifier.issuer())?;
//! let protection = Protection::new(verifier).with_metadata(&metadata);
//! let app = App::new()
//!     .configure(|config| protection.configure(config))
//!     .route("/notes", web::get().to(notes));
//! # drop(app);
//! # Ok(())
//! # }
//! # f().expect("it can be set up");
//! ```

use std::fmt;
use std::future::ready;
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION, CACHE_CONTROL, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::{self, Bytes, ServiceConfig};
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError};

use super::access_token::AccessToken;
use super::bearer::{Denial, Presented, WwwAuthenticate, presented_token};
use super::protected_resource::ProtectedResource;
use super::verifier::Verifier;

/// The scope that a handler needs.
pub trait RequiredScope: 'static {
    /// Tokens with one space between each two, all of which are needed; empty: any good token will do. What is no scope
    /// lets nobody in.
    const SCOPE: &'static str;
}

/// Any good token will do; the handler may ask for more with [`Authorized::require`].
#[derive(Debug, Clone, Copy)]
pub struct AnyScope;

impl RequiredScope for AnyScope {
    const SCOPE: &'static str = "";
}

/// How an application, or a part of it, is protected. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Protection(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    verifier: Verifier,
    challenge: WwwAuthenticate,
    metadata: Option<Metadata>,
}

#[derive(Debug, Clone)]
struct Metadata {
    path: String,
    document: Bytes,
}

impl Protection {
    /// Protects with the tokens that `verifier` accepts. The realm is its audience.
    pub fn new(verifier: Verifier) -> Self {
        let challenge = WwwAuthenticate::new(verifier.audience(), None);
        Self(Arc::new(Inner { verifier, challenge, metadata: None }))
    }

    /// Serves the metadata of the resource and names them to everybody who is refused (RFC 9728 §5.1).
    #[must_use]
    pub fn with_metadata(self, resource: &ProtectedResource) -> Self {
        let verifier = self.0.verifier.clone();
        let challenge = WwwAuthenticate::new(verifier.audience(), Some(&resource.well_known_url()));
        let metadata = Metadata { path: resource.well_known_path(), document: resource.to_json().into() };
        Self(Arc::new(Inner { verifier, challenge, metadata: Some(metadata) }))
    }

    /// Registers this protection with an application, and the route of its metadata. A part of an application that has
    /// another one gets it with `scope.app_data(protection.clone())`.
    pub fn configure(&self, config: &mut ServiceConfig) {
        config.app_data(self.clone());
        if let Some(metadata) = &self.0.metadata {
            let document = metadata.document.clone();
            config.route(&metadata.path, web::get().to(move || ready(metadata_answer(document.clone()))));
        }
    }

    /// Whether there are keys to verify with: for a readiness check.
    pub fn is_ready(&self) -> bool {
        self.0.verifier.has_keys()
    }

    async fn authorize(&self, request: &HttpRequest, scope: &'static str) -> Result<AccessToken, Denied> {
        let lines = request.headers().get_all(AUTHORIZATION).map(HeaderValue::as_bytes);
        let token = match presented_token(lines, request.query_string()) {
            Presented::Token(token) => token,
            Presented::Nothing => return Err(self.denied(Denial::NoToken, scope)),
            Presented::Malformed => return Err(self.denied(Denial::InvalidRequest, scope)),
        };
        let token = self.0.verifier.verify(token).await.map_err(|error| self.denied(error.into(), scope))?;
        if !scope.is_empty() && !token.allows(scope) {
            return Err(self.denied(Denial::InsufficientScope, scope));
        }
        Ok(token)
    }

    fn denied(&self, denial: Denial, scope: &str) -> Denied {
        if denial == Denial::KeysUnavailable {
            tracing::warn!(%denial, "a request is refused");
        } else {
            tracing::info!(%denial, scope.required = scope, "a request is refused");
        }
        Denied(Why::Denial { denial, header: self.0.challenge.header(denial, scope) })
    }
}

fn metadata_answer(document: Bytes) -> HttpResponse {
    // RFC 9728 §3.2. Any page may read it: it is public and the same for all.
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(document)
}

/// A good access token with the scope `S`.
pub struct Authorized<S = AnyScope> {
    token: AccessToken,
    protection: Protection,
    scope: PhantomData<fn() -> S>,
}

impl<S> Authorized<S> {
    /// Refuses where the token does not allow `scope` as well: for what a handler learns only from the request. What is
    /// no scope (RFC 6749 §3.3), the empty text included, is allowed by no token.
    ///
    /// # Errors
    /// The answer of RFC 6750 §3.1, 403 with `insufficient_scope`.
    pub fn require(&self, scope: &str) -> Result<(), Denied> {
        if self.token.allows(scope) { Ok(()) } else { Err(self.protection.denied(Denial::InsufficientScope, scope)) }
    }

    /// The token itself.
    pub fn into_inner(self) -> AccessToken {
        self.token
    }
}

impl<S> Deref for Authorized<S> {
    type Target = AccessToken;

    fn deref(&self) -> &AccessToken {
        &self.token
    }
}

impl<S> fmt::Debug for Authorized<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authorized").field(&self.token).finish()
    }
}

impl<S: RequiredScope> FromRequest for Authorized<S> {
    type Error = Denied;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Denied>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let Some(protection) = request.app_data::<Protection>().cloned() else {
                tracing::error!("`Authorized` without a `Protection`: call `App::configure` with it");
                return Err(Denied(Why::NotConfigured));
            };
            let token = protection.authorize(&request, S::SCOPE).await?;
            Ok(Self { token, protection, scope: PhantomData })
        })
    }
}

/// The answer to a request that is not let through.
#[derive(Debug)]
pub struct Denied(Why);

#[derive(Debug)]
enum Why {
    Denial {
        denial: Denial,
        header: Option<String>,
    },
    /// Nothing protects this application: nobody comes in.
    NotConfigured,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Why::Denial { denial, .. } => denial.fmt(f),
            Why::NotConfigured => f.write_str("this application has no protection configured"),
        }
    }
}

impl ResponseError for Denied {
    fn status_code(&self) -> StatusCode {
        match &self.0 {
            Why::Denial { denial, .. } => {
                StatusCode::from_u16(denial.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Why::NotConfigured => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        response.insert_header((CACHE_CONTROL, "no-store")).insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
        let Why::Denial { denial, header } = &self.0 else { return response.finish() };
        if let Some(header) = header {
            response.insert_header((WWW_AUTHENTICATE, header.as_str()));
        }
        if *denial == Denial::KeysUnavailable {
            response.insert_header((RETRY_AFTER, "5"));
        }
        match (denial.error(), denial.description()) {
            (Some(error), Some(description)) => {
                response.json(serde_json::json!({ "error": error, "error_description": description }))
            }
            _ => response.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use actix_web::body::to_bytes;
    use actix_web::{App, test};
    use serde_json::{Value, json};

    use super::*;
    use crate::foundation::clock::{ManualClock, Timestamp};
    use crate::keys::algorithm::Algorithm;
    use crate::keys::jwk::JwkSet;
    use crate::keys::signing_key::{SigningKey, generate};
    use crate::keys::token_type::TokenType;
    use crate::resource_server::scripted::{self, Script};

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const API: &str = "https://api.example.com/notes";

    struct Read;

    impl RequiredScope for Read {
        const SCOPE: &'static str = "read";
    }

    struct Site {
        key: SigningKey,
        protection: Protection,
    }

    /// Needs what the request asks for.
    async fn asked(token: Authorized, scope: web::Path<String>) -> Result<&'static str, Denied> {
        token.require(&scope).map(|()| "in")
    }

    /// Is no scope.
    struct Blank;

    impl RequiredScope for Blank {
        const SCOPE: &'static str = " ";
    }

    /// An API; `has_keys`: whether the issuer can be reached.
    fn site(has_keys: bool) -> Site {
        let key = SigningKey::from_pem(generate(Algorithm::EdDsa).as_bytes(), Algorithm::EdDsa, None);
        let key = key.expect("a key of ours");
        let script = Script::default();
        if has_keys {
            let set = JwkSet { keys: vec![key.public_jwk().clone()] };
            script.answer(scripted::ok(serde_json::to_string(&set).expect("JSON")));
        }
        let builder = Verifier::builder("https://login.example.com", API).jwks_uri("https://login.example.com/keys");
        let verifier = builder.clock(Arc::new(ManualClock::at(NOW))).fetcher(script).build().expect("a verifier");
        let resource = ProtectedResource::new(API, verifier.issuer()).expect("a resource");
        let protection = Protection::new(verifier).with_metadata(&resource);
        Site { key, protection }
    }

    impl Site {
        fn token(&self, scope: &str) -> String {
            let claims = json!({ "iss": "https://login.example.com", "aud": API, "sub": "alice", "client_id": "app",
                "jti": "j", "iat": NOW.as_seconds(), "exp": NOW.as_seconds() + 300, "scope": scope });
            format!("Bearer {}", self.key.sign(TokenType::AccessToken, &claims).expect("a token"))
        }

        async fn get(&self, target: &str, authorization: &[&str]) -> (u16, String, Value) {
            let app = App::new()
                .configure(|config| self.protection.configure(config))
                .route("/notes", web::get().to(async |token: Authorized<Read>| token.subject().to_owned()))
                .route("/blank", web::get().to(async |_: Authorized<Blank>| "in"))
                .route("/any", web::get().to(async |_: Authorized| "any"))
                .route("/late", web::get().to(async |token: Authorized| token.require("write").map(|()| "late")))
                .route("/asked/{scope:.*}", web::get().to(asked));
            let app = test::init_service(app).await;
            let mut request = test::TestRequest::get().uri(target);
            for value in authorization {
                request = request.append_header((AUTHORIZATION, *value));
            }
            let response = test::call_service(&app, request.to_request()).await;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let body = to_bytes(response.into_body()).await.unwrap_or_default();
            let header = headers.get(WWW_AUTHENTICATE).map_or("", |value| value.to_str().expect("ASCII")).to_owned();
            (status, header, serde_json::from_slice(&body).unwrap_or(Value::Null))
        }
    }

    #[tokio::test]
    async fn every_answer_of_rfc_6750_section_3_1_is_given_where_it_belongs() {
        let site = site(true);
        let (read, nothing) = (site.token("read"), site.token(""));
        let (read, nothing) = (read.as_str(), nothing.as_str());
        for (target, authorization, status, error) in [
            ("/notes", &[read][..], 200, None),
            ("/any", &[nothing], 200, None),
            ("/notes", &[], 401, None),
            ("/notes", &["Basic YTpi"], 401, None),
            ("/notes?access_token=a", &[], 401, None),
            ("/notes", &["Bearer a b"], 400, Some("invalid_request")),
            ("/notes", &[read, read], 400, Some("invalid_request")),
            ("/notes?access_token=a", &[read], 400, Some("invalid_request")),
            ("/notes", &["Bearer a.b.c"], 401, Some("invalid_token")),
            ("/notes", &[nothing], 403, Some("insufficient_scope")),
            ("/late", &[read], 403, Some("insufficient_scope")),
        ] {
            let (got, header, body) = site.get(target, authorization).await;
            assert_eq!((got, body["error"].as_str()), (status, error), "{target} {authorization:?} {body}");
            assert_eq!(header.is_empty(), status == 200, "{header}");
            if status != 200 {
                assert!(header.starts_with(r#"Bearer realm="https://api.example.com/notes""#), "{header}");
                let said = error.map(|error| format!(r#" error="{error}","#));
                assert_eq!(header.contains(" error="), error.is_some(), "{header}");
                assert!(said.is_none_or(|said| header.contains(&said)), "{header}");
                let place = "https://api.example.com/.well-known/oauth-protected-resource/notes";
                assert!(header.ends_with(&format!(r#"resource_metadata="{place}""#)), "{header}");
                assert_eq!(header.contains(r#"scope="read""#), target.starts_with("/notes"), "{header}");
            }
        }
    }

    #[tokio::test]
    async fn without_its_scope_no_handler_runs() {
        let site = site(true);
        for scope in ["", "write", "reader"] {
            let (status, header, body) = site.get("/notes", &[&site.token(scope)]).await;
            assert_eq!((status, body["error"].as_str()), (403, Some("insufficient_scope")), "{scope}");
            assert!(header.contains(r#", scope="read""#), "{header}");
        }
    }

    #[tokio::test]
    async fn a_required_text_that_is_no_scope_lets_nobody_in_and_does_not_come_into_the_header() {
        let site = site(true);
        let token = site.token("read write");
        assert_eq!(site.get("/asked/read%20write", &[&token]).await.0, 200);
        let (_, plain, _) = site.get("/asked/", &[&token]).await;
        for target in [
            "/asked/",
            "/asked/%20",
            "/asked/read%20%20write",
            "/asked/read%22,%20error=%22invalid_token",
            "/asked/read%5C",
            "/asked/read%0D%0AX:%20y",
            "/asked/%01",
            "/asked/%C3%A4",
            "/blank",
        ] {
            let (status, header, body) = site.get(target, &[&token]).await;
            assert_eq!((status, body["error"].as_str()), (403, Some("insufficient_scope")), "{target}");
            assert_eq!(header, plain, "{target}");
        }
        assert!(!plain.contains(", scope="), "{plain}");
    }

    #[tokio::test]
    async fn the_metadata_are_at_the_place_that_the_header_names() {
        let (status, _, body) = site(true).get("/.well-known/oauth-protected-resource/notes", &[]).await;
        assert_eq!((status, body["resource"].as_str()), (200, Some(API)));
    }

    #[tokio::test]
    async fn without_keys_the_answer_is_503_and_asks_for_no_other_token() {
        let site = site(false);
        let (status, header, _) = site.get("/notes", &[&site.token("read")]).await;
        assert_eq!((status, header.as_str()), (503, ""));
        assert!(!site.protection.is_ready());
    }

    #[tokio::test]
    async fn an_application_without_protection_lets_nobody_in() {
        let app = App::new().route("/", web::get().to(async |_: Authorized| "in"));
        let app = test::init_service(app).await;
        let request = test::TestRequest::get().uri("/").append_header((AUTHORIZATION, site(true).token("read")));
        assert_eq!(test::call_service(&app, request.to_request()).await.status(), 500);
    }
}
