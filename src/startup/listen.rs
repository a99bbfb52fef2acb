//! The two ports. Both are bound before anything is made or opened, and served when everything is there.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data};
use actix_web::{App, HttpServer};

use crate::config::ServerSettings;
use crate::http::state::State;
use crate::http::{accompany, admin_routes, document_routes, public_routes};
use crate::protocol::issuer::Issuer;
use crate::telemetry::spans_of_requests;

use super::StartError;

/// How many connections may wait to be accepted; the standard library asks for 128.
const BACKLOG: i32 = 2048;

/// A port that is served.
pub(super) struct Listening {
    pub(super) server: Server,
    pub(super) address: SocketAddr,
}

/// Binds the public and the admin port.
pub(super) fn bind(settings: &ServerSettings) -> Result<[TcpListener; 2], StartError> {
    let bind = |key, address| {
        let listener = TcpListener::bind(address).and_then(|listener| {
            rustix::net::listen(&listener, BACKLOG)?;
            Ok(listener)
        });
        listener.map_err(|reason| StartError::Listen { key, address, reason })
    };
    Ok([bind("server.listen", settings.listen)?, bind("server.admin_listen", settings.admin_listen)?])
}

/// Serves the public port.
pub(super) fn public(
    listener: TcpListener,
    settings: &ServerSettings,
    issuer: &Issuer,
    state: &Data<State>,
) -> io::Result<Listening> {
    let (state, issuer, address) = (state.clone(), issuer.clone(), listener.local_addr()?);
    let app = move || {
        App::new().app_data(state.clone()).configure(document_routes(&issuer)).service(
            web::scope("").configure(public_routes(&issuer)).wrap(from_fn(accompany)).wrap(spans_of_requests()),
        )
    };
    let http = HttpServer::new(app)
        .workers(workers(settings.workers))
        .shutdown_timeout(whole_seconds(settings.shutdown_timeout))
        .disable_signals();
    Ok(Listening { server: http.listen(listener)?.run(), address })
}

/// Serves the admin port.
pub(super) fn admin(listener: TcpListener, state: &Data<State>) -> io::Result<Listening> {
    let (state, address) = (state.clone(), listener.local_addr()?);
    let app = move || {
        App::new().app_data(state.clone()).configure(admin_routes).wrap(from_fn(accompany)).wrap(spans_of_requests())
    };
    let http = HttpServer::new(app).workers(1).shutdown_timeout(1).disable_signals();
    Ok(Listening { server: http.listen(listener)?.run(), address })
}

/// The admin port stays until the public one is empty: health is asked for while a server drains.
pub(super) async fn stop_in_order([public, admin]: [ServerHandle; 2]) {
    public.stop(true).await;
    admin.stop(true).await;
}

fn workers(configured: usize) -> usize {
    NonZeroUsize::new(configured).or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get)
}

fn whole_seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}
