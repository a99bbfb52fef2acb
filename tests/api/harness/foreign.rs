//! The HTTP client of OAuth libraries that we did not write: they build the requests and read the answers.

use std::future::Future;

use oauth2::{HttpRequest, HttpResponse, http};

/// Sends what a library asks to be sent.
pub(crate) fn client(http: &reqwest::Client) -> impl Fn(HttpRequest) -> ForeignCall {
    let http = http.clone();
    move |request| Box::pin(call(http.clone(), request))
}

type ForeignCall = std::pin::Pin<Box<dyn Future<Output = Result<HttpResponse, reqwest::Error>> + Send>>;

async fn call(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let answer = http.execute(request.try_into()?).await?;
    let mut builder = http::Response::builder().status(answer.status()).version(answer.version());
    for (name, value) in answer.headers() {
        builder = builder.header(name, value);
    }
    Ok(builder.body(answer.bytes().await?.to_vec()).expect("what came is an answer"))
}
