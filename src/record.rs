//! What all record kinds share: a field (one row of a kind's table), a value, and
//! the two fields that every record ends with. Its modules know a field's names elsewhere, choose fields, give records
//! their shape and cut those that are too long. None of them knows what a process is, nor how a record is written.

pub mod choose;
pub mod schema;
pub mod shape;
pub mod truncate;

use std::borrow::Cow;
use std::rc::Rc;

use serde::ser::{Serialize, Serializer};

use crate::host::Host;
use crate::text::lossy;
use schema::{Aliases, Form};
pub use shape::Record;

/// What a record kind says of its records that are cut.
pub struct Truncation {
    /// The fields, by our own name, that are cut before any other, in this order. They alone may be cut already when
    /// they are read, whatever the limit.
    pub first: &'static [&'static str],
    /// The key, after all others, of a record that was cut.
    pub mark: &'static str,
    /// The meaning of that key, for `procline fields`.
    pub doc: &'static str,
}

/// One row of a record kind's table: everything that is said of a field is said here, once.
pub struct Field<R: 'static> {
    /// The key, legal as a column of a Log Analytics table.
    pub name: &'static str,
    /// The JSON type, the same in every record.
    pub kind: Type,
    /// The unit of a number; empty for none.
    pub unit: &'static str,
    /// One sentence of meaning, for `procline fields` and the README.
    pub doc: &'static str,
    /// What has to be read before the field can be told: bits that the record kind gives a meaning.
    pub needs: u32,
    /// The field's value in one record.
    pub get: for<'a> fn(&'a R, &'a Host) -> Value<'a>,
    /// Its names in other schemas.
    pub aliases: Aliases<R>,
}

/// The type of a field, as a user of the records meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Text, of any length.
    String,
    /// Text of few bytes: a time, a letter, an id. Nothing of it is ever cut.
    Token,
    /// A whole number.
    Int,
    /// A number with a fraction, always written with one (`0.0`).
    Float,
    /// True or false.
    Bool,
    /// Several texts.
    List,
    /// Names and values, which are not the same in every record.
    Object,
}

impl Type {
    /// The word for it in `procline fields`.
    pub fn name(self) -> &'static str {
        match self {
            Type::String | Type::Token => "string",
            Type::Int => "int",
            Type::Float => "float",
            Type::Bool => "bool",
            Type::List => "list",
            Type::Object => "object",
        }
    }
}

/// A field's value in one record.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// It cannot be known: the key is left out.
    Absent,
    /// Text.
    Str(Cow<'a, str>),
    /// Text from the kernel or a file, which may not be UTF-8; the encodings see to that.
    Bytes(&'a [u8]),
    /// A whole number.
    Int(i64),
    /// A finite number.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// Several texts, as [`Value::Bytes`].
    List(Vec<&'a [u8]>),
    /// Names and values, in their order; each name stands once. Counted, so that to drop a value of another kind is no
    /// call, of which there would be one for each value of each record.
    Object(Rc<[(Cow<'a, str>, Value<'a>)]>),
}

impl Value<'_> {
    /// A count; one that no signed 64-bit column could hold stops at the largest that it can.
    pub fn count(number: u64) -> Self {
        Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// The text of a string value.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Value::Str(text) => Some(Cow::Borrowed(text)),
            Value::Bytes(bytes) => Some(lossy(bytes)),
            _ => None,
        }
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Absent => serializer.serialize_none(),
            Value::Str(text) => serializer.serialize_str(text),
            Value::Bytes(bytes) => serializer.serialize_str(&lossy(bytes)),
            Value::Int(number) => serializer.serialize_i64(*number),
            Value::Float(number) => serializer.serialize_f64(*number),
            Value::Bool(truth) => serializer.serialize_bool(*truth),
            Value::List(texts) => serializer.collect_seq(texts.iter().map(|text| lossy(text))),
            Value::Object(entries) => serializer.collect_map(entries.iter().map(|(name, value)| (name, value))),
        }
    }
}

/// The field `Computer`, of every record kind.
pub const fn computer<R>() -> Field<R> {
    Field {
        name: "Computer",
        kind: Type::String,
        unit: "",
        doc: "this machine: its hostname",
        needs: 0,
        get: |_, host| Value::Str(Cow::Borrowed(&host.computer)),
        aliases: Aliases::NONE,
    }
    .oms("Computer", Form::SAME)
    .ecs("host.name", Form::SAME)
    .otel("host.name", Form::SAME)
}

/// The field `timestamp`, of every record kind.
pub const fn timestamp<R>() -> Field<R> {
    Field {
        name: "timestamp",
        kind: Type::Token,
        unit: "",
        doc: "when the snapshot was taken, RFC 3339 UTC with milliseconds: one value for the whole snapshot",
        needs: 0,
        get: |_, host| Value::Str(Cow::Borrowed(&host.timestamp)),
        aliases: Aliases::NONE,
    }
    // Without a zone, as the OMS agent's script had it.
    .oms(
        "timestamp",
        Form {
            doc: Some(
                "when the snapshot was taken, UTC without a zone, with microseconds: one value for the whole snapshot",
            ),
            convert: |_, _, host| Value::Str(host.now.format("%Y-%m-%dT%H:%M:%S%.6f").to_string().into()),
            ..Form::SAME
        },
    )
    .ecs("@timestamp", Form::SAME)
    .otel("timestamp", Form::SAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_beyond_a_signed_column_stops_at_its_largest_number() {
        assert_eq!(Value::count(7), Value::Int(7));
        assert_eq!(Value::count(u64::MAX), Value::Int(i64::MAX));
    }
}
