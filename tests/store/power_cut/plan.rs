//! What a store is asked in a run, what it must answer, and what it knows after each answer: all of it from a seed.

use std::ops::RangeInclusive;

use jotsmith::authorize::code::AuthorizationCode;
use jotsmith::authorize::store::{CodeStore as _, Redemption};
use jotsmith::foundation::clock::Timestamp;
use jotsmith::foundation::once::{OnceStore as _, Remembered};
use jotsmith::foundation::random::Random;
use jotsmith::foundation::storage::StoreUnavailable;
use jotsmith::login::session::SessionId;
use jotsmith::login::store::SessionStore as _;
use jotsmith::store::Store as _;
use jotsmith::store::sled::SledStore;
use jotsmith::tokens::grant::Grant;
use jotsmith::tokens::store::{GrantStore as _, Rotation};
use uuid::Uuid;

use crate::suite::{ABSOLUTE, BEGIN, IDLE, POLICY, code_of, grant_of};

/// One person: a code, what becomes of it, and all else that a store keeps of somebody.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub code: AuthorizationCode,
    pub sid: SessionId,
    pub shown: [u8; 32],
    begin: Timestamp,
}

/// What a store knows of one.
#[expect(clippy::struct_excessive_bools, reason = "what it keeps of somebody is there or not, each for itself")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub(super) struct Known {
    pub has_code: bool,
    /// The generation, and whether the record itself says that it was revoked.
    pub grant: Option<(u32, bool)>,
    pub is_signed_out: bool,
    pub is_ended: bool,
    pub was_shown: bool,
}

impl Known {
    pub(super) fn records(&self) -> u64 {
        let each = [self.has_code, self.grant.is_some(), self.is_signed_out, self.is_ended, self.was_shown];
        each.into_iter().map(u64::from).sum()
    }
}

/// One verb, for one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    PutCode,
    Redeem,
    PutGrant,
    Rotate,
    /// A refresh token of the generation before the last.
    Reuse,
    Revoke,
    SignOut,
    EndAll,
    Show,
}

/// What is asked at once, each of another person.
pub(super) type Group = Vec<(usize, Verb)>;

#[derive(Debug, Clone)]
pub(super) enum Act {
    Ask(Group),
    /// All that is over goes.
    Sweep,
    /// The records are written anew; that is asked meanwhile.
    Rewrite(Vec<Group>),
    /// Closed in good order, and opened.
    Reopen,
    /// The process ends without closing anything, and the next one opens the folder.
    Kill,
    /// A sync fails, and the store opens itself anew for what is asked.
    Trouble(Group),
}

/// A run.
pub(super) struct Plan {
    pub people: Vec<Person>,
    pub acts: Vec<Act>,
    /// What is known after each group, sweeps included; the first is before any.
    pub known: Vec<Vec<Known>>,
}

/// Always the same.
struct Fixed(u128);

impl Random for Fixed {
    fn fill(&self, bytes: &mut [u8]) {
        let own = self.0.to_le_bytes();
        bytes.iter_mut().zip(own.iter().cycle()).for_each(|(byte, own)| *byte = *own);
    }
}

impl Plan {
    /// `people`, of whom `large` have records of 3 kB, so that the log soon begins from the front.
    pub(super) fn of(seed: u64, people: usize, large: usize, rounds: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut plan = Self { people: Vec::new(), acts: Vec::new(), known: vec![vec![Known::default(); people]] };
        for number in 0..people {
            plan.people.push(Person::new(number, number < large, &mut random));
        }
        plan.some(&mut random, 20, large);
        plan.acts.push(Act::Reopen);
        plan.some(&mut random, 6, large);
        plan.rewrite(&mut random, 8, large);
        plan.some(&mut random, 6, large);
        plan.acts.push(Act::Kill);
        plan.some(&mut random, 4, large);
        plan.trouble(&mut random, large);
        let everybody = |verb| (0..large).map(|person| (person, verb)).collect::<Group>();
        plan.ask(everybody(Verb::PutGrant));
        for round in 0..rounds {
            plan.ask(everybody(Verb::Rotate));
            match round % 10 {
                3 => plan.some(&mut random, 1, large),
                5 if round > rounds / 2 => plan.acts.push(Act::Reopen),
                _ => {}
            }
        }
        plan.acts.push(Act::Kill);
        plan.rewrite(&mut random, 5, large);
        plan.sweep();
        plan.some(&mut random, 5, large);
        plan.acts.push(Act::Kill);
        plan.some(&mut random, 2, large);
        plan
    }

    fn latest(&self) -> &[Known] {
        self.known.last().expect("there is one before any")
    }

