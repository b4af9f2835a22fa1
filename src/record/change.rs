//! What a record says of a change, when only changes are printed: three more fields after those of its kind. They have the same
//! names in every kind.

use std::borrow::Cow;
use std::rc::Rc;

use super::value::{Type, Value};
use crate::host::Host;

/// The name, type and meaning of each field, in their order.
pub const FIELDS: [(&str, Type, &str); 3] = [
    ("change", Type::Token, "with --changes: added, removed or modified"),
    ("fields_changed", Type::List, "with --changes: the names of the fields that were modified"),
    (
        "previous",
        Type::Object,
        "with --changes: earlier values of what was modified, or of all compared fields if removed",
    ),
];

/// A change of one record.
pub struct Change<'a> {
    /// Which kind of change it is.
    pub what: What,
    /// The fields that were modified.
    pub fields: Vec<&'a str>,
    /// Earlier values, by the names of their fields.
    pub previous: Vec<(&'a str, Value<'a>)>,
}

/// The kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The record has no earlier one.
    Added,
    /// The earlier record has none now.
    Removed,
    /// Both are there, and differ.
    Modified,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            What::Added => "added",
            What::Removed => "removed",
            What::Modified => "modified",
        }
    }
}

impl<'a> Change<'a> {
    /// A record that has no earlier one.
    pub const ADDED: Change<'static> = Change { what: What::Added, fields: Vec::new(), previous: Vec::new() };

    /// The values of the fields.
    pub(super) fn values(&self) -> [Value<'a>; 3] {
        let fields = self.fields.iter().map(|name| name.as_bytes()).collect::<Vec<_>>();
        let previous: Rc<[_]> = self.previous.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
        [
            Value::Str(self.what.name().into()),
            if fields.is_empty() { Value::Absent } else { Value::List(fields) },
            if previous.is_empty() { Value::Absent } else { Value::Object(previous) },
        ]
    }
}

/// The value of a field that is the same in all records of a snapshot. Absent for any other field.
pub fn of_host<'a>(name: &str, host: &'a Host) -> Value<'a> {
    match name {
        "Computer" => Value::Str(Cow::Borrowed(&host.computer)),
        "timestamp" => Value::Str(Cow::Borrowed(&host.timestamp)),
        _ => Value::Absent,
    }
}
