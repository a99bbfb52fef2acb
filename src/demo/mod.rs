//! The client of `jotsmith demo`: where a browser comes back to with a code, and the playground.
//!
//! An ordinary client on a loopback port of its own (RFC 8252 §7.3), and a small API beside it that takes its tokens. It
//! exists in the demo alone; the server has no route for it.
//!
//! Refused is every request that names another host than this port's own (DNS rebinding), and what a page of another
//! origin asks for, but for a link to the page itself.

mod guard;
mod notes;
mod playground;

use std::net::TcpListener;

use actix_web::middleware::from_fn;
use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse, HttpServer};
use serde::Deserialize;

use crate::resource_server::InvalidVerifier;

use guard::Own;
use notes::Notes;

pub use playground::{Permission, Person, Playground};

/// The path of the redirect URI for which there are lines to paste.
pub const CALLBACK: &str = "/callback";

/// The path of the redirect URI of the playground.
pub const SIGNED_IN: &str = "/signed-in";

/// The path of the API that the playground calls: with the origin before it, its resource identifier (RFC 8707 §2).
pub const API: &str = "/api";

/// The scope that deletes notes, as the API asks for it; reading and writing are `read` and `write`.
pub const DELETE: &str = "delete";

/// What the demo's client says to a person who comes back.
pub struct Client {
    /// The lines to paste, for a code.
    pub lines: Box<dyn Fn(&str) -> String + Send + Sync>,
    /// The `state` that the link carries.
    pub state: String,
    /// What the playground knows.
    pub playground: Playground,
}

/// Why the demo's client does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenFailed {
    /// The operating system refuses.
    #[error(transparent)]
    System(#[from] std::io::Error),
    /// The API of the playground cannot verify tokens.
    #[error("the playground's API cannot be set up: {0}")]
    Verifier(#[from] InvalidVerifier),
}

/// The parameters of RFC 6749 §4.1.2 and §4.1.2.1.
#[derive(Deserialize)]
struct Answer {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
}

/// Listens for the browser until the process ends. Needs a running system of actix.
///
/// # Errors
/// When the port or the API cannot be set up.
pub fn listen(listener: TcpListener, client: Client) -> Result<(), ListenFailed> {
    let own = Own::at(listener.local_addr()?);
    let protection = notes::protection(&client.playground)?;
    let pages = Data::new(client.playground.pages());
    let notes = Data::new(Notes::default());
    let client = Data::new(client);
    let app = move || {
        App::new()
            .app_data(client.clone())
            .app_data(pages.clone())
            .app_data(notes.clone())
            .app_data(own.clone())
            .configure(|config| notes::configure(config, &protection))
            .configure(playground::configure)
            .route(CALLBACK, web::get().to(callback))
            .wrap(from_fn(guard::keep))
    };
    actix_web::rt::spawn(HttpServer::new(app).workers(1).disable_signals().listen(listener)?.run());
    Ok(())
}

async fn callback(answer: web::Query<Answer>, client: Data<Client>) -> HttpResponse {
    let Answer { code, state, error } = answer.into_inner();
    let text = match (code, error) {
        // RFC 6749 §10.12: an answer that was not asked for here may be somebody else's.
        _ if state.as_deref() != Some(&*client.state) => "This answer was not asked for here.\n".to_owned(),
        (Some(code), None) if is_plain(&code) => (client.lines)(&code),
        (None, Some(error)) if is_plain(&error) => format!("The server said no: {error}\n"),
        _ => "This is no answer.\n".to_owned(),
    };
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(text)
}

/// What comes from a browser goes into lines for a shell: nothing that a shell gives a meaning to.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
