//! Grants by whose they are: found, and taken back while others use them.

use std::sync::Barrier;
use std::thread;

use jotsmith::authorize::store::Redemption;
use jotsmith::clients::ClientId;
use jotsmith::tokens::grant::Grant;
use jotsmith::tokens::store::{FoundGrants, Rotation, TakenBack, Whose};

use super::races::{ROUNDS, put_all, put_grants};
use super::{BEGIN, IDLE, POLICY, Shared, after, answer, code_of, grant_of};

fn of(subject: Option<&str>, client_id: Option<&str>) -> Whose {
    Whose::of(subject.map(Into::into), client_id.map(Into::into)).expect("somebody")
}

fn subject(subject: &str) -> Whose {
    of(Some(subject), None)
}

fn client() -> Whose {
    of(None, Some("client"))
}

fn grant(subject: &str, client_id: &str) -> Grant {
    Grant { client_id: ClientId::parse(client_id).expect("valid"), ..grant_of(&code_of(subject)) }
}

/// Two people at two clients, in the order of their ids.
fn put_four(store: &Shared) -> Vec<Grant> {
    let pairs = [("alice", "client"), ("alice", "other"), ("bob", "client"), ("bob", "other")];
    let mut grants: Vec<_> = pairs.into_iter().map(|(subject, client_id)| grant(subject, client_id)).collect();
    for grant in &grants {
        answer(store.put_grant(grant.clone()));
    }
    grants.sort_by_key(|grant| grant.id);
    grants
}

fn found(store: &Shared, whose: Option<Whose>) -> Vec<Grant> {
    let found = answer(store.find_grants(whose, None, 100));
    assert_eq!(found.reached, None, "fewer than a slice");
    found.grants
}

fn live(store: &Shared) -> Vec<(String, String)> {
    let grants = found(store, None).into_iter().filter(|grant| grant.revoked_at.is_none());
    let mut live: Vec<_> =
        grants.map(|grant| (grant.subject.as_ref().to_owned(), grant.client_id.as_str().to_owned())).collect();
    live.sort();
    live
}

