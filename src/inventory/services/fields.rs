//! The service record: the one table from which its encodings, `procline fields` and the README's table come.

use super::Service;
use crate::record::Type::String as Text;
use crate::record::schema::Schema;
use crate::record::{Field, Kind, Truncation, Value, computer, timestamp};

/// The service records.
pub static KIND: Kind<Service> = Kind {
    name: "services",
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

type Row = Field<Service>;

/// Every field of the service record.
const FIELDS: &[Field<Service>] = &[
    Row::new("name", Text, "", 0, "the service's name", |service, _| Value::Bytes(&service.name)),
    computer(),
    timestamp(),
];
