//! One grant as its client knows it, and what must be true of it: the model.
//!
//! The client knows what was acknowledged. A request that got no answer may have happened or not, and the next answer
//! tells which. Everything else has one right answer.

use crate::wire::{Ended, Intent, Outcome, Wire};

/// One grant.
#[derive(Debug)]
pub(crate) struct Grant {
    code: String,
    /// Every refresh token that was answered, by generation.
    tokens: Vec<String>,
    state: State,
}

/// What the client knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The code was not presented yet.
    Code,
    /// The code was presented, and no answer came.
    Redeeming,
    /// The code was to be taken back, and no answer came.
    TakingBack,
    /// It is alive.
    Live,
    /// The newest token was presented, and no answer came.
    Refreshing,
    /// It was to be killed, and no answer came.
    Killing,
    /// It is dead, and that was answered.
    Dead,
}

/// What a client may do with a grant that is alive.
#[derive(Debug, Clone, Copy)]
enum Step {
    Refresh,
    /// The same token twice at once.
    Race,
    /// As if the last answer had been lost.
    Retry,
    /// A token from two generations before, or older.
    Reuse,
    /// The code once more.
    Replay,
    /// The newest token at the revocation endpoint (RFC 7009 §2).
    Revoke,
}

impl Grant {
    /// What a code may become.
    pub(crate) const fn of(code: String) -> Self {
        Self { code, tokens: Vec::new(), state: State::Code }
    }

    /// One step, whichever chance decides. An error is a rule that the server has broken.
    pub(crate) async fn step(&mut self, wire: &Wire<'_>) -> Result<(), String> {
        match self.state {
            State::Live => self.step_of_the_living(wire).await,
            _ => self.check(wire).await,
        }
        .map_err(|broken| format!("{broken}; generation {}, {:?}", self.tokens.len(), self.state))
    }

    /// Whether the server has what it has acknowledged, in one step.
    pub(crate) async fn check(&mut self, wire: &Wire<'_>) -> Result<(), String> {
        match self.state {
            State::Code | State::Redeeming | State::TakingBack => self.redeem(wire).await,
            State::Live | State::Refreshing | State::Killing => self.refresh(wire).await,
            State::Dead => self.stay_dead(wire).await,
        }
    }

    async fn step_of_the_living(&mut self, wire: &Wire<'_>) -> Result<(), String> {
        // Mostly refreshes, for killing ends a grant.
        let step = match wire.below(20) {
            0 => Step::Reuse,
            1 if wire.below(2) == 0 => Step::Replay,
            1 => Step::Revoke,
            2..=4 => Step::Retry,
            5..=7 => Step::Race,
            _ => Step::Refresh,
        };
        match step {
            Step::Race => self.race(wire).await,
            Step::Retry if self.tokens.len() >= 2 => self.retry(wire).await,
            Step::Reuse if self.tokens.len() >= 3 => {
                let spent = self.tokens[wire.below(self.tokens.len() - 2)].clone();
                let outcome = wire.refresh(Intent::Kill, &spent).await;
                self.killed(outcome, "a token that was used before")
            }
            Step::Replay => {
                let outcome = wire.redeem(Intent::Kill, &self.code).await;
                self.killed(outcome, "a code that was used before")
            }
            Step::Revoke => {
                let ended = wire.revoke(self.newest()).await?;
                self.ended(ended);
                Ok(())
            }
            Step::Refresh | Step::Retry | Step::Reuse => self.refresh(wire).await,
        }
    }

    /// It was ended, or that was asked for and no answer came.
    pub(crate) fn ended(&mut self, ended: Ended) {
        self.state = match (ended, self.state) {
            (_, State::Dead) | (Ended::Yes, _) => State::Dead,
            (Ended::NoAnswer, State::Code | State::Redeeming | State::TakingBack) => State::TakingBack,
            (Ended::NoAnswer, State::Live | State::Refreshing | State::Killing) => State::Killing,
        };
    }

    async fn redeem(&mut self, wire: &Wire<'_>) -> Result<(), String> {
        let had_no_answer = matches!(self.state, State::Redeeming | State::TakingBack);
        match wire.redeem(Intent::GoOn, &self.code).await {
            Outcome::Token(token) => {
                self.tokens.push(token);
                self.state = State::Live;
            }
            Outcome::NoAnswer if self.state == State::TakingBack => {}
            Outcome::NoAnswer => self.state = State::Redeeming,
            // It was redeemed, and now it was presented twice; or it was taken back.
            Outcome::InvalidGrant if had_no_answer => self.state = State::Dead,
            wrong => return Err(format!("a new code got {wrong:?}")),
        }
        Ok(())
    }

    async fn refresh(&mut self, wire: &Wire<'_>) -> Result<(), String> {
        let was = self.state;
        match wire.refresh(Intent::GoOn, self.newest()).await {
            Outcome::Token(token) => self.went_on(token)?,
            Outcome::NoAnswer => self.state = if was == State::Killing { was } else { State::Refreshing },
            Outcome::InvalidGrant if was == State::Killing => self.state = State::Dead,
            wrong => return Err(format!("the newest token got {wrong:?}")),
        }
        Ok(())
    }

    async fn race(&mut self, wire: &Wire<'_>) -> Result<(), String> {
        let (one, other) =
            tokio::join!(wire.refresh(Intent::GoOn, self.newest()), wire.refresh(Intent::GoOn, self.newest()));
        match (one, other) {
            (Outcome::Token(one), Outcome::Token(other)) if one != other => {
                Err("of two at once each got a token of its own".to_owned())
            }
            (Outcome::Token(token), Outcome::Token(_) | Outcome::NoAnswer)
            | (Outcome::NoAnswer, Outcome::Token(token)) => self.went_on(token),
            (Outcome::NoAnswer, Outcome::NoAnswer) => {
                self.state = State::Refreshing;
                Ok(())
            }
            wrong => Err(format!("the newest token, twice at once, got {wrong:?}")),
        }
    }

    async fn retry(&mut self, wire: &Wire<'_>) -> Result<(), String> {
        let before = &self.tokens[self.tokens.len() - 2];
        match wire.refresh(Intent::GoOn, before).await {
            Outcome::Token(token) if token == *self.newest() => Ok(()),
            // A retry changes nothing, whether it happened or not.
            Outcome::NoAnswer => Ok(()),
            wrong => Err(format!("a retry got {wrong:?}")),
        }
    }

    /// What was to kill it must be refused.
    fn killed(&mut self, outcome: Outcome, by: &str) -> Result<(), String> {
        self.state = match outcome {
            Outcome::InvalidGrant => State::Dead,
            Outcome::NoAnswer => State::Killing,
            wrong => return Err(format!("{by} got {wrong:?}")),
        };
        Ok(())
    }

    async fn stay_dead(&mut self, wire: &Wire<'_>) -> Result<(), String> {
        let token = self.tokens.last().map(String::as_str);
        let outcome = match token {
            Some(token) => wire.refresh(Intent::GoOn, token).await,
            None => wire.redeem(Intent::GoOn, &self.code).await,
        };
        match outcome {
            Outcome::InvalidGrant | Outcome::NoAnswer => Ok(()),
            wrong => Err(format!("a dead grant got {wrong:?}")),
        }
    }

    fn went_on(&mut self, token: String) -> Result<(), String> {
        if self.tokens.contains(&token) {
            return Err("the newest token got one that was answered before".to_owned());
        }
        self.tokens.push(token);
        self.state = State::Live;
        Ok(())
    }

    fn newest(&self) -> &String {
        self.tokens.last().expect("what was redeemed has a token")
    }
}
