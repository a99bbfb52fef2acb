//! Which pages in a browser may read which answers (the CORS protocol of the Fetch standard, §3.2).
//!
//! | | who may read |
//! |---|---|
//! | metadata, key set | any page: they are public and the same for all |
//! | token, revocation: preflight | pages of an origin that some client names in `allowed_origins` |
//! | token, revocation: the answer to a client that has proved who it is | pages of an origin of that client |
//! | token, revocation: an error before that | as with the preflight |
//! | everything else | nobody |
//!
//! An error that comes before the client is known tells a page nothing: its words are constant, the page has sent all
//! that it depends on, and no cookie counts here, so anybody gets the same without a browser. Without it an app could not
//! tell its own `invalid_client`, which means "register again", from a network that is down. What a client got after it
//! was let in, an error too, is for its own pages alone.
//!
//! Never `Access-Control-Allow-Credentials`: no answer depends on a cookie. This is a rule about reading. It keeps nobody
//! from asking, which anybody may without a browser.

use actix_web::guard;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderValue, ORIGIN, VARY,
};
use actix_web::web::{self, Data};
use actix_web::{HttpRequest, HttpResponse, Route};

use super::notes::Notes;
use super::state::State;

/// For how long a browser may remember a preflight, in seconds: two hours, the longest that Chromium takes.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// The headers of a request to the token or revocation endpoint that are looked at, and the one that clients of the Model
/// Context Protocol send with every request.
const CLIENT_HEADERS: HeaderValue = HeaderValue::from_static("Authorization, Content-Type, MCP-Protocol-Version");

/// The same for a document.
const DOCUMENT_HEADERS: HeaderValue = HeaderValue::from_static("MCP-Protocol-Version");

/// What a page may read of an answer beside its body: when to come back, and how to authenticate.
const EXPOSED: HeaderValue = HeaderValue::from_static("Retry-After, WWW-Authenticate");

/// Who may read an answer: [`for_clients`], [`for_anyone`], or nobody, which adds nothing.
pub(super) type Share = fn(&HttpRequest, HttpResponse) -> HttpResponse;

/// The route that answers preflights for an endpoint that clients POST to.
pub(super) fn preflight_of_clients() -> Route {
    preflight("POST", CLIENT_HEADERS, for_clients)
}

/// The route that answers preflights for a public document.
pub(super) fn preflight_of_anyone() -> Route {
    preflight("GET, HEAD", DOCUMENT_HEADERS, for_anyone)
}

/// Lets the pages of clients read an endpoint's answer, each those of its own client.
pub(super) fn for_clients(request: &HttpRequest, mut response: HttpResponse) -> HttpResponse {
    let headers = response.headers_mut();
    // Always: a cache must not give one page what was answered to another.
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = reader(request) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    response
}

/// Lets every page read a document.
pub(super) fn for_anyone(_: &HttpRequest, mut response: HttpResponse) -> HttpResponse {
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// The origin that the request comes from, where it may read the answer.
fn reader(request: &HttpRequest) -> Option<HeaderValue> {
    let mut origins = request.headers().get_all(ORIGIN);
    let (Some(origin), None) = (origins.next(), origins.next()) else { return None };
    let text = origin.to_str().ok()?;
    let may_read = match Notes::read(request, |notes| notes.client.clone()) {
        Some(client) => client.allowed_origins.iter().any(|allowed| **allowed == *text),
        None => request.app_data::<Data<State>>()?.live().clients.is_allowed_origin(text),
    };
    may_read.then(|| origin.clone())
}

/// `share` says whether the origin may read anything.
fn preflight(methods: &'static str, headers: HeaderValue, share: Share) -> Route {
    // Any other OPTIONS is a method that the endpoint does not take.
    let has = |header| guard::fn_guard(move |context| context.head().headers().contains_key(&header));
    web::method(actix_web::http::Method::OPTIONS)
        .guard(guard::All(has(ORIGIN)).and(has(ACCESS_CONTROL_REQUEST_METHOD)))
        .to(move |request: HttpRequest| {
            let mut response = HttpResponse::NoContent();
            response
                .insert_header((ACCESS_CONTROL_ALLOW_METHODS, methods))
                .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, headers.clone()))
                .insert_header((ACCESS_CONTROL_MAX_AGE, MAX_AGE));
            std::future::ready(share(&request, response.finish()))
        })
}
