//! The admin port of the running server, as commands ask it: with a token that they mint with the configuration's keys, or
//! with one that they are given.

use std::fs;
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use reqwest::{Method, StatusCode, Url, redirect};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::config::Settings;
use crate::foundation::clock::{Clock as _, SystemClock};
use crate::foundation::random::OsRandom;
use crate::http::admin::CommandLineClaims;
use crate::keys::token_type::TokenType;
use crate::startup;

use super::{ConfigFiles, Failure, with_causes};

/// How long the server may take; it may have many grants to go through.
const TIMEOUT: Duration = Duration::from_mins(5);

/// The largest answer, in bytes: a page of grants that are each as large as they can be takes half of it.
const LARGEST_ANSWER: usize = 8 * 1024 * 1024;

/// How long a backup may take as a whole; between two parts of it, no more than [`TIMEOUT`].
const LONGEST_EXPORT: Duration = Duration::from_hours(24);

/// The longest token that is read, in bytes.
const LONGEST_TOKEN: u64 = 16 * 1024;

/// Which server is asked, and by what right.
#[derive(Debug, Args)]
pub(super) struct AdminPort {
    /// A file with an access token for the admin API, or - for standard input. Without it the command mints a token of its
    /// own with the signing keys of the configuration.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFiles,
}

/// A server that can be asked.
pub(super) struct Connection {
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
    address: SocketAddr,
    token: Zeroizing<String>,
    is_minted: bool,
}

impl AdminPort {
    /// Reads the configuration, and gets a token.
    pub(super) fn connect(self) -> Result<Connection, Failure> {
        let (settings, right) = self.load()?;
        right.connect(&settings)
    }

    /// Reads the configuration.
    pub(super) fn load(self) -> Result<(Settings, Right), Failure> {
        Ok((self.config.source().load()?, Right { token_file: self.token_file }))
    }
}

/// By what right a server is asked.
pub(super) struct Right {
    token_file: Option<PathBuf>,
}

impl Right {
    /// Whether a token was given, which only a server can take.
    pub(super) const fn is_given(&self) -> bool {
        self.token_file.is_some()
    }

    /// Gets a token for the server of these settings.
    pub(super) fn connect(self, settings: &Settings) -> Result<Connection, Failure> {
        let address = address(settings)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let is_minted = self.token_file.is_none();
        let token = match self.token_file {
            Some(file) => read_token(&file)?,
            None => runtime.block_on(mint(settings))?,
        };
        // It is on this machine, or in this network: no proxy is on the way, and nobody sends us elsewhere.
        let http = reqwest::Client::builder().no_proxy().redirect(redirect::Policy::none()).timeout(TIMEOUT);
        let http = http.read_timeout(TIMEOUT);
        let http = http.build().map_err(|cause| with_causes(&cause))?;
        Ok(Connection { runtime, http, address, token, is_minted })
    }
}

/// Where the settings say that the server listens. Whoever listens on all addresses listens on loopback.
fn address(settings: &Settings) -> Result<SocketAddr, Failure> {
    let mut address = settings.server.admin_listen;
    if address.port() == 0 {
        let what = "server.admin_listen has port 0, which is another one at each start, so the server cannot be asked; \
                    give it a port";
        return Err(what.into());
    }
    match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    Ok(address)
}

fn read_token(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    let shown = if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() };
    let read = if file == Path::new("-") {
        std::io::stdin().take(LONGEST_TOKEN).read_to_string(&mut text)
    } else {
        fs::File::open(file).and_then(|file| file.take(LONGEST_TOKEN).read_to_string(&mut text))
    };
    read.map_err(|cause| format!("{shown} cannot be read: {cause}; --token-file names a file with one access token"))?;
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure(format!("{shown} has no access token; put one there, and nothing else")));
    }
    Ok(Zeroizing::new(token.to_owned()))
}