pub(crate) fn grants_are_found_by_whose_they_are_a_slice_at_a_time(store: &Shared) {
    assert_eq!(answer(store.find_grants(None, None, 3)), FoundGrants::default());
    answer(store.put_code(code_of("alice")));
    let grants = put_four(store);
    answer(store.end_all("zoe", after(1)));
    answer(store.remember_once([7; 32], after(1), BEGIN));
    for whose in [subject("alice"), client(), of(Some("bob"), Some("other"))] {
        let expected: Vec<_> =
            grants.iter().filter(|grant| whose.has(&grant.subject, grant.client_id.as_str())).cloned().collect();
        assert!(matches!(expected.len(), 1 | 2));
        assert_eq!(found(store, Some(whose)), expected);
    }
    assert_eq!(found(store, None), grants);
    assert_eq!(found(store, Some(subject("carol"))), []);
    let (mut slices, mut after) = (Vec::new(), None);
    loop {
        let slice = answer(store.find_grants(None, after, 1));
        slices.extend(slice.grants);
        after = slice.reached;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(slices, grants);
}

pub(crate) fn grants_and_codes_are_taken_back_by_whose_they_are_and_no_others(store: &Shared) {
    let all = put_four(store);
    let [alices, bobs] = ["alice", "bob"].map(code_of);
    for code in [&alices, &bobs] {
        answer(store.put_code(code.clone()));
    }
    let pair = |subject: &str, client_id: &str| (subject.to_owned(), client_id.to_owned());

    let one = answer(store.revoke_where(of(Some("alice"), Some("other")), after(1)));
    assert_eq!(one, TakenBack { grants: 1, codes: 0 });
    assert_eq!(live(store), [pair("alice", "client"), pair("bob", "client"), pair("bob", "other")]);
    let of_alice = answer(store.revoke_where(subject("alice"), after(2)));
    assert_eq!(of_alice, TakenBack { grants: 1, codes: 1 });
    assert_eq!(live(store), [pair("bob", "client"), pair("bob", "other")]);
    assert_eq!(answer(store.redeem(grant_of(&alices), after(3))), Redemption::Unknown);
    let of_client = answer(store.revoke_where(client(), after(4)));
    assert_eq!(of_client, TakenBack { grants: 1, codes: 1 });
    assert_eq!(live(store), [pair("bob", "other")]);
    assert_eq!(answer(store.read_code(bobs.id)), None);

    // Again, nothing is left to do, and nothing is changed.
    let before = found(store, None);
    assert_eq!(answer(store.revoke_where(client(), after(5))), TakenBack::default());
    assert_eq!(found(store, None), before);
    for grant in all {
        let is_live = &*grant.subject == "bob" && grant.client_id.as_str() == "other";
        let rotation = answer(store.rotate(grant.id, 0, after(6), POLICY));
        assert_eq!(matches!(rotation, Rotation::Rotated(_)), is_live, "{rotation:?}");
    }
}

pub(crate) fn what_is_over_is_taken_back_and_not_counted(store: &Shared) {
    let over = grant("alice", "client");
    answer(store.put_grant(over.clone()));
    let now = BEGIN + IDLE;
    assert_eq!(answer(store.revoke_where(client(), now)), TakenBack::default());
    assert_eq!(answer(store.read_grant(over.id)).and_then(|grant| grant.revoked_at), Some(now));
}

pub(crate) fn what_ended_with_its_subject_is_marked_with_that_end_and_counted_once(store: &Shared) {
    let alices = grant("alice", "client");
    answer(store.put_grant(alices.clone()));
    answer(store.end_all("alice", after(1)));
    assert_eq!(answer(store.revoke_where(subject("alice"), after(9))), TakenBack { grants: 1, codes: 0 });
    assert_eq!(answer(store.revoke_where(subject("alice"), after(9))), TakenBack::default());
    assert_eq!(answer(store.read_grant(alices.id)).and_then(|grant| grant.revoked_at), Some(after(1)));
}

/// Lets one thread take all of a client back while another does `work`.
fn while_all_is_taken_back(store: &Shared, work: impl FnOnce() + Send) {
    let start = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            start.wait();
            answer(store.revoke_where(client(), after(1)));
        });
        start.wait();
        work();
    });
}

pub(crate) fn no_rotation_outlives_what_is_taken_back_meanwhile(store: &Shared) {
    let grants = put_grants(store);
    while_all_is_taken_back(store, || {
        put_all(store, &grants, |store, grant| {
            Box::pin(async move { store.rotate(grant.id, 0, after(1), POLICY).await.map(drop) })
        });
    });
    for grant in grants {
        let found = answer(store.read_grant(grant.id)).expect("there");
        assert_eq!(found.revoked_at, Some(after(1)));
        assert_eq!(answer(store.rotate(grant.id, found.generation, after(2), POLICY)), Rotation::Revoked);
    }
}

pub(crate) fn no_code_outlives_what_is_taken_back_meanwhile(store: &Shared) {
    let codes: Vec<_> = (0..ROUNDS).map(|_| code_of("alice")).collect();
    put_all(store, &codes, |store, code| Box::pin(async move { store.put_code(code).await }));
    let backwards: Vec<_> = codes.iter().rev().cloned().collect();
    while_all_is_taken_back(store, || {
        put_all(store, &backwards, |store, code| {
            Box::pin(async move { store.redeem(grant_of(&code), after(1)).await.map(drop) })
        });
    });
    for code in codes {
        assert_eq!(answer(store.read_code(code.id)), None);
        let grant = answer(store.read_grant(code.id));
        assert!(grant.is_none_or(|grant| grant.revoked_at.is_some()), "redeemed meanwhile and still good");
    }
}
