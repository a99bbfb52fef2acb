//! A rotation and a hundred reloads under traffic, watched by verifiers that are not ours: no token request fails, and no
//! token fails to verify.
//!
//! The verifiers are the remote key sets of `jose` (Node) and of `PyJWT`, as they are published. Each keeps a set for exactly
//! the `max-age` of the server, and the fetch for an unknown `kid` is off for as long: what they do not have in their cache
//! they do not get, which is the worst that a verifier may do. The clocks that the libraries ask are set with each message, so
//! that an hour passes in seconds; everything else in them runs as it is.
//!
//! Two servers share one configuration, and one's clock runs 59 seconds ahead: a verifier reads the key set of either and the
//! tokens of both. The times of the keys are the least that are not refused, so nothing but the margins stands between this
//! and a failure.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::symlink;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use jotsmith::foundation::clock::Timestamp;
use jotsmith::keys::algorithm::Algorithm;
use serde_json::json;
use tempfile::TempDir;

use crate::harness::{MACHINE, START, Site, TestKey, TestServer, claims, header, machine, tools};

const ISSUER: &str = "https://login.example.com";
const MINUTE: u64 = 60;

/// How far one server's clock is ahead of the other's, in seconds: less than the minute that is allowed.
const AHEAD: u64 = 59;

/// The defaults of `lifetimes.access_token` and `keys.jwks_max_age`, in seconds.
const LIFETIME: u64 = 5 * MINUTE;
const MAX_AGE: u64 = 15 * MINUTE;

/// When the new key is published, when it signs, and when the old one is gone; in seconds, with no second to spare.
const PUBLISHED: u64 = 20 * MINUTE;
const SIGNS: u64 = PUBLISHED + MAX_AGE + MINUTE;
const GONE: u64 = SIGNS + LIFETIME + MINUTE;
const END: u64 = 60 * MINUTE;

const RELOADS: usize = 100;

/// When each cache of a server's set is filled first, in seconds; from then on whenever it is too old. One is filled in the
/// last second before the new key is published, and one between the last token of the old key and its end, by the clock that
/// is ahead.
const FILLED: [u64; 8] = [59, 179, PUBLISHED - 1 - MAX_AGE, 419, 539, SIGNS + LIFETIME - 30 - 2 * MAX_AGE, 719, 839];

const NODE: &str = r#"
import { createInterface } from "node:readline";
import { createRemoteJWKSet, jwtVerify } from "jose";

const { SETS, ISSUER, MAX_AGE } = process.env;
let now = 0;
Date.now = () => now;
const age = Number(MAX_AGE) * 1000;
const caches = new Map();
for await (const line of createInterface({ input: process.stdin })) {
  const { at, first, tokens } = JSON.parse(line);
  now = at * 1000;
  const failures = [];
  for (const url of SETS.split(" ")) {
    for (let cache = 0; cache < first; cache++) {
      const name = `${url} ${cache}`;
      if (!caches.has(name)) {
        caches.set(name, createRemoteJWKSet(new URL(url), { cacheMaxAge: age, cooldownDuration: age }));
      }
      for (const token of tokens) {
        const checks = { typ: "at+jwt", issuer: ISSUER, currentDate: new Date(now), requiredClaims: ["exp", "sub"] };
        try {
          await jwtVerify(token, caches.get(name), checks);
        } catch (error) {
          failures.push(`${name}: ${error.code} ${error.message}`);
        }
      }
    }
  }
  console.log(JSON.stringify(failures));
}
"#;

const PYTHON: &str = r#"
import json, os, sys, time

import jwt
from jwt import api_jwt

now = 0
time.monotonic = lambda: float(now)


