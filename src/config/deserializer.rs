//! Reads a merged value into a type, and says of what fails which key it is and where it stands.
//!
//! Beside the serde of the crate `config`, which knows neither: an unknown key is found in every table that becomes a
//! struct, all of them at once, and no error repeats a string that stood where something else was expected, for it may
//! be a secret.

use std::fmt;

use serde::de::{self, DeserializeOwned, DeserializeSeed, Expected, IntoDeserializer as _, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::error::{ConfigError, KeyPath, Problems, suggestion};
use super::value::{Table, Value, ValueKind};

/// Reads `value`, which stands at `path`; nothing, and noted problems, when it is not one. Unknown keys are noted and
/// left out.
pub(super) fn read<T: DeserializeOwned>(value: &Value, path: &KeyPath<'_>, problems: &Problems) -> Option<T> {
    let node = Node { value, path, problems };
    problems.note(T::deserialize(node).map_err(|failure| failure.locate(value, path)))
}

/// A value that is being read.
#[derive(Clone, Copy)]
struct Node<'n> {
    value: &'n Value,
    path: &'n KeyPath<'n>,
    problems: &'n Problems,
}

/// Why a value cannot be read, before and after it is known which one.
#[derive(Debug)]
enum Failure {
    What(String),
    Missing(&'static str),
    Located(ConfigError),
}

impl Failure {
    fn locate(self, value: &Value, path: &KeyPath<'_>) -> ConfigError {
        match self {
            Self::What(what) => ConfigError::new(what).with_key(path),
            Self::Missing(name) => ConfigError::new("is missing").with_key(KeyPath::Key(path, name)),
            Self::Located(error) => error,
        }
        .at_origin(&value.origin)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::What(what) => f.write_str(what),
            Self::Missing(name) => write!(f, "{name} is missing"),
            Self::Located(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}

impl de::Error for Failure {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Self::What(what.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match unexpected {
            Unexpected::Bool(_) => "a boolean",
            Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a whole number",
            Unexpected::Float(_) => "a number",
            Unexpected::Str(_) => "a string",
            Unexpected::Seq => "a list",
            Unexpected::Map => "a table",
            _ => "something else",
        };
        Self::What(format!("this is {found}; write {expected}"))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::What(format!("this is {unexpected}; write {expected}"))
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        Self::What(format!("there is no {variant:?}{}", suggestion(variant, known)))
    }

    fn missing_field(name: &'static str) -> Self {
        Self::Missing(name)
    }
}

impl<'n> Node<'n> {
    fn unexpected(&self, expected: &str) -> Failure {
        let found = match &self.value.kind {
            ValueKind::Nil => "nothing",
            ValueKind::Boolean(_) => "a boolean",
            ValueKind::Float(_) => "a number with a fraction",
            ValueKind::String(_) => "a string",
            ValueKind::Table(_) => "a table",
            ValueKind::Array(_) => "a list",
            ValueKind::Integer(_) => "a whole number",
        };
        Failure::What(format!("this is {found}; write {expected}"))
    }

    /// The text of an environment variable, which becomes what the setting is.
    fn variable(&self) -> Option<&'n str> {
        match &self.value.kind {
            ValueKind::String(text) if self.value.origin.is_variable() => Some(text),
            _ => None,
        }
    }

    fn integer(&self) -> Result<i64, Failure> {
        const EXPECTED: &str = "a whole number, without quotation marks";
        match (&self.value.kind, self.variable()) {
            (ValueKind::Integer(number), _) => Ok(*number),
            (_, Some(text)) => text.parse().map_err(|_| self.unexpected(EXPECTED)),
            _ => Err(self.unexpected(EXPECTED)),
        }
    }

    fn unsigned(&self) -> Result<u64, Failure> {
        let number = self.integer()?;
        number.try_into().map_err(|_| Failure::What("this is below zero; write a whole number from 0 up".to_owned()))
    }

    fn visit_table<'de, V: Visitor<'de>>(self, fields: Option<&[&str]>, visitor: V) -> Result<V::Value, Failure> {
        let ValueKind::Table(table) = &self.value.kind else { return Err(self.unexpected("a table")) };
        // Asked once and not for each key again: nearly all entries have none.
        let unknown_of = fields.filter(|fields| table.iter().any(|(key, _)| !fields.contains(&key.as_str())));
        if let Some(fields) = unknown_of {
            self.note_unknown(table, fields);
        }
        visitor.visit_map(Keys { node: self, fields: unknown_of, rest: table.iter(), current: None })
    }

    fn note_unknown(&self, table: &Table, fields: &[&str]) {
        for (key, value) in table.iter().filter(|(key, _)| !fields.contains(&key.as_str())) {
            let what = format!("unknown key{}", suggestion(key, fields));
            let path = KeyPath::Key(self.path, key);
            self.problems
                .add(ConfigError::new(what).with_key(path).at_origin(&value.origin).at_origin(&self.value.origin));
        }
    }
}

macro_rules! integers {
    ($($method:ident)* => $visit:ident($number:ident)) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
            visitor.$visit(self.$number()?)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Node<'_> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match &self.value.kind {
            ValueKind::Nil => visitor.visit_unit(),
            ValueKind::Boolean(value) => visitor.visit_bool(*value),
            ValueKind::Integer(value) => visitor.visit_i64(*value),
            ValueKind::Float(value) => visitor.visit_f64(*value),
            ValueKind::String(value) => visitor.visit_str(value),
            ValueKind::Table(_) => self.visit_table(None, visitor),
            ValueKind::Array(values) => visitor.visit_seq(Members { node: self, rest: values.iter().enumerate() }),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        const EXPECTED: &str = "true or false, without quotation marks";
        match (&self.value.kind, self.variable()) {
            (ValueKind::Boolean(value), _) => visitor.visit_bool(*value),
            (_, Some(text)) => visitor.visit_bool(text.parse().map_err(|_| self.unexpected(EXPECTED))?),
            _ => Err(self.unexpected(EXPECTED)),
        }
    }

