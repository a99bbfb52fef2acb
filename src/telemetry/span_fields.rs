//! The fields of a span as JSON, to which later ones are appended.
//!
//! The formatter that comes with `tracing-subscriber` reads what it has written and writes all of it anew for each field
//! that is added, which takes longer than all else that a request has to do with the log. This one joins two objects. A
//! field that is there twice is read as its last value.

use std::fmt;

use tracing::span::Record;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FormatFields, FormattedFields};

/// Writes each field once.
#[derive(Debug)]
pub(super) struct SpanFields;

impl<'writer> FormatFields<'writer> for SpanFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        JsonFields::new().format_fields(writer, fields)
    }

    fn add_fields(&self, current: &'writer mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        let mut added = String::new();
        JsonFields::new().format_fields(Writer::new(&mut added), fields)?;
        join(&mut current.fields, &added);
        Ok(())
    }
}

/// Appends the members of an object to those of another; both are as the formatter writes them.
fn join(object: &mut String, added: &str) {
    match (object.strip_suffix('}'), added.strip_prefix('{')) {
        (None, _) => added.clone_into(object),
        (Some(_), None | Some("}")) => {}
        (Some(members), Some(added)) => {
            let comma = if members == "{" { "" } else { "," };
            object.truncate(members.len());
            object.push_str(comma);
            object.push_str(added);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_objects_become_one_whichever_of_them_is_empty() {
        for (object, added, joined) in [
            (r#"{"a":1}"#, r#"{"b":"}"}"#, r#"{"a":1,"b":"}"}"#),
            ("{}", r#"{"b":2}"#, r#"{"b":2}"#),
            ("", r#"{"b":2}"#, r#"{"b":2}"#),
            (r#"{"a":1}"#, "{}", r#"{"a":1}"#),
            (r#"{"a":1}"#, "", r#"{"a":1}"#),
        ] {
            let mut text = object.to_owned();
            join(&mut text, added);
            assert_eq!(text, joined, "{object} and {added}");
        }
    }
}