class Clock(api_jwt.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(now, tz)


api_jwt.datetime = Clock
age = float(os.environ["MAX_AGE"])
caches = {}
for line in sys.stdin:
    asked = json.loads(line)
    now = asked["at"]
    failures = []
    for url in os.environ["SETS"].split(" "):
        for cache in range(asked["first"]):
            name = f"{url} {cache}"
            if name not in caches:
                caches[name] = jwt.PyJWKClient(url, lifespan=age, cooldown_duration=age)
            for token in asked["tokens"]:
                try:
                    key = caches[name].get_signing_key_from_jwt(token)
                    jwt.decode(
                        token,
                        key,
                        algorithms=["ES256"],
                        issuer=os.environ["ISSUER"],
                        leeway=60,
                        options={"require": ["exp", "sub"], "verify_aud": False},
                    )
                except jwt.PyJWTError as error:
                    failures.append(f"{name}: {error!r}")
    print(json.dumps(failures), flush=True)
"#;

/// A foreign verifier that waits for tokens; killed when dropped.
struct Verifier {
    name: &'static str,
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
    _folder: TempDir,
}

impl Verifier {
    fn node(sets: &str) -> Option<Self> {
        let modules = tools::find("JOTSMITH_TEST_NODE_MODULES")?;
        let folder = tempfile::tempdir().expect("a folder");
        symlink(fs::canonicalize(modules).expect("a folder"), folder.path().join("node_modules")).expect("a link");
        let file = folder.path().join("verifier.mjs");
        fs::write(&file, NODE).expect("a file");
        let mut command = Command::new("node");
        command.arg(file);
        Some(Self::start("jose", command, sets, folder))
    }

    fn python(sets: &str) -> Option<Self> {
        let mut command = Command::new(tools::find("JOTSMITH_TEST_PYTHON")?);
        command.args(["-c", PYTHON]);
        Some(Self::start("PyJWT", command, sets, tempfile::tempdir().expect("a folder")))
    }

    fn start(name: &'static str, mut command: Command, sets: &str, folder: TempDir) -> Self {
        command.env("SETS", sets).env("ISSUER", ISSUER).env("MAX_AGE", MAX_AGE.to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let asks = child.stdin.take().expect("a pipe");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { name, child, asks, answers, _folder: folder }
    }

    /// Has the tokens verified at `at` with every one of the first so many caches of each server.
    fn ask(&mut self, at: Timestamp, first: usize, tokens: &[&str]) {
        let ask = json!({ "at": at.as_seconds(), "first": first, "tokens": tokens });
        writeln!(self.asks, "{ask}").expect("it listens");
    }

    /// What failed of what was asked last.
    fn failures(&mut self) -> Vec<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("it answers");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{} has ended", self.name))
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// When something is looked at: every thirty seconds, when a cache is filled, and around each change by either clock.
fn moments() -> BTreeSet<u64> {
    let fills = FILLED.into_iter().flat_map(|first| (first..END).step_by(15 * 60));
    let edges = [PUBLISHED, SIGNS, GONE].into_iter().flat_map(|edge| [edge, edge - AHEAD]);
    let around = edges.flat_map(|edge| edge - 1..=edge + 1);
    (0..END).step_by(30).chain(fills).chain(around).collect()
}

fn copy_of(key: &TestKey, site: &Site) {
    let name = key.file.file_name().expect("a name");
    fs::copy(&key.file, site.folder().join("keys").join(name)).expect("copied");
}

fn config(old: &TestKey, new: &TestKey, turn: usize) -> String {
    // What is loaded differs each time.
    let another = machine().replace(MACHINE, &format!("another{turn}"));
    let at = |seconds| START + Duration::from_secs(seconds);
    format!(
        "issuer = \"{ISSUER}\"\n{}{another}{}retire_at = \"{}\"\n{}publish_at = \"{}\"\nsign_from = \"{}\"\n",
        machine(),
        old.entry,
        at(GONE),
        new.entry,
        at(PUBLISHED),
        at(SIGNS),
    )
}

struct Token {
    text: String,
    /// When it is used last, by the slower clock.
    last_use: u64,
}

/// A token that is new now.
async fn token(server: &TestServer) -> Token {
    let text = server.access_token("").await;
    let exp = claims(&text)["exp"].as_u64().expect("a time");
    Token { text, last_use: exp - START.as_seconds() - 1 }
}

#[tokio::test]
async fn no_request_and_no_verification_fails_through_a_rotation_and_a_hundred_reloads() {
    let (site, other) = (Site::new(), Site::new());
    let (old, new) = (site.add_key(Algorithm::Es256), site.add_key(Algorithm::Es256));
    copy_of(&old, &other);
    copy_of(&new, &other);
    let first = format!("issuer = \"{ISSUER}\"\n{}{}", machine(), old.entry);
    let servers = [TestServer::start_at(site, &first), TestServer::start_at(other, &first)];
    let sets = servers.each_ref().map(|server| server.url("/.well-known/jwks.json")).join(" ");
    let verifiers = [Verifier::node(&sets), Verifier::python(&sets)];
    let mut verifiers: Vec<Verifier> = verifiers.into_iter().flatten().collect();

    let moments: Vec<u64> = moments().into_iter().collect();
    let (mut reloads, mut verified) = (0, 0);
    let mut live: Vec<Token> = Vec::new();
    let mut signed_by: BTreeMap<String, usize> = BTreeMap::new();
    for (turn, &now) in moments.iter().enumerate() {
        let [slow, fast] = &servers;
        slow.clock.set(START + Duration::from_secs(now));
        fast.clock.set(START + Duration::from_secs(now + AHEAD));
        let mut fresh = vec![token(slow).await, token(fast).await];
        // As many reloads as there are, spread over all of it; and requests meanwhile.
        while reloads < (turn + 1) * RELOADS / moments.len() {
            let server = &servers[reloads % 2];
            let next = config(&old, &new, reloads);
            let (outcome, meanwhile) = tokio::join!(server.reload(&next), token(server));
            outcome.expect("a good change");
            fresh.push(meanwhile);
            reloads += 1;
        }
        for Token { text, .. } in &fresh {
            *signed_by.entry(header(text)["kid"].as_str().expect("a kid").to_owned()).or_default() += 1;
        }
        let until = moments.get(turn + 1).copied().unwrap_or(END);
        let (ending, lasting): (Vec<_>, Vec<_>) = live.into_iter().partition(|token| token.last_use < until);
        let tokens: Vec<_> = fresh.iter().chain(&ending).map(|token| token.text.as_str()).collect();
        let filled = FILLED.iter().filter(|first| **first <= now).count();
        for verifier in &mut verifiers {
            verifier.ask(START + Duration::from_secs(now), filled, &tokens);
        }
        for verifier in &mut verifiers {
            let failures = verifier.failures();
            assert!(failures.is_empty(), "{} at second {now}: {}", verifier.name, failures.join("\n"));
            verified += filled * 2 * tokens.len();
        }
        live = lasting;
        live.extend(fresh);
    }
    assert_eq!(reloads, RELOADS);
    assert!(signed_by[&old.kid] > 100 && signed_by[&new.kid] > 100, "both have signed: {signed_by:?}");
    for server in &servers {
        let set = server.get("/.well-known/jwks.json").await.json();
        assert_eq!((set["keys"].as_array().map(Vec::len), &set["keys"][0]["kid"]), (Some(1), &json!(new.kid)));
    }
    assert!(verifiers.is_empty() || verified > 10_000, "{verified}");
}