    integers! { deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 => visit_i64(integer) }
    integers! { deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 => visit_u64(unsigned) }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match &self.value.kind {
            ValueKind::String(text) => visitor.visit_str(text),
            _ => Err(self.unexpected("a string in quotation marks")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_str(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        if let Some(text) = self.variable() {
            let members = text.split(',').map(str::trim).filter(|member| !member.is_empty());
            let members: Vec<_> = members
                .map(|member| Value { origin: self.value.origin.clone(), kind: ValueKind::String(member.to_owned()) })
                .collect();
            return visitor.visit_seq(Members { node: self, rest: members.iter().enumerate() });
        }
        match &self.value.kind {
            ValueKind::Array(values) => visitor.visit_seq(Members { node: self, rest: values.iter().enumerate() }),
            _ => Err(self.unexpected("a list in [ ]")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.visit_table(None, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.visit_table(Some(fields), visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        match &self.value.kind {
            ValueKind::String(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            _ => Err(self.unexpected(&format!("one of: {}", variants.join(", ")))),
        }
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

/// The entries of a table as they stand in its file, those that a struct does not know left out.
struct Keys<'n, 'k> {
    node: Node<'n>,
    /// What the struct knows, where the table has more.
    fields: Option<&'k [&'k str]>,
    rest: std::slice::Iter<'n, (String, Value)>,
    current: Option<&'n (String, Value)>,
}

impl<'de> de::MapAccess<'de> for Keys<'_, '_> {
    type Error = Failure;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Failure> {
        let is_known = |key: &str| self.fields.is_none_or(|fields| fields.contains(&key));
        self.current = self.rest.find(|(key, _)| is_known(key));
        match self.current {
            Some((key, _)) => seed.deserialize(key.as_str().into_deserializer()).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Failure> {
        let (key, value) = self.current.expect("serde asks for a key before its value");
        let path = KeyPath::Key(self.node.path, key);
        let node = Node { value, path: &path, ..self.node };
        seed.deserialize(node).map_err(|failure| Failure::Located(failure.locate(value, &path)))
    }
}

/// The members of a list.
struct Members<'n, I> {
    node: Node<'n>,
    rest: I,
}

impl<'de, 'v, I: Iterator<Item = (usize, &'v Value)>> de::SeqAccess<'de> for Members<'_, I> {
    type Error = Failure;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Failure> {
        let Some((index, value)) = self.rest.next() else { return Ok(None) };
        let path = KeyPath::Index(self.node.path, index);
        let node = Node { value, path: &path, problems: self.node.problems };
        seed.deserialize(node).map(Some).map_err(|failure| Failure::Located(failure.locate(value, &path)))
    }
}
