//! Lines about a request: what is known of it stands in each of them, whichever room wrote it.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::foundation::request_scope::RequestScope;

/// A format for lines, to which the request is added that the thread is answering.
pub(super) struct AboutRequest<F> {
    /// How a line looks.
    pub(super) line: F,
    /// Adds the fields of a request to a line that has its end.
    pub(super) add: fn(&mut String, &RequestScope),
}

impl<S, N, F> FormatEvent<S, N> for AboutRequest<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        // Where the request has a span, that says the same.
        let has_span = event.parent().is_some() || context.lookup_current().is_some();
        let Some(scope) = RequestScope::current().filter(|_| !has_span) else {
            return self.line.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.line.format_event(context, Writer::new(&mut line), event)?;
        (self.add)(&mut line, &scope);
        writer.write_str(&line)
    }
}

/// As the span that it stands for: one more member, `span`.
pub(super) fn as_json(line: &mut String, scope: &RequestScope) {
    let Some(open) = line.strip_suffix("}\n").map(str::len) else { return };
    let mut span = Map::new();
    scope.tell(|name, value| {
        span.insert(name.to_owned(), value.into());
    });
    span.insert("name".to_owned(), "request".into());
    line.truncate(open);
    line.push_str(",\"span\":");
    line.push_str(&Value::Object(span).to_string());
    line.push_str("}\n");
}

/// At the end of the line.
pub(super) fn as_text(line: &mut String, scope: &RequestScope) {
    if line.ends_with('\n') {
        line.pop();
    }
    // In quotation marks and escaped, as strings among the fields are.
    scope.tell(|name, value| write!(line, " {name}={value:?}").expect("a string takes everything"));
    line.push('\n');
}
