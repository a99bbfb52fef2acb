//! Torture: clients redeem, rotate, retry, race, reuse, replay and revoke, a person signs in and out, and an operator ends
//! all of that person, against the real program, which is killed with SIGKILL at random moments, also while it starts,
//! and started again. After each round all that was acknowledged must be there, and nothing that was spent or killed may
//! be back.
//!
//! A few rounds run with the other tests. Any number by hand, and a run again by its seed:
//!
//! ```sh
//! JOTSMITH_TORTURE_ROUNDS=200 cargo test --release --test torture -- --nocapture nothing_acknowledged
//! ```
//!
//! A kill is not a power cut: what the operating system has is not lost. `tests/store/power_cut.rs` is for that.

mod grant;
mod person;
mod server;
mod trouble;
mod wire;

use std::fmt;
use std::time::Duration;

use futures_util::future::join_all;
use grant::Grant;
use person::Person;
use server::Server;
use wire::{Flaw, Wire};

/// How many grants are used at once.
const CALLERS: usize = 16;

/// How many grants a run keeps looking at; beyond it the oldest ones are let go.
const GRANTS: usize = 400;

/// How a run went.
#[derive(Default)]
struct Report {
    rounds: usize,
    answers: usize,
    looks: usize,
    kills_while_starting: usize,
    /// Rules that the server has broken, the first few.
    broken: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rounds, answers, looks, kills_while_starting, broken } = self;
        writeln!(
            f,
            "{rounds} rounds, each ended by SIGKILL; {kills_while_starting} more while the server started; {answers} \
             answers; {looks} times a grant was looked at after a kill; {} rules broken",
            broken.len()
        )?;
        broken.iter().try_for_each(|rule| writeln!(f, "  {rule}"))
    }
}

/// Some rounds against a server with a flaw, or without one. Ends with the round in which a rule was broken.
async fn torture(flaw: Flaw, rounds: usize, seed: u64) -> Report {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut server = Server::new();
    server.start().expect("a new server starts");
    let session = wire::sign_in(&server).await;
    let mut grants: Vec<Grant> = Vec::new();
    let mut person = Person::default();
    let mut report = Report::default();
    for round in 0..rounds {
        report.rounds = round + 1;
        // Far enough for all to be looked at, and some more.
        let mark = grants.len() + random.usize(20..600);
        let wire = Wire::new(&server, flaw, session.clone(), mark, random.fork());
        let pause = Duration::from_micros(random.u64(..3000));
        let pid = server.pid();
        let (broken, ()) = tokio::join!(work(&wire, &mut grants, &mut person), async {
            wire.until_marked().await;
            // A moment without a meaning, so that the kill does not follow an answer.
            tokio::time::sleep(pause).await;
            server.announce_kill();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it runs");
        });
        report.answers += wire.answers();
        report.looks += wire.looks();
        report.broken = broken;
        drop(wire);
        server.kill();
        if !report.broken.is_empty() {
            return report;
        }
        grants.drain(..grants.len().saturating_sub(GRANTS));
        if flaw == Flaw::Forgets {
            forget(&server);
        }
        for _ in 0..random.usize(..3) {
            server.start_and_kill(Duration::from_millis(random.u64(..120))).await;
            report.kills_while_starting += 1;
        }
        if let Err(refused) = server.start() {
            report.broken = vec![refused];
            return report;
        }
    }
    // What the last round was answered is looked at too, and nobody goes on.
    let wire = Wire::new(&server, flaw, session, usize::MAX, random);
    wire.give_up();
    report.broken = work(&wire, &mut grants, &mut person).await;
    report.looks += wire.looks();
    report
}

/// The store becomes the one of the last call.
fn forget(server: &Server) {
    let (kept, now) = (server.beside_the_store("kept"), server.beside_the_store("now"));
    server::copy(&server.store(), &now);
    if kept.exists() {
        std::fs::remove_dir_all(server.store()).expect("removed");
        server::copy(&kept, &server.store());
        std::fs::remove_dir_all(&kept).expect("removed");
    }
    std::fs::rename(now, kept).expect("renamed");
}

