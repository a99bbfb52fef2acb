//! A person who signs in and out, and of whom all is ended now and then: what is dead then must stay so.

use crate::grant::Grant;
use crate::server::PERSON;
use crate::wire::{Ended, Wire};

/// How many sessions that were signed out are looked at in each round.
const SESSIONS: usize = 20;

/// How many grants are looked at in each round.
const GRANTS: usize = 60;

/// One person, from round to round.
#[derive(Debug, Default)]
pub(crate) struct Person {
    session: Option<String>,
    signed_out: Vec<String>,
    grants: Vec<Grant>,
}

impl Person {
    /// Looks at all that is known, then goes on until no answer comes. An error is a rule that the server has broken.
    pub(crate) async fn work(&mut self, wire: &Wire<'_>) -> Result<(), String> {
        self.grants.drain(..self.grants.len().saturating_sub(GRANTS));
        self.signed_out.drain(..self.signed_out.len().saturating_sub(SESSIONS));
        for grant in &mut self.grants {
            grant.check(wire).await.map_err(|broken| format!("of {PERSON}: {broken}"))?;
            wire.count_look();
        }
        for session in &self.signed_out {
            if wire.code_of(session).await?.is_some_and(|code| code.is_some()) {
                return Err("a session that was signed out got a code".to_owned());
            }
        }
        while !wire.is_over() {
            match wire.below(40) {
                0 => self.sign_out(wire).await?,
                1 | 2 => self.end_all(wire).await?,
                3..=9 => self.ask_for_a_code(wire).await?,
                _ => self.use_one(wire).await?,
            }
        }
        Ok(())
    }

    async fn ask_for_a_code(&mut self, wire: &Wire<'_>) -> Result<(), String> {
        if self.session.is_none() {
            self.session = wire.sign_in_as(PERSON).await?;
        }
        let Some(session) = &self.session else { return Ok(()) };
        match wire.code_of(session).await? {
            Some(Some(code)) => self.grants.push(Grant::of(code)),
            Some(None) => return Err("a session that nobody has ended got a login page".to_owned()),
            None => {}
        }
        Ok(())
    }

    async fn sign_out(&mut self, wire: &Wire<'_>) -> Result<(), String> {
        let Some(session) = self.session.take() else { return Ok(()) };
        if wire.sign_out(&session).await? == Ended::Yes {
            self.signed_out.push(session);
        }
        // Without an answer it is not known; another one is begun.
        Ok(())
    }

    async fn end_all(&mut self, wire: &Wire<'_>) -> Result<(), String> {
        // The session ends first of all, also where no answer comes; where nothing arrived, another one is begun anyway.
        self.session = None;
        let ended = wire.end_all_of(PERSON).await?;
        for grant in &mut self.grants {
            grant.ended(ended);
        }
        Ok(())
    }

    async fn use_one(&mut self, wire: &Wire<'_>) -> Result<(), String> {
        if self.grants.is_empty() {
            return self.ask_for_a_code(wire).await;
        }
        let at = self.grants.len() - 1 - wire.below(self.grants.len().min(6));
        self.grants[at].step(wire).await.map_err(|broken| format!("of {PERSON}: {broken}"))
    }
}
