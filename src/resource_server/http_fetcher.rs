//! Fetching a key set or metadata: a port, and the one backend, over HTTP.
//!
//! Refused are redirects, which could lead from https to somewhere else, an answer that takes too long, and one that is
//! too large. A proxy that the environment names (`HTTPS_PROXY`) is asked for https alone, of which it sees nothing: over
//! plain http, which is for this machine, it could bring keys of its own.

use std::error::Error;
use std::iter;
use std::pin::Pin;
use std::time::Duration;

use reqwest::header::{ACCEPT, AGE, CACHE_CONTROL, ETAG, HeaderMap, HeaderName, IF_NONE_MATCH};
use reqwest::{Url, redirect};

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct FetchRequest<'a> {
    /// The address.
    pub url: &'a str,
    /// The `ETag` of what is there already (RFC 9110 §13.1.2).
    pub if_none_match: Option<&'a str>,
}

/// What came.
#[derive(Debug, Clone, Default)]
pub struct FetchAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The validator of the body.
    pub etag: Option<String>,
    /// How long it may be used.
    pub cache_control: Option<String>,
    /// How old it is already, where it comes from a shared cache.
    pub age: Option<String>,
    /// The body, whole.
    pub body: Vec<u8>,
}

/// Nothing came, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FetchFailed(pub String);

/// A fetch under way.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<FetchAnswer, FetchFailed>> + Send + 'a>>;

/// Fetches documents. A test brings its own; so may an API that reaches the issuer in a way of its own.
pub trait Fetch: Send + Sync {
    /// Fetches one document. It must end within a bounded time, and give a bounded body.
    fn fetch<'a>(&'a self, request: FetchRequest<'a>) -> Fetching<'a>;
}

/// How long an answer may take, from the connection to its last byte.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The bytes that a document may have.
const LARGEST: usize = 512 * 1024;

/// Fetches over HTTP.
#[derive(Debug, Clone)]
pub struct HttpFetcher {
    client: reqwest::Client,
    /// For plain http: asks no proxy.
    direct: reqwest::Client,
    largest: usize,
}

impl HttpFetcher {
    /// With 5 seconds for an answer of at most 512 KiB.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new() -> Result<Self, FetchFailed> {
        Self::with_limits(TIMEOUT, LARGEST)
    }

    /// With `timeout` for an answer whose body has at most `largest` bytes.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn with_limits(timeout: Duration, largest: usize) -> Result<Self, FetchFailed> {
        let builder = || {
            let builder = reqwest::Client::builder().timeout(timeout).redirect(redirect::Policy::none());
            // No connection is kept: there are minutes between two fetches, and the runtime of this one may be gone by then.
            builder.pool_max_idle_per_host(0)
        };
        let client = builder().build().map_err(failed)?;
        let direct = builder().no_proxy().build().map_err(failed)?;
        Ok(Self { client, direct, largest })
    }

    async fn answer(&self, request: FetchRequest<'_>) -> Result<FetchAnswer, FetchFailed> {
        let url = Url::parse(request.url).map_err(|_| FetchFailed("this is no address".to_owned()))?;
        let client = if url.scheme() == "http" { &self.direct } else { &self.client };
        let mut sent = client.get(url).header(ACCEPT, "application/json, application/jwk-set+json");
        if let Some(etag) = request.if_none_match {
            sent = sent.header(IF_NONE_MATCH, etag);
        }
        let mut response = sent.send().await.map_err(failed)?;
        let headers = response.headers();
        let mut answer = FetchAnswer {
            status: response.status().as_u16(),
            etag: text(headers, &ETAG),
            cache_control: text(headers, &CACHE_CONTROL),
            age: text(headers, &AGE),
            body: Vec::new(),
        };
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if answer.body.len() + chunk.len() > self.largest {
                return Err(FetchFailed(format!("the answer has more than {} bytes", self.largest)));
            }
            answer.body.extend_from_slice(&chunk);
        }
        Ok(answer)
    }
}

