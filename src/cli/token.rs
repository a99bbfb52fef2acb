//! `jotsmith token verify`: is this token good, and if not, why not?

use std::path::Path;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use crate::foundation::clock::{Clock as _, SystemClock};
use crate::keys::algorithm::Algorithm;
use crate::keys::jwk::VerificationKeys;
use crate::keys::jws::{self, Expectation, decode_unverified};
use crate::keys::token_type::TokenType;
use crate::startup;

use super::{ConfigFiles, Failure, with_causes};

/// Look into access tokens.
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Example:\n  jotsmith token verify --jwks https://login.example.com/.well-known/jwks.json \"$TOKEN\""
)]
pub(super) enum Token {
    Verify(Verify),
}

/// Decode an access token, verify it, and say why it is not good.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  jotsmith token verify --jwks https://login.example.com/.well-known/jwks.json \"$TOKEN\"\n  echo \"$TOKEN\" | jotsmith token verify --audience https://api.example.com"
)]
pub(super) struct Verify {
    /// The key set, by address or file; without it, the keys of the configuration.
    #[arg(long, value_name = "URL|FILE")]
    jwks: Option<String>,
    /// Who must have made it.
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// Whom it must be for.
    #[arg(long, value_name = "URI")]
    audience: Option<String>,
    /// The token; without it, standard input.
    token: Option<String>,
    #[command(flatten)]
    config: ConfigFiles,
}

/// How far the clock of whoever made the token may be off.
const LEEWAY: Duration = Duration::from_secs(30);

/// How long a key set may take to arrive, and how large it may be.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
const LARGEST_KEY_SET: usize = 1024 * 1024;

impl Token {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Verify(command) => command.run(),
        }
    }
}

impl Verify {
    fn run(self) -> Result<(), Failure> {
        let token = match self.token {
            Some(token) => token,
            None => std::io::read_to_string(std::io::stdin())?,
        };
        let token = token.trim();
        if token.is_empty() {
            return Err("there is no token: give it as the last argument, or on standard input".into());
        }
        let decoded = decode_unverified(token)?;
        println!("{}", serde_json::to_string_pretty(&decoded.header)?);
        println!("{}", serde_json::to_string_pretty(&decoded.claims)?);
        let expected = Expectation {
            typ: TokenType::AccessToken,
            algorithms: &Algorithm::ALL,
            issuer: self.issuer.as_deref(),
            audience: self.audience.as_deref(),
            now: SystemClock.now(),
            leeway: LEEWAY,
        };
        let verified = match self.jwks {
            Some(place) => {
                let keys = VerificationKeys::from_json(&read_key_set(&place)?)?;
                jws::verify::<Map<String, Value>>(token, &keys, &expected)
            }
            None => startup::load_ring(&self.config.source().load()?, expected.now)?.verify(token, &expected),
        };
        verified.map_err(|reason| Failure(format!("the token is not good: {reason}")))?;
        eprintln!("The token is good.");
        Ok(())
    }
}

fn read_key_set(place: &str) -> Result<Vec<u8>, Failure> {
    if !place.starts_with("https://") && !place.starts_with("http://") {
        let file = Path::new(place);
        return std::fs::read(file).map_err(|reason| Failure(format!("cannot read {}: {reason}", file.display())));
    }
    let fetched = tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(fetch(place));
    fetched.map_err(|reason| Failure(format!("cannot fetch {place}: {}", with_causes(&reason.without_url()))))
}

async fn fetch(url: &str) -> Result<Vec<u8>, reqwest::Error> {
    let client = reqwest::Client::builder().timeout(FETCH_TIMEOUT).build()?;
    let mut response = client.get(url).send().await?.error_for_status()?;
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        // What is cut off is no JSON any more, and is refused as such.
        if bytes.len() + chunk.len() > LARGEST_KEY_SET {
            break;
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
