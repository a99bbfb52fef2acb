//! Request parameters: what any encoder writes is read back, and no bytes bring the parser down.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jotsmith::protocol::parameters::{
    InvalidParameters, LONGEST_VALUE, MOST_PARAMETERS, Parameters, UncheckedParameters,
};
use percent_encoding::AsciiSet;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

/// Text of any kind but the character that stands for bytes that are no UTF-8.
fn text() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| text.replace(char::REPLACEMENT_CHARACTER, "?"))
}

fn value() -> impl Strategy<Value = String> {
    text().prop_filter("an empty value is an absent one", |value| !value.is_empty())
}

fn encode<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn pairs(map: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    map.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

/// Every byte as `%xx`, which is as good as the byte itself.
fn percent_encode(text: &str) -> String {
    const ALL: &AsciiSet = &AsciiSet::EMPTY.complement();
    percent_encoding::percent_encode(text.as_bytes(), ALL).to_string()
}

proptest! {
    #[test]
    fn what_is_encoded_is_read_back(map in btree_map(text(), value(), 0..20)) {
        let encoded = encode(pairs(&map));
        let parameters = Parameters::parse(encoded.as_bytes()).expect("what an encoder writes");
        for (name, value) in &map {
            prop_assert_eq!(parameters.optional(name), Some(value.as_str()));
            prop_assert_eq!(parameters.all(name).count(), 1);
        }
    }

    #[test]
    fn every_encoding_of_a_text_is_the_same_text(name in value(), value in value()) {
        let encoded = format!("{}={}", percent_encode(&name), percent_encode(&value));
        let parameters = Parameters::parse(encoded.as_bytes()).expect("well formed");
        prop_assert_eq!(parameters.optional(&name), Some(value.as_str()));
    }

    #[test]
    fn an_empty_parameter_changes_nothing_wherever_it_stands(
        map in btree_map(text(), value(), 0..10),
        empty in vec(text(), 0..10),
    ) {
        let own = encode(pairs(&map));
        let absent = encode(empty.iter().map(|name| (name.as_str(), "")));
        for encoded in [format!("{absent}&{own}"), format!("{own}&{absent}")] {
            let parameters = Parameters::parse(encoded.as_bytes()).expect("well formed");
            for (name, value) in &map {
                prop_assert_eq!(parameters.optional(name), Some(value.as_str()));
            }
            for name in empty.iter().filter(|name| !map.contains_key(*name)) {
                prop_assert_eq!(parameters.optional(name), None);
            }
        }
    }

    #[test]
    fn a_repeated_name_is_refused_however_it_is_encoded(
        name in value().prop_filter("may be repeated", |name| name != "resource"),
        between in btree_map(text(), value(), 0..5),
        (one, other) in (value(), value()),
    ) {
        let between: BTreeMap<_, _> = between.into_iter().filter(|(other, _)| *other != name).collect();
        let (first, last) = (encode([(name.as_str(), one.as_str())]), percent_encode(&name));
        let encoded = format!("{first}&{}&{last}={}", encode(pairs(&between)), percent_encode(&other));
        prop_assert_eq!(Parameters::parse(encoded.as_bytes()).err(), Some(InvalidParameters::Repeated));
    }

    #[test]
    fn resources_keep_their_order(resources in vec(value(), 0..MOST_PARAMETERS)) {
        let encoded = encode(resources.iter().map(|resource| ("resource", resource.as_str())));
        let parameters = Parameters::parse(encoded.as_bytes()).expect("well formed");
        prop_assert_eq!(parameters.all("resource").collect::<Vec<_>>(), resources);
    }

    #[test]
    fn no_bytes_bring_the_parser_down_and_what_it_takes_is_within_bounds(
        bytes in prop_oneof![vec(any::<u8>(), 0..400), "[a-c=&%+0-9\\xff]{0,200}".prop_map(String::into_bytes)],
    ) {
        let Ok(parameters) = Parameters::parse(&bytes) else { return Ok(()) };
        let decoded: Vec<(Cow<'_, str>, Cow<'_, str>)> = form_urlencoded::parse(&bytes).collect();
        for (name, _) in &decoded {
            let values: Vec<&str> = parameters.all(name).collect();
            prop_assert!(name == "resource" || values.len() <= 1);
            prop_assert!(values.iter().all(|value| !value.is_empty() && value.len() <= LONGEST_VALUE));
            prop_assert!(values.iter().all(|value| !value.contains(char::REPLACEMENT_CHARACTER)));
        }
    }

    #[test]
    fn one_parameter_read_by_itself_is_what_it_is_among_all(
        bytes in prop_oneof![vec(any::<u8>(), 0..200), "[a-c=&%+0-9]{0,60}".prop_map(String::into_bytes)],
    ) {
        let (Ok(parameters), Ok(unchecked)) = (Parameters::parse(&bytes), UncheckedParameters::parse(&bytes)) else {
            return Ok(());
        };
        for (name, _) in form_urlencoded::parse(&bytes).filter(|(name, _)| name != "resource") {
            prop_assert_eq!(unchecked.optional(&name), Ok(parameters.optional(&name)));
        }
    }

    #[test]
    fn debug_shows_no_value(name in "[a-z]{1,10}", value in "[A-Z0-9]{8,20}") {
        let encoded = encode([(name.as_str(), value.as_str())]);
        let shown = format!("{:?}", Parameters::parse(encoded.as_bytes()).expect("well formed"));
        prop_assert!(shown.contains(&name) && !shown.contains(&value), "{}", shown);
    }
}