    fn ask(&mut self, group: Group) {
        self.learn(&group);
        self.acts.push(Act::Ask(group));
    }

    fn learn(&mut self, group: &Group) {
        let mut known = self.latest().to_vec();
        for (person, verb) in group {
            known[*person] = verb.done(known[*person]).expect("only what is possible is asked");
        }
        self.known.push(known);
    }

    /// Groups of one to four people beyond the first.
    fn some(&mut self, random: &mut fastrand::Rng, groups: usize, beyond: usize) {
        for _ in 0..groups {
            let group = self.any_group(random, beyond);
            self.ask(group);
        }
    }

    fn any_group(&self, random: &mut fastrand::Rng, beyond: usize) -> Group {
        let mut people: Vec<usize> = (beyond..self.people.len()).collect();
        random.shuffle(&mut people);
        people.truncate(random.usize(1..=4));
        let choose = |person: usize| {
            let known = self.latest()[person];
            let possible: Vec<_> = Verb::EVERY.into_iter().filter(|verb| verb.done(known).is_some()).collect();
            // Few ends, or soon nobody has anything.
            let verb = *random.choice(&possible)?;
            let is_end = matches!(verb, Verb::EndAll | Verb::Revoke | Verb::Reuse);
            (!is_end || random.u8(..3) == 0).then_some((person, verb))
        };
        people.into_iter().filter_map(choose).collect()
    }

    fn rewrite(&mut self, random: &mut fastrand::Rng, groups: usize, beyond: usize) {
        let mut meanwhile = Vec::new();
        for _ in 0..groups {
            let group = self.any_group(random, beyond);
            self.learn(&group);
            meanwhile.push(group);
        }
        self.acts.push(Act::Rewrite(meanwhile));
    }

    /// Asks what may be asked again.
    fn trouble(&mut self, random: &mut fastrand::Rng, beyond: usize) {
        let group = vec![(random.usize(beyond..self.people.len()), Verb::SignOut)];
        self.learn(&group);
        self.acts.push(Act::Trouble(group));
    }

    fn sweep(&mut self) {
        let swept = |(person, known): (&Person, &Known)| {
            if person.begin > BEGIN { *known } else { Known { is_ended: known.is_ended, ..Known::default() } }
        };
        let known = self.people.iter().zip(self.latest()).map(swept).collect();
        self.known.push(known);
        self.acts.push(Act::Sweep);
    }

    /// What may be known of each where `answered` groups were answered and `asked` were asked, and how many records there
    /// may be.
    pub(super) fn may_know(&self, answered: usize, asked: usize) -> (Vec<Vec<Known>>, RangeInclusive<u64>) {
        let of = |person: usize| {
            let mut each: Vec<_> = self.known[answered..=asked].iter().map(|known| known[person]).collect();
            each.dedup();
            each
        };
        let may: Vec<Vec<_>> = (0..self.people.len()).map(of).collect();
        let fewest = may.iter().map(|known| known.iter().map(Known::records).min().unwrap_or(0)).sum();
        let most = may.iter().map(|known| known.iter().map(Known::records).max().unwrap_or(0)).sum();
        (may, fewest..=most)
    }
}

impl Person {
    fn new(number: usize, is_large: bool, random: &mut fastrand::Rng) -> Self {
        let id = Uuid::from_u128(random.u128(..));
        // Half of them come later, and outlive the sweep.
        let begin = if number.is_multiple_of(2) { BEGIN } else { BEGIN + 3 * ABSOLUTE };
        let filling = random.usize(if is_large { 3000..3500 } else { 1..200 });
        let scope: String = std::iter::repeat_with(|| random.lowercase()).take(filling).collect();
        let code = code_of(&format!("person {number}"));
        let lifetime = code.expires_at.since(code.created_at);
        let code = AuthorizationCode {
            id,
            scope: scope.parse().expect("valid"),
            auth_time: begin,
            created_at: begin,
            expires_at: begin + lifetime,
            ..code
        };
        let mut shown = [0; 32];
        random.fill(&mut shown);
        Self { code, sid: SessionId::new(&Fixed(id.as_u128())), shown, begin }
    }

    pub(super) fn grant(&self) -> Grant {
        grant_of(&self.code)
    }

    fn after(&self, seconds: u64) -> Timestamp {
        self.begin + std::time::Duration::from_secs(seconds)
    }

    /// Whether what it is shown again counts as shown before.
    pub(super) async fn show(&self, store: &SledStore) -> Result<Remembered, StoreUnavailable> {
        store.remember_once(self.shown, self.after(100), self.after(1)).await
    }
}

