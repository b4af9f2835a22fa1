//! The file record: the one table from which its encodings, `procline fields` and the README's table come.

use super::File;
use crate::record::Type::String as Text;
use crate::record::schema::Schema;
use crate::record::{Field, Kind, Truncation, Value, computer, timestamp};

/// The file records.
pub static KIND: Kind<File> = Kind {
    name: "files",
    fields: FIELDS,
    lists: &[("default", DEFAULT)],
    schemas: &[Schema::Procline],
    truncation: Truncation {
        first: &[],
        mark: "truncated",
        doc: "true if the record was cut, to fit `--max-record-bytes`; absent otherwise",
    },
};

const DEFAULT: &[&str] = &["path", "Computer", "timestamp"];

type Row = Field<File>;

/// Every field of the file record.
const FIELDS: &[Field<File>] =
    &[Row::new("path", Text, "", 0, "the file's path", |file, _| Value::Bytes(&file.path)), computer(), timestamp()];
