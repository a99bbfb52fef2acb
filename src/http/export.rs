//! `/admin/store`: all that is stored, as the file of a backup. See [`super::admin`] for who may.
//!
//! The answer comes in slices, as fast as it is read: memory holds one of them, and other requests go on between two. An
//! answer that breaks off has no last line, without which the file is refused.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};

use crate::foundation::clock::Timestamp;
use crate::foundation::request_scope::{Entered, RequestScope};
use crate::foundation::storage::{Export, Origin, StoreUnavailable};
use crate::protocol::error::{ErrorCode, OAuthError};

use super::headers::not_stored;
use super::live::Live;
use super::state::State;
use super::{admin, error_response};

/// The path on the admin port.
pub const PATH: &str = "/admin/store";

/// A line of JSON a record.
const JSON_LINES: &str = "application/x-ndjson";

/// `GET /admin/store`, without parameters.
pub(super) async fn export(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let live = state.live_for_long();
    let operator = match admin::admit(&request, &live, state.now()) {
        Ok(operator) => operator,
        Err(denied) => return denied.render(&live),
    };
    if !request.query_string().is_empty() {
        let refused = OAuthError::new(ErrorCode::InvalidRequest, "A parameter is unknown.");
        return error_response::render(&request, &refused);
    }
    let export = std::sync::Arc::clone(&state.stores.export).export(origin(&live, state.now()));
    match next(export).await {
        Ok((export, first)) => {
            tracing::info!(operator, "the store is being exported");
            not_stored(StatusCode::OK).content_type(JSON_LINES).body(Lines {
                operator,
                first,
                state: Reading::Rests(export),
                scope: RequestScope::current(),
            })
        }
        // Before anything was sent, so that it can be said.
        Err(unavailable) => {
            count("failed");
            error_response::render(&request, &unavailable.into())
        }
    }
}

fn origin(live: &Live, now: Timestamp) -> Origin {
    Origin { issuer: live.issuer.to_string(), begun_at: now, is_running: true, sealing_keys: live.sealing.ids() }
}

type Step = (Box<dyn Export>, Option<Vec<u8>>);

/// The next part, and what gives the one after it.
async fn next(mut export: Box<dyn Export>) -> Result<Step, StoreUnavailable> {
    let part = export.next().await?;
    Ok((export, part))
}

/// The file, on its way.
struct Lines {
    operator: String,
    first: Option<Vec<u8>>,
    state: Reading,
    /// What is logged of the file is about the request for it, which was answered before.
    scope: Option<Rc<RequestScope>>,
}

enum Reading {
    Rests(Box<dyn Export>),
    Reads(Pin<Box<dyn Future<Output = Result<Step, StoreUnavailable>>>>),
    Done,
    Failed,
}

impl MessageBody for Lines {
    type Error = StoreUnavailable;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let lines = self.get_mut();
        let _entered = Entered::new(lines.scope.clone());
        if let Some(first) = lines.first.take() {
            return Poll::Ready(Some(Ok(first.into())));
        }
        let mut reading = match std::mem::replace(&mut lines.state, Reading::Failed) {
            Reading::Rests(export) => Box::pin(next(export)) as _,
            Reading::Reads(reading) => reading,
            ended @ (Reading::Done | Reading::Failed) => {
                lines.state = ended;
                return Poll::Ready(None);
            }
        };
        match reading.as_mut().poll(context) {
            Poll::Pending => {
                lines.state = Reading::Reads(reading);
                Poll::Pending
            }
            Poll::Ready(Ok((export, Some(part)))) if part.is_empty() => {
                // A slice of which nothing goes into the file, of codes for instance. An empty chunk would be the end of the
                // body (RFC 9112 §7.1).
                lines.state = Reading::Rests(export);
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(Ok((export, Some(part)))) => {
                lines.state = Reading::Rests(export);
                Poll::Ready(Some(Ok(part.into())))
            }
            Poll::Ready(Ok((_, None))) => {
                lines.state = Reading::Done;
                Poll::Ready(None)
            }
            Poll::Ready(Err(unavailable)) => {
                tracing::error!(error.cause = %unavailable, "an export of the store is broken off");
                Poll::Ready(Some(Err(unavailable)))
            }
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let _entered = Entered::new(self.scope.take());
        let is_done = matches!(self.state, Reading::Done);
        count(if is_done { "done" } else { "failed" });
        if is_done {
            tracing::info!(operator = self.operator, "the store was exported");
        } else {
            tracing::warn!(operator = self.operator, "an export of the store ended before its end");
        }
    }
}

fn count(outcome: &'static str) {
    metrics::counter!("jotsmith_store_exports_total", "outcome" => outcome).increment(1);
}
