//! A field's value and its type.

use std::borrow::Cow;
use std::rc::Rc;

use chrono::{DateTime, SecondsFormat};
use serde::ser::{Serialize, Serializer};

use crate::text::lossy;

/// The type of a field, as the users of the records see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Text, of any length.
    String,
    /// Short text: a time, a letter, an id. It is never truncated.
    Token,
    /// A whole number.
    Int,
    /// A number that is always written with a fraction (`0.0`).
    Float,
    /// True or false.
    Bool,
    /// Several texts.
    List,
    /// Names and values. The names may differ between records.
    Object,
}

impl Type {
    /// Its name in `procline fields`.
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
    /// Unknown: the key is omitted.
    Absent,
    /// Text.
    Str(Cow<'a, str>),
    /// Text from the kernel or a file, which may be invalid UTF-8. The encodings replace what is invalid.
    Bytes(&'a [u8]),
    /// A whole number.
    Int(i64),
    /// A finite number.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// Several texts, like [`Value::Bytes`].
    List(Vec<&'a [u8]>),
    /// Names and values, in their order. Each name occurs once. It is reference-counted, so that dropping any other
    /// value needs no call: there would be one for each value of each record.
    Object(Rc<[(Cow<'a, str>, Value<'a>)]>),
}

impl Value<'_> {
    /// A count. It saturates at the largest number that a signed 64-bit column can hold.
    pub fn count(number: u64) -> Self {
        Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// A time as text: RFC 3339, UTC, milliseconds. Absent if no calendar has it.
    pub fn time(seconds: i64, nanoseconds: u32) -> Self {
        DateTime::from_timestamp(seconds, nanoseconds)
            .map_or(Value::Absent, |time| Value::Str(Cow::Owned(time.to_rfc3339_opts(SecondsFormat::Millis, true))))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_beyond_a_signed_column_stops_at_its_largest_number() {
        assert_eq!(Value::count(7), Value::Int(7));
        assert_eq!(Value::count(u64::MAX), Value::Int(i64::MAX));
    }
}
