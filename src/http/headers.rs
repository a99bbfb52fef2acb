//! Header values that several answers share.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderName, HeaderValue, PRAGMA, X_CONTENT_TYPE_OPTIONS};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpResponse, HttpResponseBuilder};
use tracing_actix_web::RequestId;

/// The header that names a request as the log does.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Writes into every answer the identifier that stands in every log line about its request.
pub async fn name_request(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let id = request.extensions().get::<RequestId>().and_then(|id| HeaderValue::try_from(id.to_string()).ok());
    let mut response = next.call(request).await?;
    if let Some(id) = id {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    Ok(response)
}

/// An answer that no cache may keep (RFC 6749 §5.1): both headers, for HTTP/1.0 caches too.
pub(super) const NO_STORE: [(HeaderName, HeaderValue); 2] =
    [(CACHE_CONTROL, HeaderValue::from_static("no-store")), (PRAGMA, HeaderValue::from_static("no-cache"))];

/// The type is what the header says; a browser does not guess.
pub(super) const NO_SNIFF: (HeaderName, HeaderValue) = (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));

/// An answer to a client, with the headers that each of them has.
pub(super) fn not_stored(status: StatusCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    for header in NO_STORE {
        response.insert_header(header);
    }
    response.insert_header(NO_SNIFF);
    response
}
