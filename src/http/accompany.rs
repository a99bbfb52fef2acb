//! What happens around every endpoint: its answer is named as the log names the request, counted, and timed.

use std::borrow::Cow;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage as _};
use tracing_actix_web::RequestId;
use uuid::Uuid;

use crate::foundation::id;
use crate::foundation::random::Random;
use crate::foundation::request_scope::RequestScope;

use super::state::State;
use super::{headers, metrics};

/// Names, counts and times the answer; whatever is logged until it is there is about this request.
pub async fn accompany(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let begun = metrics::now();
    // A request that has a span has its identifier from there.
    let id = request.extensions().get::<RequestId>().map(|id| Uuid::from(*id));
    let id = id.unwrap_or_else(|| id::uuid_v4(random(&request)));
    // The pattern and not the path, which may be anything.
    let scope = RequestScope::new(id, name(request.method()), request.match_pattern());
    let mut answered = scope.hold(next.call(request)).await;
    if let Ok(response) = &mut answered {
        headers::name_request(response.headers_mut(), id);
    }
    metrics::count_noted(scope.route(), &answered, begun.elapsed());
    answered
}

fn random(request: &ServiceRequest) -> &dyn Random {
    &*request.app_data::<Data<State>>().expect("every route has the state").random
}

fn name(method: &Method) -> Cow<'static, str> {
    match *method {
        Method::GET => "GET".into(),
        Method::POST => "POST".into(),
        _ => method.as_str().to_owned().into(),
    }
}