async fn mint(settings: &Settings) -> Result<Zeroizing<String>, Failure> {
    let now = SystemClock.now();
    let failed = |cause: String| {
        Failure(format!("no token can be signed with the keys of the configuration: {cause}; --token-file takes one"))
    };
    let ring = startup::load_ring(settings, now).map_err(|cause| failed(cause.to_string()))?;
    let algorithm = ring.algorithms(now).next().ok_or_else(|| failed("none signs now".to_owned()))?;
    let claims = CommandLineClaims::new(&settings.issuer, &settings.server.admin_scope, now, &OsRandom);
    let token = ring.sign(algorithm, TokenType::AccessToken, now, &claims).await;
    token.map(Zeroizing::new).map_err(|cause| failed(with_causes(&cause)))
}

impl Connection {
    /// Asks for a path with these parameters.
    pub(super) fn ask<A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<A, Failure> {
        let url = Url::parse_with_params(&format!("http://{}{path}", self.address), query)?;
        let body = self.runtime.block_on(self.send(method, url))?;
        serde_json::from_slice(&body).map_err(|_| self.failure("gives an answer that is none of this version's"))
    }

    /// Asks for a path whose answer may be as long as it likes, and gives each part of it as it comes.
    pub(super) fn download(
        &self,
        path: &str,
        mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let url = Url::parse(&format!("http://{}{path}", self.address))?;
        self.runtime.block_on(async {
            let request = self.http.get(url).bearer_auth(&*self.token).timeout(LONGEST_EXPORT);
            let mut response = request.send().await.map_err(|cause| self.not_reached(cause))?;
            if !response.status().is_success() {
                return Err(self.refused(response.status()));
            }
            loop {
                match response.chunk().await {
                    Ok(Some(part)) => take(&part)?,
                    Ok(None) => return Ok(()),
                    Err(cause) => {
                        let cause = with_causes(&cause.without_url());
                        return Err(self.failure(&format!("has broken off: {cause}; look into its log and try again")));
                    }
                }
            }
        })
    }

    fn not_reached(&self, cause: reqwest::Error) -> Failure {
        Failure(format!(
            "the server cannot be asked at {}, which server.admin_listen names; is it running, and was it started with \
             this address? {}",
            self.address,
            with_causes(&cause.without_url())
        ))
    }

    async fn send(&self, method: Method, url: Url) -> Result<Vec<u8>, Failure> {
        let failed = |cause| self.not_reached(cause);
        let request = self.http.request(method, url).bearer_auth(&*self.token);
        let mut response = request.send().await.map_err(failed)?;
        if !response.status().is_success() {
            return Err(self.refused(response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(self.failure("does not stop to answer"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn failure(&self, what: &str) -> Failure {
        Failure(format!("the server at {} {what}", self.address))
    }

    fn refused(&self, status: StatusCode) -> Failure {
        self.failure(match (status, self.is_minted) {
            (StatusCode::UNAUTHORIZED, true) => {
                "does not know the signing keys or the issuer of this configuration: reload it, or compare keys.signing, \
                 issuer and the clocks with what it was started with"
            }
            (StatusCode::UNAUTHORIZED, false) => {
                "refuses the token: it must be fresh, a client's own, and for the resource <issuer>/admin"
            }
            (StatusCode::FORBIDDEN, true) => "has another server.admin_scope than this configuration: reload it",
            (StatusCode::FORBIDDEN, false) => "refuses the token: it does not have the scope server.admin_scope",
            (StatusCode::BAD_REQUEST, _) => {
                "does not take what is asked: a subject has 1 to 255 printable ASCII characters, and a client_id is one \
                 of a configuration"
            }
            (StatusCode::NOT_FOUND, _) => "has no admin API: it is an older one, or something else listens there",
            (StatusCode::SERVICE_UNAVAILABLE, _) => "cannot use its store now: try again, and look into its log",
            _ => return Failure(format!("the server at {} answers with {status}", self.address)),
        })
    }
}