/// Looks at every grant once, then works with them and with new ones until no answer comes any more. What was broken.
async fn work(wire: &Wire<'_>, grants: &mut Vec<Grant>, person: &mut Person) -> Vec<String> {
    let mut shares: Vec<Vec<Grant>> = (0..CALLERS).map(|_| Vec::new()).collect();
    for (number, grant) in grants.drain(..).enumerate() {
        shares[number % CALLERS].push(grant);
    }
    let callers = join_all(shares.into_iter().map(|share| caller(wire, share)));
    let (callers, of_person) = tokio::join!(callers, async {
        let worked = person.work(wire).await;
        if worked.is_err() {
            wire.give_up();
        }
        worked
    });
    let mut broken: Vec<_> = of_person.err().into_iter().collect();
    for (share, rule) in callers {
        grants.extend(share);
        broken.extend(rule);
    }
    broken
}

/// One caller, until no answer comes or a rule is broken.
async fn caller(wire: &Wire<'_>, mut share: Vec<Grant>) -> (Vec<Grant>, Option<String>) {
    let broken = work_through(wire, &mut share).await.err();
    if broken.is_some() {
        wire.give_up();
    }
    (share, broken)
}

async fn work_through(wire: &Wire<'_>, share: &mut Vec<Grant>) -> Result<(), String> {
    for grant in share.iter_mut() {
        grant.check(wire).await?;
        wire.count_look();
    }
    while !wire.is_over() {
        if share.is_empty() || wire.below(8) == 0 {
            let Some(code) = wire.code().await? else { break };
            share.push(Grant::of(code));
        }
        // One of the last few: of the older ones most have died, and are looked at once a round.
        let at = share.len() - 1 - wire.below(share.len().min(4));
        share[at].step(wire).await?;
    }
    Ok(())
}

fn rounds() -> usize {
    let rounds = std::env::var("JOTSMITH_TORTURE_ROUNDS").ok();
    rounds.map_or(4, |rounds| rounds.parse().expect("JOTSMITH_TORTURE_ROUNDS is a number"))
}

fn seed() -> u64 {
    let seed = std::env::var("JOTSMITH_TORTURE_SEED").ok();
    seed.map_or_else(|| fastrand::u64(..), |seed| seed.parse().expect("JOTSMITH_TORTURE_SEED is a number"))
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_and_nothing_spent_comes_back() {
    let (rounds, seed) = (rounds(), seed());
    println!("{rounds} rounds, JOTSMITH_TORTURE_SEED={seed}");
    let report = torture(Flaw::None, rounds, seed).await;
    println!("{report}");
    assert!(report.broken.is_empty(), "JOTSMITH_TORTURE_SEED={seed}\n{report}");
}

/// The same torture of a server with a flaw must find it, as one of these rules and as no other.
async fn assert_finds(flaw: Flaw, rules: &[&str]) {
    let seed = seed();
    let report = torture(flaw, 12, seed).await;
    let is_one_of_them = |broken: &String| rules.iter().any(|rule| broken.contains(rule));
    let is_found = !report.broken.is_empty() && report.broken.iter().all(is_one_of_them);
    assert!(is_found, "{flaw:?} was not found, JOTSMITH_TORTURE_SEED={seed}\n{report}");
}

#[tokio::test]
async fn a_server_that_forgets_is_found() {
    let lost = ["the newest token got InvalidGrant", "a new code got InvalidGrant"];
    let came_back = ["a dead grant got Token", "a session that was signed out got a code"];
    assert_finds(Flaw::Forgets, &[lost, came_back].concat()).await;
}

#[tokio::test]
async fn a_server_that_never_kills_a_grant_is_found() {
    assert_finds(Flaw::NeverKills, &["a dead grant got Token"]).await;
}

#[tokio::test]
async fn a_server_that_refuses_one_request_in_a_hundred_is_found() {
    assert_finds(Flaw::RefusesSome, &["Wrong(\"503 "]).await;
}
