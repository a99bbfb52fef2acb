//! Scope is a set of tokens: the laws of sets hold, and writing and reading lose nothing.

use std::collections::BTreeSet;

use jotsmith::protocol::scope::Scope;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::subsequence;

/// `scope-token` of RFC 6749 appendix A.4.
fn token() -> impl Strategy<Value = String> {
    "[!#-\\[\\]-~]{1,12}"
}

/// A scope from few tokens, so that two of them often share some.
fn scope() -> impl Strategy<Value = Scope> {
    let known = vec!["read", "write", "admin", "Read", "a:b", "https://example.com/x"];
    let shared = subsequence(known, 0..=6);
    (shared, vec(token(), 0..3))
        .prop_map(|(shared, own)| shared.into_iter().chain(own.iter().map(String::as_str)).collect())
}

fn tokens(scope: &Scope) -> BTreeSet<&str> {
    scope.tokens().collect()
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(scope in scope()) {
        prop_assert_eq!(scope.to_string().parse(), Ok(scope.clone()));
        let json = serde_json::to_string(&scope).expect("a string");
        prop_assert_eq!(serde_json::from_str::<Scope>(&json).expect("its own form"), scope);
    }

    #[test]
    fn neither_order_nor_repetition_means_anything(mut list in vec(token(), 1..8), twice in any::<prop::sample::Index>()) {
        let scope: Scope = list.join(" ").parse().expect("well formed");
        list.push(twice.get(&list).clone());
        list.reverse();
        prop_assert_eq!(list.join(" ").parse::<Scope>(), Ok(scope.clone()));
        prop_assert!(list.iter().all(|token| scope.contains(token)));
        prop_assert_eq!(tokens(&scope), list.iter().map(String::as_str).collect());
        prop_assert_eq!(scope.to_string().split(' ').count(), tokens(&scope).len(), "each is written once");
    }

    #[test]
    fn the_grammar_is_kept_exactly(text in prop_oneof![any::<String>(), "[ !\"#\\\\a-c\\t\u{7f}]{0,8}"]) {
        let is_token = |token: &str| {
            !token.is_empty() && token.chars().all(|c| c.is_ascii_graphic() && c != '"' && c != '\\')
        };
        let is_well_formed = text.is_empty() || text.split(' ').all(is_token);
        prop_assert_eq!(text.parse::<Scope>().is_ok(), is_well_formed);
    }

    #[test]
    fn intersection_and_union_are_those_of_sets(a in scope(), b in scope(), c in scope()) {
        let (both, either) = (a.intersection(&b), a.union(&b));
        prop_assert_eq!(tokens(&both), tokens(&a).intersection(&tokens(&b)).copied().collect());
        prop_assert_eq!(tokens(&either), tokens(&a).union(&tokens(&b)).copied().collect());
        prop_assert_eq!((&both, &either), (&b.intersection(&a), &b.union(&a)));
        prop_assert_eq!(both.intersection(&c), a.intersection(&b.intersection(&c)));
        prop_assert_eq!(either.union(&c), a.union(&b.union(&c)));
        prop_assert_eq!((&a.union(&both), &a.intersection(&either)), (&a, &a));
        prop_assert_eq!((a.intersection(&Scope::empty()), a.union(&Scope::empty())), (Scope::empty(), a));
    }

    #[test]
    fn a_part_is_a_part_by_any_definition(a in scope(), b in scope(), c in scope()) {
        prop_assert_eq!(a.is_subset_of(&b), tokens(&a).is_subset(&tokens(&b)));
        prop_assert_eq!(a.is_subset_of(&b), a.intersection(&b) == a);
        prop_assert_eq!(a.is_subset_of(&b), a.union(&b) == b);
        prop_assert_eq!(a.is_subset_of(&b) && b.is_subset_of(&a), a == b);
        let both = a.intersection(&b);
        prop_assert!(Scope::empty().is_subset_of(&a) && both.is_subset_of(&a) && both.is_subset_of(&b));
        prop_assert!(a.is_subset_of(&a.union(&c)), "the order goes on: {both} in {a}");
        prop_assert_eq!(a.is_empty(), a.is_subset_of(&Scope::empty()));
    }
}
