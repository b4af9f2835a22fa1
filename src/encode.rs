//! A record as bytes: the one place that knows of encodings. `json` and `csv` write one line each; what a stream has
//! around its lines is here.

mod csv;
pub mod json;

use crate::record::{Record, Value};
use crate::sink::line_format::LineFormat;

/// How records are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// One object per line.
    Json,
    /// One array of objects, each on a line of its own.
    Array,
    /// A header, then one row per record, RFC 4180. A cell is empty where a value is absent.
    Csv {
        /// The names of the columns.
        columns: Vec<String>,
        /// Whether the header is still to be written.
        head: bool,
    },
}

impl Encoding {
    /// CSV with these columns.
    pub fn csv(columns: Vec<String>) -> Self {
        Encoding::Csv { columns, head: true }
    }

    /// The encoding for what follows in the same stream: it has its header already.
    pub fn continued(self) -> Self {
        match self {
            Encoding::Csv { columns, .. } => Encoding::Csv { columns, head: false },
            encoding => encoding,
        }
    }

    /// What a file of such lines must know of them.
    pub fn line_format(&self) -> LineFormat {
        match self {
            Encoding::Json | Encoding::Array => LineFormat::default(),
            Encoding::Csv { columns, .. } => {
                let mut header = Vec::new();
                csv::row(&mut header, columns);
                LineFormat { header, quote: Some(csv::QUOTE) }
            }
        }
    }

    /// Appends the record, and the newline at its end.
    pub fn line(&self, out: &mut Vec<u8>, record: &Record<'_>) {
        match self {
            Encoding::Json | Encoding::Array => json::line(out, record),
            Encoding::Csv { columns, .. } => csv::row(out, cells(record, columns)),
        }
    }

    /// What comes before a record, which is the `first` or not.
    pub fn before(&self, first: bool, out: &mut Vec<u8>) {
        match self {
            Encoding::Array => out.push(if first { b'[' } else { b',' }),
            Encoding::Csv { columns, head: true } if first => csv::row(out, columns),
            _ => {}
        }
    }

    /// What comes after the last record; with `none`, there was no record.
    pub fn end(&self, none: bool, out: &mut Vec<u8>) {
        if none {
            self.before(true, out);
        }
        if *self == Encoding::Array {
            out.extend_from_slice(b"]\n");
        }
    }
}

/// A cell for every column, from values that stand in the columns' order.
fn cells<'a>(record: &'a Record<'_>, columns: &'a [String]) -> impl Iterator<Item = Vec<u8>> + 'a {
    let mut values = record.rows().iter().peekable();
    columns.iter().map(move |column| {
        let value = values.next_if(|(key, _)| key.column() == column).map(|(_, value)| value);
        value.map_or_else(Vec::new, cell)
    })
}

fn cell(value: &Value<'_>) -> Vec<u8> {
    if let Some(text) = value.text() {
        return text.into_owned().into_bytes();
    }
    // A number as JSON has it, and a list as JSON text.
    let mut line = Vec::new();
    json::line(&mut line, value);
    line.truncate(line.len().saturating_sub(1));
    line
}
