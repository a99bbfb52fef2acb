//! Logs: one subscriber, one span a request. The span has the route and never the query, for a query may hold a code.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::{Error, HttpMessage as _};
use tracing::Span;
use tracing::field::{Empty, display};
use tracing_actix_web::{RequestId, RootSpanBuilder};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One object a line, for programs.
    Json,
}

/// The text is no log level or filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a log level such as error, warn, info, debug or trace")]
pub struct InvalidLevel;

/// Sends log lines of at least `level` to `writer` from now on, for the whole process. A second call changes nothing.
pub fn start<W>(format: LogFormat, level: &str, is_terminal: bool, writer: W) -> Result<(), InvalidLevel>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = filter(level)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_target(false);
    let is_text = match format {
        LogFormat::Auto => is_terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    // An error means that a subscriber is there already, which is what a second server in one process wants.
    let _ = if is_text {
        lines.with_ansi(is_terminal).try_init()
    } else {
        lines.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
    };
    Ok(())
}

/// Reads `log.level`: a level, or a list of `target=level` as `tracing-subscriber` knows it.
pub fn filter(level: &str) -> Result<EnvFilter, InvalidLevel> {
    EnvFilter::try_new(level).map_err(|_| InvalidLevel)
}

/// The span around every request: its route, method, identifier, and what the endpoints add.
pub struct RootSpan;

impl RootSpanBuilder for RootSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let span = tracing::info_span!(
            "request",
            request.id = Empty,
            http.method = %request.method(),
            http.route = Empty,
            http.status = Empty,
            client.id = Empty,
            grant.type = Empty,
        );
        // The route is the pattern that matched: an unknown path may be anything, a secret too, so it is not written.
        if let Some(route) = request.match_pattern() {
            span.record("http.route", route.as_str());
        }
        if let Some(id) = request.extensions().get::<RequestId>() {
            span.record("request.id", display(id));
        }
        span
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let status = match outcome {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        span.record("http.status", status.as_u16());
        span.in_scope(|| tracing::debug!("answered"));
    }
}
