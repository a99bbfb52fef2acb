//! `jotsmith grants`: what people have allowed, and its end, on the server that runs.

use clap::{Args, Subcommand};
use reqwest::Method;

use crate::http::grants::{Ended, PATH, Page, ShownGrant};

use super::Failure;
use super::admin_port::AdminPort;

/// How many grants are asked for at once.
const PAGE: &str = "500";

/// See what people have allowed, or log them out everywhere.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  jotsmith grants list --subject alice\n  jotsmith grants revoke --subject alice")]
pub(super) enum Grants {
    List(List),
    Revoke(Revoke),
}

/// List grants, the oldest first: all, or those of a person or a client.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  jotsmith grants list --subject alice\n  jotsmith grants list --client shop --json | jq -r .subject\n\nThe server that runs with this configuration is asked at server.admin_listen. Shown is never a token."
)]
pub(super) struct List {
    /// The person, by the `sub` of their tokens.
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// The client, by its `client_id`.
    #[arg(long, value_name = "CLIENT_ID")]
    client: Option<String>,
    /// Print one line of JSON a grant.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    port: AdminPort,
}

/// Revoke all grants of a person, of a client, or of a person at a client.
#[derive(Debug, Args)]
#[command(
    group = clap::ArgGroup::new("whose").required(true).multiple(true).args(["subject", "client"]),
    after_help = "Examples:\n  jotsmith grants revoke --subject alice                  log a person out everywhere\n  jotsmith grants revoke --subject alice --client shop    at one client, and stay signed in\n  jotsmith grants revoke --client shop                    everybody, at one client\n\nThe server that runs with this configuration is asked at server.admin_listen. Access tokens that an API verifies\noffline are good until they end by themselves."
)]
pub(super) struct Revoke {
    /// The person, by the `sub` of their tokens. Without --client, their sessions and remembered consents end too.
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// The client, by its `client_id`.
    #[arg(long, value_name = "CLIENT_ID")]
    client: Option<String>,
    /// Print what the server answers, as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    port: AdminPort,
}

impl Grants {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::List(command) => command.run(),
            Self::Revoke(command) => command.run(),
        }
    }
}

impl List {
    fn run(self) -> Result<(), Failure> {
        let server = self.port.connect()?;
        let (mut after, mut count) = (None::<String>, 0);
        loop {
            let mut query = whose(self.subject.as_deref(), self.client.as_deref());
            query.push(("limit", PAGE));
            query.extend(after.as_deref().map(|after| ("after", after)));
            let page: Page = server.ask(Method::GET, PATH, &query)?;
            count += page.grants.len();
            for grant in &page.grants {
                println!("{}", if self.json { serde_json::to_string(grant)? } else { line(grant) });
            }
            let Some(next) = page.next else { break };
            after = Some(next.to_string());
        }
        if !self.json {
            eprintln!("{}", counted(count as u64, "grant"));
        }
        Ok(())
    }
}

impl Revoke {
    fn run(self) -> Result<(), Failure> {
        let server = self.port.connect()?;
        let ended: Ended = server.ask(Method::DELETE, PATH, &whose(self.subject.as_deref(), self.client.as_deref()))?;
        if self.json {
            println!("{}", serde_json::to_string(&ended)?);
            return Ok(());
        }
        let Ended { revoked_grants, removed_codes, ended_sessions } = ended;
        println!("Revoked {} and removed {}.", counted(revoked_grants, "grant"), counted(removed_codes, "code"));
        if ended_sessions {
            println!("Every session and remembered consent of this person has ended.");
        }
        Ok(())
    }
}

fn whose<'a>(subject: Option<&'a str>, client_id: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    let named = [("subject", subject), ("client_id", client_id)];
    named.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn line(grant: &ShownGrant) -> String {
    let end = match &grant.revoked_at {
        Some(at) => format!("revoked {at}"),
        None => format!("until {}", grant.expires_at),
    };
    let refreshed = grant.refreshed_at.as_deref().unwrap_or("never");
    format!(
        "{}  {} at {}  {:?}  since {}  refreshed {refreshed}  {end}",
        grant.id, grant.subject, grant.client_id, grant.scope, grant.created_at
    )
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