impl Fetch for HttpFetcher {
    fn fetch<'a>(&'a self, request: FetchRequest<'a>) -> Fetching<'a> {
        Box::pin(self.answer(request))
    }
}

/// Every field line of a header, as one list (RFC 9110 §5.3).
fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

/// What went wrong with the causes below it: the lowest one is what a person can mend.
fn failed(error: reqwest::Error) -> FetchFailed {
    let error = error.without_url();
    let causes = iter::successors(error.source(), |&cause| cause.source());
    FetchFailed(causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}")))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;
    use std::process::Command;
    use std::sync::mpsc::{self, Receiver};

    use super::*;

    /// A server that gives everybody `answer`, and what it was asked for; without an answer it says nothing.
    fn server(answer: Option<&'static str>) -> (String, Receiver<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let (sender, asked) = mpsc::channel();
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for mut stream in listener.incoming().map_while(Result::ok) {
                let lines = BufReader::new(stream.try_clone().expect("a stream")).lines().map_while(Result::ok);
                // Not every test looks at what was asked.
                drop(sender.send(lines.take_while(|line| !line.is_empty()).collect()));
                match answer {
                    Some(answer) => drop(stream.write_all(answer.as_bytes())),
                    None => silent.push(stream),
                }
            }
        });
        (address, asked)
    }

    async fn fetch(fetcher: &HttpFetcher, url: &str) -> Result<FetchAnswer, FetchFailed> {
        fetcher.fetch(FetchRequest { url, if_none_match: Some("\"a\"") }).await
    }

    #[tokio::test]
    async fn status_validator_and_lifetime_come_with_the_body() {
        let (url, asked) = server(Some(
            "HTTP/1.1 200 OK\r\nETag: \"b\"\r\nCache-Control: public\r\nCache-Control: max-age=9\r\nAge: 3\r\nContent-Length: 2\r\n\r\n{}",
        ));
        let answer = fetch(&HttpFetcher::new().expect("a client"), &url).await.expect("an answer");
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"{}"[..]));
        assert_eq!(answer.etag.as_deref(), Some("\"b\""));
        assert_eq!(answer.cache_control.as_deref(), Some("public, max-age=9"));
        assert_eq!(answer.age.as_deref(), Some("3"));
        assert!(asked.recv().expect("a request").contains(&"if-none-match: \"a\"".to_owned()));
    }

    #[test]
    fn plain_http_goes_through_no_proxy() {
        // A test of its own process, for the environment is everybody's. Nothing listens at that port.
        let mut tests = Command::new(std::env::current_exe().expect("this program"));
        let this = "resource_server::http_fetcher::tests::status_validator_and_lifetime_come_with_the_body";
        tests.args(["--exact", this]).env_remove("NO_PROXY").env_remove("no_proxy");
        for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
            tests.env(name, "http://127.0.0.1:1");
        }
        let output = tests.output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_is_not_followed() {
        let (elsewhere, asked) = server(Some("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"));
        let redirect = format!("HTTP/1.1 302 Found\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n");
        let (url, _) = server(Some(redirect.leak()));
        assert_eq!(fetch(&HttpFetcher::new().expect("a client"), &url).await.map(|answer| answer.status), Ok(302));
        assert!(asked.try_recv().is_err());
    }

    #[tokio::test]
    async fn an_answer_that_is_too_large_or_never_ends_is_refused() {
        let small = HttpFetcher::with_limits(Duration::from_secs(5), 10).expect("a client");
        let (url, _) = server(Some("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"));
        assert!(fetch(&small, &url).await.is_ok());
        for answer in [
            "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n01234567890",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n012345\r\n6\r\n678901\r\n0\r\n\r\n",
        ] {
            let refused = fetch(&small, &server(Some(answer)).0).await.expect_err("too large");
            assert_eq!(refused.to_string(), "the answer has more than 10 bytes");
        }
        let impatient = HttpFetcher::with_limits(Duration::from_millis(20), 10).expect("a client");
        let (url, _asked) = server(None);
        assert!(fetch(&impatient, &url).await.is_err());
    }
}