impl Verb {
    const EVERY: [Self; 9] = [
        Self::PutCode,
        Self::Redeem,
        Self::PutGrant,
        Self::Rotate,
        Self::Reuse,
        Self::Revoke,
        Self::SignOut,
        Self::EndAll,
        Self::Show,
    ];

    /// What is known afterwards; none: it would be refused, or is not to be asked.
    fn done(self, known: Known) -> Option<Known> {
        let live = known.grant.filter(|(_, is_revoked)| !is_revoked && !known.is_ended);
        Some(match self {
            Self::PutCode if !known.has_code && known.grant.is_none() => Known { has_code: true, ..known },
            Self::Redeem if known.has_code && !known.is_ended => {
                Known { has_code: false, grant: Some((0, false)), ..known }
            }
            Self::PutGrant if !known.has_code && known.grant.is_none() => Known { grant: Some((0, false)), ..known },
            Self::Rotate => Known { grant: Some((live?.0 + 1, false)), ..known },
            Self::Reuse if live?.0 >= 2 => Known { grant: Some((live?.0, true)), ..known },
            Self::Revoke => Known { grant: Some((live?.0, true)), ..known },
            Self::SignOut => Known { is_signed_out: true, ..known },
            Self::EndAll if !known.is_ended => Known { is_ended: true, ..known },
            Self::Show if !known.was_shown => Known { was_shown: true, ..known },
            _ => return None,
        })
    }

    /// Asks for it.
    pub(super) async fn ask(self, store: &SledStore, person: &Person, known: Known) -> Result<(), StoreUnavailable> {
        let id = person.code.id;
        let generation = known.grant.map_or(0, |(generation, _)| generation);
        match self {
            Self::PutCode => store.put_code(person.code.clone()).await?,
            Self::PutGrant => store.put_grant(person.grant()).await?,
            Self::Redeem => {
                assert_eq!(store.redeem(person.grant(), person.after(1)).await?, Redemption::Redeemed);
            }
            Self::Rotate => {
                let rotation = store.rotate(id, generation, person.after(1), POLICY).await?;
                assert!(matches!(rotation, Rotation::Rotated(_)), "{rotation:?}");
            }
            Self::Reuse => {
                let rotation = store.rotate(id, generation - 2, person.after(1), POLICY).await?;
                assert!(matches!(rotation, Rotation::Reused(_)), "{rotation:?}");
            }
            Self::Revoke => assert!(store.revoke_grant(id, person.after(1)).await?, "it was live"),
            Self::SignOut => store.end_session(person.sid, person.after(100)).await?,
            Self::EndAll => store.end_all(&person.code.subject, person.after(2)).await?,
            Self::Show => assert_eq!(person.show(store).await?, Remembered::Now),
        }
        Ok(())
    }
}

/// Sweeps until the end.
pub(super) async fn sweep(store: &SledStore) -> Result<(), StoreUnavailable> {
    while !store.sweep(BEGIN + 2 * ABSOLUTE, IDLE, 1000).await?.is_at_end {}
    Ok(())
}

/// What a store knows of one, and whether all else of it is as it was asked to keep.
pub(super) async fn see(store: &SledStore, person: &Person) -> Result<Known, String> {
    let failed = |refused: StoreUnavailable| refused.to_string();
    let code = store.read_code(person.code.id).await.map_err(failed)?;
    let grant = store.read_grant(person.code.id).await.map_err(failed)?;
    let end = store.early_end(person.sid, &person.code.subject).await.map_err(failed)?;
    if code.as_ref().is_some_and(|code| *code != person.code) {
        return Err(format!("a code is not as it was put: {code:?}"));
    }
    if let Some(grant) = &grant {
        let first = person.grant();
        let Grant { generation, rotated_at, expires_at, revoked_at, .. } = *grant;
        if *grant != (Grant { generation, rotated_at, expires_at, revoked_at, ..first }) {
            return Err(format!("a grant is not as it was made: {grant:?}"));
        }
    }
    Ok(Known {
        has_code: code.is_some(),
        grant: grant.map(|grant| (grant.generation, grant.revoked_at.is_some())),
        is_signed_out: end.is_signed_out,
        is_ended: end.valid_from.is_some(),
        was_shown: false,
    })
}

/// How that looks which is known: what is shown once cannot be looked at, and whose subject was ended has no live grant.
pub(super) fn seen(known: Known) -> Known {
    let grant = known.grant.map(|(generation, is_revoked)| (generation, is_revoked || known.is_ended));
    Known { grant, was_shown: false, ..known }
}
