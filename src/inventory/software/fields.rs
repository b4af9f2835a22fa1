//! The package record: the one table from which its encodings, `procline fields` and the README's table come.

use super::Package;
use crate::record::Type::String as Text;
use crate::record::schema::Schema;
use crate::record::{Field, Kind, Truncation, Value, computer, timestamp};

/// The package records.
pub static KIND: Kind<Package> = Kind {
    name: "software",
    fields: FIELDS,
    lists: &[("default", DEFAULT)],
    schemas: &[Schema::Procline],
    truncation: Truncation {
        first: &[],
        mark: "truncated",
        doc: "true if the record was cut, to fit `--max-record-bytes`; absent otherwise",
    },
};

const DEFAULT: &[&str] = &["name", "Computer", "timestamp"];

type Row = Field<Package>;

/// Every field of the package record.
const FIELDS: &[Field<Package>] = &[
    Row::new("name", Text, "", 0, "the package's name", |package, _| Value::Bytes(&package.name)),
    computer(),
    timestamp(),
];
