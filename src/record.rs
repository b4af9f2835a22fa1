//! What all kinds of records share: a kind, a field (one row of its table), a value, and the two fields at the end of
//! every record. `schema` has a field's names in other schemas, `selection` selects fields, `layout` orders them, `change`
//! is what a record says of a change, and `truncate` shortens a record that is too long. None of them knows what a process is, or how a record is written.

pub mod change;
pub mod kind;
pub mod layout;
pub mod schema;
pub mod selection;
pub mod truncate;
mod value;

use change::of_host;
pub use kind::{Kind, Truncation};
pub use layout::Record;
use schema::Conversion;
pub use schema::Field;
pub use value::{Type, Value};

/// The field `Computer`, of every record kind.
pub const fn computer<R>() -> Field<R> {
    Field::new("Computer", Type::String, "", 0, "this machine: its hostname", |_, host| of_host("Computer", host))
        .ecs("host.name", Conversion::SAME)
        .otel("host.name", Conversion::SAME)
}

/// The field `timestamp`, of every record kind.
pub const fn timestamp<R>() -> Field<R> {
    Field::new(
        "timestamp",
        Type::Token,
        "",
        0,
        "when the snapshot was taken, RFC 3339 UTC with milliseconds: one value for the whole snapshot",
        |_, host| of_host("timestamp", host),
    )
    .ecs("@timestamp", Conversion::SAME)
    .otel("timestamp", Conversion::SAME)
}
