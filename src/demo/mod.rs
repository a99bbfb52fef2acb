//! The client of `jotsmith demo`: where a browser comes back to with a code.
//!
//! An ordinary client on a loopback port of its own (RFC 8252 §7.3). It exists in the demo alone; the server has no route
//! for it.

use std::net::TcpListener;

use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse, HttpServer};
use serde::Deserialize;

/// The path of the redirect URI.
pub const CALLBACK: &str = "/callback";

/// What the demo's client says to a person who comes back.
pub struct Client {
    /// The lines to paste, for a code.
    pub lines: Box<dyn Fn(&str) -> String + Send + Sync>,
    /// The `state` that the link carries.
    pub state: String,
}

/// The parameters of RFC 6749 §4.1.2 and §4.1.2.1.
#[derive(Deserialize)]
struct Answer {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
}

/// Listens for the browser until the process ends. Needs a running system of actix.
pub fn listen(listener: TcpListener, client: Client) -> std::io::Result<()> {
    let client = Data::new(client);
    let app = move || App::new().app_data(client.clone()).route(CALLBACK, web::get().to(callback));
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
    HttpResponse::Ok().insert_header(("cache-control", "no-store")).content_type("text/plain; charset=utf-8").body(text)
}

/// What comes from a browser goes into lines for a shell: nothing that a shell gives a meaning to.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
