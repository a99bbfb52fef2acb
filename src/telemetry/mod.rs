//! Logs and metrics: one subscriber and one recorder, one span a request. The span has the route and never the query, for a query may hold a code.

mod lines;
pub mod metrics;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Condition;
use actix_web::{Error, HttpMessage as _};
use tracing::field::Empty;
use tracing::{Level, Span};
use tracing_actix_web::{RequestId, RootSpanBuilder, TracingLogger};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{JsonFields, format};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use lines::AboutRequest;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLines {
    /// For people.
    Text {
        /// With colours.
        is_coloured: bool,
    },
    /// One object a line, for programs.
    Json,
}

/// The text is neither a level nor a list of `target=level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("log.level is a level such as info, or a list such as warn,jotsmith=debug")]
pub struct InvalidLevel;

/// Sends log lines to `writer` from now on, for the whole process: those of at least `level`, which may also be a list
/// of `target=level`. A second call changes nothing.
pub fn start<W>(look: LogLines, level: &str, writer: W) -> Result<(), InvalidLevel>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let wanted = without_actix_news(level.parse().map_err(|_| InvalidLevel)?);
    // One filter for the whole process: a layer's own would be asked about every span again and again.
    let all = tracing_subscriber::registry().with(wanted);
    let log = tracing_subscriber::fmt::layer().with_writer(writer);
    // An error means that a subscriber is there already, which is what a second server in one process wants.
    let _ = match look {
        LogLines::Text { is_coloured } => {
            let line = format().with_target(false).with_ansi(is_coloured);
            all.with(log.with_ansi(is_coloured).event_format(AboutRequest { line, add: lines::as_text })).try_init()
        }
        LogLines::Json => {
            let line = format().json().flatten_event(true).with_current_span(true).with_span_list(false);
            let about_request = AboutRequest { line, add: lines::as_json };
            all.with(log.fmt_fields(JsonFields::new()).event_format(about_request)).try_init()
        }
    };
    Ok(())
}

/// actix logs eight lines about a start that ours tell in two: they are left out where the level does not name them.
fn without_actix_news(asked: Targets) -> Targets {
    let default = asked.default_level().unwrap_or(LevelFilter::OFF);
    let quiet = Targets::new().with_target("actix_server", default.min(LevelFilter::WARN));
    quiet.with_targets(asked).with_default(default)
}

/// Puts every request into a span, where somebody wants to see that. What is said of a request where nobody does is in
/// [`RequestScope`]. To be asked for after [`start`].
///
/// [`RequestScope`]: crate::foundation::request_scope::RequestScope
pub fn spans_of_requests() -> Condition<TracingLogger<RootSpan>> {
    Condition::new(tracing::span_enabled!(Level::DEBUG), TracingLogger::new())
}

/// The span around a request, and what is logged at its end.
pub struct RootSpan;

impl RootSpanBuilder for RootSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        // All that is known is given at once: what is added later costs more. The route is the pattern that matched: an
        // unknown path may be anything, a secret too, so it is not written.
        tracing::debug_span!(
            "request",
            request.id = request.extensions().get::<RequestId>().map(tracing::field::display),
            http.method = request.method().as_str(),
            http.route = request.match_pattern(),
            client.id = Empty,
            grant.type = Empty,
        )
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let status = match outcome {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        tracing::debug!(parent: &span, http.status = status.as_u16(), "answered");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(level: &str) -> Targets {
        without_actix_news(level.parse().expect("a level"))
    }

    #[test]
    fn the_http_servers_own_news_is_told_only_where_it_is_asked_for() {
        let is_told = |level: &str, target: &str| filter(level).would_enable(target, &Level::INFO);
        assert!(is_told("info", "jotsmith::startup"));
        assert!(!is_told("info", "actix_server::builder"));
        assert!(is_told("warn,actix_server=info", "actix_server::builder"));
        assert!(!filter("off").would_enable("actix_server::builder", &Level::ERROR));
        assert!(filter("info").would_enable("actix_server::accept", &Level::WARN));
    }
}
