//! The HTTP skin: parse, call, render. This file is the route table.

pub mod admin;
mod authorize;
mod browser;
mod client_request;
pub mod configuration;
mod consent;
mod cookies;
mod cors;
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
mod pages;
mod presented_credentials;
mod revoke;
pub mod state;
mod token;

use std::future::ready;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource, guard};

use crate::protocol::issuer::Issuer;

pub use headers::name_request;
pub use metadata::render as render_metadata;
pub use metrics::measure_request;
pub use pages::{PageSettings, Pages, Theme, ThemeFile, ThemeRefused};

/// The address of the token endpoint, as the metadata names it.
pub fn token_endpoint(issuer: &Issuer) -> String {
    issuer.endpoint(endpoint::TOKEN)
}

/// The name under which the metadata is well known (RFC 8414 §3).
const METADATA_NAME: &str = "oauth-authorization-server";

/// The routes of the public port. Every endpoint lies under the issuer's path; the metadata's name stands before it.
pub fn public_routes(issuer: &Issuer) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let (path, metadata) = (issuer.path().to_owned(), issuer.well_known_path(METADATA_NAME));
    move |routes| {
        routes
            .service(
                resource(&format!("{path}{}", endpoint::AUTHORIZE), "GET, POST")
                    .route(web::get().to(authorize::get))
                    .route(web::post().to(authorize::post)),
            )
            .service(
                resource(&format!("{path}{}", endpoint::LOGIN), "GET, POST")
                    .route(web::get().to(login::open))
                    .route(web::post().to(login::login)),
            )
            .service(
                resource(&format!("{path}{}", endpoint::CONSENT), "GET, POST")
                    .route(web::get().to(consent::ask))
                    .route(web::post().to(consent::consent)),
            )
            .service(
                resource(&format!("{path}{}", endpoint::LOGOUT), "GET, POST")
                    .route(web::get().to(logout::ask))
                    .route(web::post().to(logout::logout)),
            )
            .service(get(&format!("{path}{}/{{name}}", endpoint::LOGOS)).route(read().to(logos::logo)))
            .service(
                post(&format!("{path}{}", endpoint::TOKEN))
                    .route(web::post().to(token::token))
                    .route(cors::preflight_of_clients())
                    .wrap(from_fn(cors::for_clients)),
            )
            .service(
                post(&format!("{path}{}", endpoint::REVOKE))
                    .route(web::post().to(revoke::revoke))
                    .route(cors::preflight_of_clients())
                    .wrap(from_fn(cors::for_clients)),
            )
            .service(post(&format!("{path}{}", endpoint::INTROSPECT)).route(web::post().to(introspect::introspect)))
            .service(
                get(&format!("{path}{}", endpoint::JWKS))
                    .route(read().to(jwks::jwks))
                    .route(cors::preflight_of_anyone())
                    .wrap(from_fn(cors::for_anyone)),
            )
            .service(
                get(&metadata)
                    .route(read().to(metadata::metadata))
                    .route(cors::preflight_of_anyone())
                    .wrap(from_fn(cors::for_anyone)),
            )
            .default_service(web::to(not_found));
    }
}

/// The routes of the admin port.
pub fn admin_routes(routes: &mut ServiceConfig) {
    routes
        .service(get("/health/live").route(read().to(health::live)))
        .service(get("/health/ready").route(read().to(health::ready)))
        .service(get("/metrics").route(read().to(metrics::metrics)))
        .service(
            resource(grants::PATH, "GET, HEAD, DELETE")
                .route(read().to(grants::list))
                .route(web::delete().to(grants::revoke)),
        )
        .service(resource(export::PATH, "GET").route(web::get().to(export::export)))
        .service(post(configuration::PATH).route(web::post().to(configuration::configuration)))
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

fn read() -> actix_web::Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

fn get(path: &str) -> Resource {
    resource(path, "GET, HEAD")
}

fn post(path: &str) -> Resource {
    resource(path, "POST")
}

/// A path that refuses every method but those that it has a route for.
fn resource(path: &str, allow: &'static str) -> Resource {
    let refuse = move |request: HttpRequest| ready(error_response::method_not_allowed(&request, allow));
    web::resource(path.to_owned()).default_service(web::to(refuse))
}

async fn not_found() -> HttpResponse {
    HttpResponse::NotFound().content_type("text/plain").body("There is nothing here.\n")
}
