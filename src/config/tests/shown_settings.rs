//! `config/default.toml` shows every setting, and nothing that it shows is wrong.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{self, DeserializeOwned, Visitor};
use serde::forward_to_deserialize_any;
use toml_edit::{Document, Item};

use crate::clients::ClientMetadata;
use crate::config::{SECTIONS, keys, lifetimes, log, login, pages, resources, scopes, server, store, users};
use crate::tokens::lifetimes::Lifetimes;

use super::{Folder, load_text};

const SHOWN: &str = include_str!("../../../config/default.toml");

/// The file with its examples in force: a line that starts with `#` and no space is one.
fn with_examples() -> String {
    let line = |line: &'static str| match line.strip_prefix('#') {
        Some(example) if !example.starts_with(' ') => example,
        _ => line,
    };
    SHOWN.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_file_is_the_defaults_and_has_no_client_and_no_user() {
    let shown = load_text(SHOWN);
    let built_in = Folder::new().load(&[]);
    assert_eq!(shown.server, built_in.server);
    assert_eq!(shown.clients.iter().count(), 0);
    assert_eq!(shown.users.len(), 0);
    assert_eq!(shown.keys.signing.len() + shown.keys.sealing.len(), 0);
    assert_eq!(shown.warnings, Vec::<String>::new());
    assert!(shown.server.listen.ip().is_loopback() && shown.server.admin_listen.ip().is_loopback());
}

#[test]
fn the_lifetimes_are_those_of_the_domain() {
    assert_eq!(Folder::new().load(&[]).lifetimes, Lifetimes::default());
}

#[test]
fn every_example_is_accepted_as_it_is_written() {
    let folder = Folder::new();
    // What the examples name beside the file itself.
    folder
        .write("logo.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>")
        .write("theme/style.css", "h1 { color: #000 }");
    let settings = folder.write("a.toml", &with_examples()).load(&["a.toml"]);
    assert_eq!(settings.clients.iter().count(), 2);
    assert_eq!(settings.users.len(), 1);
    assert_eq!((settings.keys.signing.len(), settings.keys.sealing.len()), (1, 1));
    assert_eq!(settings.scopes["read"].description["en"], "Read your data");
    assert_eq!(settings.warnings, Vec::<String>::new());
}

#[test]
fn every_setting_is_shown() {
    let text = with_examples();
    let document = Document::parse(text.as_str()).expect("TOML");
    let shown = |path: &[&str]| -> BTreeSet<String> {
        let mut item = document.as_item();
        for key in path {
            item = item.get(key).unwrap_or_else(|| panic!("{path:?} is not shown"));
            if let Item::ArrayOfTables(list) = item {
                return list.iter().flat_map(|entry| entry.iter().map(|(key, _)| key.to_owned())).collect();
            }
        }
        let table = item.as_table_like().expect("a table");
        table.iter().map(|(key, _)| key.to_owned()).collect()
    };
    let lists = BTreeSet::from(["signing", "sealing"].map(str::to_owned));
    let known = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();

    assert_eq!(shown(&[]), known(&[&SECTIONS[..], &["include"]].concat()));
    assert_eq!(shown(&["server"]), fields::<server::ServerSettings>());
    assert_eq!(shown(&["lifetimes"]), fields::<lifetimes::RawLifetimes>());
    assert_eq!(shown(&["store"]), fields::<store::RawStore>());
    assert_eq!(shown(&["keys"]), &fields::<keys::RawKeys>() | &lists);
    assert_eq!(shown(&["keys", "signing"]), fields::<keys::RawSigningKey>());
    assert_eq!(shown(&["keys", "sealing"]), fields::<keys::RawSealingKey>());
    assert_eq!(shown(&["login"]), fields::<login::RawLogin>());
    assert_eq!(shown(&["pages"]), fields::<pages::RawPages>());
    assert_eq!(shown(&["log"]), fields::<log::LogSettings>());
    assert_eq!(shown(&["scopes", "read"]), fields::<scopes::ScopeDescription>());
    assert_eq!(shown(&["resources"]), fields::<resources::RawResource>());
    assert_eq!(shown(&["clients"]), fields::<ClientMetadata>());
    assert_eq!(shown(&["users"]), fields::<users::RawUser>());
}

/// The keys that a struct knows: asked of the struct itself, which tells them to whoever it reads itself from.
fn fields<T: DeserializeOwned>() -> BTreeSet<String> {
    match T::deserialize(Asking) {
        Err(Answer(fields)) => fields.iter().map(|field| (*field).to_owned()).collect(),
        Ok(_) => panic!("a struct"),
    }
}

struct Asking;

#[derive(Debug)]
struct Answer(&'static [&'static str]);

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for Answer {}

impl de::Error for Answer {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(&[])
    }
}

impl<'de> de::Deserializer<'de> for Asking {
    type Error = Answer;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Answer> {
        Err(Answer(&[]))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Answer> {
        Err(Answer(fields))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
