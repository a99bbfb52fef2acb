//! The HTTP skin: parse, call, render. This file is the route table.

mod accompany;
pub mod admin;
mod authorize;
mod browser;
mod client_request;
pub mod configuration;
mod consent;
mod cookies;
mod cors;
mod documents;
pub mod error_response;
pub mod export;
mod form;
pub mod grants;
mod headers;
mod health;
mod introspect;
mod jwks;
pub mod live;
mod login;
mod logos;
mod logout;
mod metadata;
mod metrics;
mod network;
mod notes;
mod pages;
mod presented_credentials;
mod revoke;
pub mod state;
mod token;

use std::future::ready;

use actix_web::guard::{self, Guard};
use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource, Route};

use crate::protocol::issuer::Issuer;

use documents::document;

pub use accompany::accompany;
pub use metadata::render as render_metadata;
pub use pages::{PageSettings, Pages, Theme, ThemeFile, ThemeRefused};

/// The address of the token endpoint, as the metadata names it.
pub fn token_endpoint(issuer: &Issuer) -> String {
    issuer.endpoint(endpoint::TOKEN)
}

/// The name under which the metadata is well known (RFC 8414 §3).
const METADATA_NAME: &str = "oauth-authorization-server";

/// The documents of the public port, as they are read. Nothing stands around them: they see to all of it themselves.
pub fn document_routes(issuer: &Issuer) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let [key_set, metadata] = paths_of_documents(issuer);
    move |routes| {
        routes.service(read_only(key_set, jwks::render)).service(read_only(metadata, metadata::answer));
    }
}

fn read_only(path: String, render: documents::Render) -> Resource {
    web::resource(path.clone()).guard(one_of(READ)).to(document(path, render))
}

fn paths_of_documents(issuer: &Issuer) -> [String; 2] {
    [format!("{}{}", issuer.path(), endpoint::JWKS), issuer.well_known_path(METADATA_NAME)]
}

/// All other routes of the public port. Every endpoint lies under the issuer's path; the metadata's name stands before it.
pub fn public_routes(issuer: &Issuer) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let (path, documents) = (issuer.path().to_owned(), paths_of_documents(issuer));
    move |routes| {
        // The table is searched from its beginning: what is asked for most often comes first.
        routes
            .service(of_clients(&format!("{path}{}", endpoint::TOKEN)).route(on(POST).to(token::token)))
            .service(post(&format!("{path}{}", endpoint::INTROSPECT)).route(on(POST).to(introspect::introspect)))
            .service(of_clients(&format!("{path}{}", endpoint::REVOKE)).route(on(POST).to(revoke::revoke)))
            .service(
                resource(&format!("{path}{}", endpoint::AUTHORIZE), "GET, POST")
                    .route(on(GET).to(authorize::get))
                    .route(on(POST).to(authorize::post)),
            )
            .service(
                resource(&format!("{path}{}", endpoint::LOGIN), "GET, POST")
                    .route(on(GET).to(login::open))
                    .route(on(POST).to(login::login)),
            )
            .service(
                resource(&format!("{path}{}", endpoint::CONSENT), "GET, POST")
                    .route(on(GET).to(consent::ask))
                    .route(on(POST).to(consent::consent)),
            )
            .service(
                resource(&format!("{path}{}", endpoint::LOGOUT), "GET, POST")
                    .route(on(GET).to(logout::ask))
                    .route(on(POST).to(logout::logout)),
            );
        for document in documents {
            let document = shared(&document, "GET, HEAD", cors::for_anyone);
            routes.service(document.route(cors::preflight_of_anyone()));
        }
        routes
            // The one pattern that is no plain text comes last: what stands before it is compared and not searched.
            .service(get(&format!("{path}{}/{{name}}", endpoint::LOGOS)).route(on(READ).to(logos::logo)))
            .default_service(web::to(not_found));
    }
}

/// The routes of the admin port.
pub fn admin_routes(routes: &mut ServiceConfig) {
    routes
        .service(get("/health/live").route(on(READ).to(health::live)))
        .service(get("/health/ready").route(on(READ).to(health::ready)))
        .service(get("/metrics").route(on(READ).to(metrics::metrics)))
        .service(
            resource(grants::PATH, "GET, HEAD, DELETE")
                .route(on(READ).to(grants::list))
                .route(on(DELETE).to(grants::revoke)),
        )
        .service(resource(export::PATH, "GET").route(on(GET).to(export::export)))
        .service(post(configuration::PATH).route(on(POST).to(configuration::configuration)))
        .default_service(web::to(not_found));
}

/// Where the endpoints lie under the issuer's path; the metadata names the same ones.
mod endpoint {
    pub(super) const AUTHORIZE: &str = "/authorize";
    pub(super) const LOGIN: &str = "/login";
    pub(super) const CONSENT: &str = "/consent";
    pub(super) const LOGOUT: &str = "/logout";
    pub(super) const LOGOS: &str = "/logos";
    pub(super) const TOKEN: &str = "/token";
    pub(super) const REVOKE: &str = "/revoke";
    pub(super) const INTROSPECT: &str = "/introspect";
    pub(super) const JWKS: &str = "/.well-known/jwks.json";
}

const GET: &[Method] = &[Method::GET];
const POST: &[Method] = &[Method::POST];
const DELETE: &[Method] = &[Method::DELETE];
const READ: &[Method] = &[Method::GET, Method::HEAD];

/// A route for these methods. The guards that come with actix-web note in each request which methods they have.
fn on(methods: &'static [Method]) -> Route {
    web::route().guard(one_of(methods))
}

fn one_of(methods: &'static [Method]) -> impl Guard {
    guard::fn_guard(move |context| methods.contains(&context.head().method))
}

fn get(path: &str) -> Resource {
    resource(path, "GET, HEAD")
}

fn post(path: &str) -> Resource {
    resource(path, "POST")
}

/// A path to which clients POST, their pages too.
fn of_clients(path: &str) -> Resource {
    shared(path, "POST", cors::for_clients).route(cors::preflight_of_clients())
}

/// A path that refuses every method but those that it has a route for.
fn resource(path: &str, allow: &'static str) -> Resource {
    shared(path, allow, |_, response| response)
}

/// The same; `share` says which pages may read the refusal.
fn shared(path: &str, allow: &'static str, share: cors::Share) -> Resource {
    let refuse =
        move |request: HttpRequest| ready(share(&request, error_response::method_not_allowed(&request, allow)));
    web::resource(path.to_owned()).default_service(web::to(refuse))
}

async fn not_found() -> HttpResponse {
    HttpResponse::NotFound().content_type("text/plain").body("There is nothing here.\n")
}
