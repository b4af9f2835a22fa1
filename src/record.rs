//! What all kinds of records share: a kind, a field (one row of its table), a value, and the two fields at the end of
//! every record. `schema` has a field's names in other schemas, `selection` selects fields, `layout` orders them, and
//! `truncate` shortens a record that is too long. None of them knows what a process is, or how a record is written.

pub mod kind;
pub mod layout;
pub mod schema;
pub mod selection;
pub mod truncate;
mod value;

use std::borrow::Cow;

pub use kind::{Kind, Truncation};
pub use layout::Record;
pub use schema::Field;
use schema::{Aliases, Conversion};
pub use value::{Type, Value};

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
    .ecs("host.name", Conversion::SAME)
    .otel("host.name", Conversion::SAME)
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
    .ecs("@timestamp", Conversion::SAME)
    .otel("timestamp", Conversion::SAME)
}
