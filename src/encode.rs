//! Encodings: records as bytes. `json` and `csv` write one line each. This file writes what surrounds the lines in a
//! stream.

mod csv;
pub mod json;
pub mod msgpack;

use crate::record::{Record, Value};
use crate::sink::line_format::LineFormat;

/// The encoding of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// One object per line.
    Json,
    /// One array of objects, each on its own line.
    Array,
    /// A header, then one row per record, RFC 4180. The cell of an absent value is empty.
    Csv {
        /// The names of the columns.
        columns: Vec<String>,
        /// Whether the header must still be written.
        head: bool,
    },
}

impl Encoding {
    /// CSV with these columns.
    pub fn csv(columns: Vec<String>) -> Self {
        Encoding::Csv { columns, head: true }
    }

    /// The encoding for more records in the same stream, which already has its header.
    pub fn continued(self) -> Self {
        match self {
            Encoding::Csv { columns, .. } => Encoding::Csv { columns, head: false },
            encoding => encoding,
        }
    }

    /// The format of the lines, for a file that they are appended to.
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

    /// Appends the record and a newline.
    pub fn line(&self, out: &mut Vec<u8>, record: &Record<'_>) {
        match self {
            Encoding::Json | Encoding::Array => json::record(out, record),
            Encoding::Csv { columns, .. } => csv::row(out, cells(record, columns)),
        }
    }

    /// Appends the text before a record, which may be the `first`.
    pub fn before(&self, first: bool, out: &mut Vec<u8>) {
        match self {
            Encoding::Array => out.push(if first { b'[' } else { b',' }),
            Encoding::Csv { columns, head: true } if first => csv::row(out, columns),
            _ => {}
        }
    }

    /// Appends the text after the last record. `none` tells whether there was no record.
    pub fn end(&self, none: bool, out: &mut Vec<u8>) {
        if none {
            self.before(true, out);
        }
        if *self == Encoding::Array {
            out.extend_from_slice(b"]\n");
        }
    }
}

/// A cell for every column. The record's values must have the order of the columns.
fn cells<'a>(record: &'a Record<'_>, columns: &'a [String]) -> impl Iterator<Item = Vec<u8>> + 'a {
    let mut values = record.rows().peekable();
    columns.iter().map(move |column| {
        let value = values.next_if(|(key, _)| key.column == *column).map(|(_, value)| value);
        value.as_ref().map_or_else(Vec::new, cell)
    })
}

fn cell(value: &Value<'_>) -> Vec<u8> {
    if let Some(text) = value.text() {
        return text.into_owned().into_bytes();
    }
    // Numbers are written as in JSON. Lists and objects are JSON text.
    json::text(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Host;
    use crate::record::layout::Layout;
    use crate::record::schema::{Column, Schema};
    use crate::record::{Field, Kind, Truncation, Type, truncate};

    /// A record that may be too long.
    #[derive(Default)]
    struct Long {
        user: String,
        command: Vec<u8>,
        args: Vec<Vec<u8>>,
    }

    type Get = for<'a> fn(&'a Long, &'a Host) -> Value<'a>;

    const fn field(name: &'static str, kind: Type, get: Get) -> Field<Long> {
        Field::new(name, kind, "", 0, "", get)
    }

    static TABLE: [Field<Long>; 4] = [
        field("user", Type::String, |long, _| Value::Str(long.user.as_str().into())),
        field("command", Type::String, |long, _| match long.command.as_slice() {
            [] => Value::Absent,
            command => Value::Bytes(command),
        }),
        field("args", Type::List, |long, _| match long.args.as_slice() {
            [] => Value::Absent,
            args => Value::List(args.iter().map(Vec::as_slice).collect()),
        }),
        field("pid", Type::Int, |_, _| Value::Int(7)),
    ];

    const KIND: Kind<Long> = Kind {
        name: "test",
        fields: &TABLE,
        lists: &[],
        schemas: &[Schema::Procline],
        truncation: Truncation { first: &["command", "args"], mark: "was_cut", doc: "" },
    };

    /// The line of a record. `cut` tells whether the command was already truncated when it was read.
    fn line(long: &Long, cut: bool, max: usize, is_csv: bool) -> Vec<u8> {
        let columns: Vec<_> = TABLE.iter().filter_map(|field| Column::of(field, Schema::Procline)).collect();
        let layout = Layout::new(&KIND, columns, Schema::Procline, &[]).unwrap();
        let encoding = if is_csv { Encoding::csv(layout.columns(true)) } else { Encoding::Json };
        let mut out = b"what was before".to_vec();
        layout.record(long, &Host::default(), |record| {
            truncate::line(&mut out, record, cut, max, |out, record| encoding.line(out, record));
        });
        out
    }

    fn json(long: &Long, max: usize) -> (serde_json::Value, usize) {
        let line = line(long, false, max, false);
        (serde_json::from_slice(&line).unwrap(), line.len())
    }

    fn cut(command: &str, max: usize) -> (String, usize) {
        let long = Long { user: "alice".into(), command: command.into(), ..Long::default() };
        let (value, length) = json(&long, max);
        (value["command"].as_str().unwrap().to_owned(), length)
    }

    #[test]
    fn a_line_that_fits_is_unchanged_and_one_byte_more_is_truncated() {
        let text = "x".repeat(1000);
        let (_, whole) = cut(&text, 0);
        assert_eq!(cut(&text, whole), (text.clone(), whole));
        let (short, length) = cut(&text, whole - 1);
        assert!(short.contains('…') && length < whole);
    }

    #[test]
    fn head_and_tail_stay_and_plain_text_uses_the_whole_limit() {
        let text = format!("/usr/bin/java {} com.example.Main", "-cp x ".repeat(2000));
        let (short, length) = cut(&text, 1024);
        assert!(short.starts_with("/usr/bin/java -cp") && short.ends_with("com.example.Main"), "{short}");
        assert_eq!(length, 1024);
        let (head, tail) = short.split_once('…').unwrap();
        assert!(head.len().abs_diff(tail.len()) <= 1);
    }

    #[test]
    fn text_full_of_escapes_fits_and_much_of_it_stays() {
        let uneven = "\x01".repeat(3000) + &"plain ".repeat(3000) + &"\"".repeat(300);
        for text in ["\x01".repeat(9000), "\"\\".repeat(900), "é€😀".repeat(900), "\x7f\u{9b}".repeat(900), uneven]
        {
            let (short, length) = cut(&text, 1024);
            assert!(length <= 1024 && length > 512, "{length} for {:?}", &text[..4]);
            assert!(short.chars().filter(|c| *c != '…').all(|c| text.contains(c)));
        }
        let invalid = Long { command: b"\xff\xfe\xf0\x9f\x98".repeat(900), ..Long::default() };
        let (value, length) = json(&invalid, 1024);
        assert!(length <= 1024 && value["command"].as_str().unwrap().contains('\u{fffd}'), "{length}");
    }

    #[test]
    fn the_longest_string_is_truncated_after_the_command() {
        let long = Long { user: "u".repeat(5000), command: b"cat".to_vec(), ..Long::default() };
        let (value, length) = json(&long, 1024);
        assert_eq!(length, 1024);
        assert_eq!((&value["command"], &value["was_cut"]), (&"…".into(), &true.into()));
    }

    #[test]
    fn arguments_in_the_middle_are_removed() {
        let args = (0..500).map(|place| format!("word\"{place}").into_bytes()).collect();
        let long = Long { command: b"cat".to_vec(), args, ..Long::default() };
        let (value, length) = json(&long, 1024);
        assert!(length <= 1024 && length > 1024 - 60, "{length}");
        let kept = value["args"].as_array().unwrap();
        assert_eq!((&kept[0], kept.last().unwrap()), (&"word\"0".into(), &"word\"499".into()));
        assert_eq!(kept.iter().filter(|word| *word == "…").count(), 1);
    }

    #[test]
    fn a_command_truncated_when_read_is_marked_without_a_limit() {
        let long = Long { command: b"a\xe2\x80\xa6b".to_vec(), ..Long::default() };
        let written = "{\"user\":\"\",\"command\":\"a…b\",\"pid\":7,\"was_cut\":true}\n";
        assert_eq!(line(&long, true, 0, false), written.as_bytes());
        assert_eq!(line(&long, true, 0, true), ",a…b,,7,true\n".as_bytes());
    }

    #[test]
    fn a_cell_is_text_a_number_or_json() {
        for (value, expected) in [
            (Value::Bytes(b"a\xff"), "a\u{fffd}"),
            (Value::Float(0.0), "0.0"),
            (Value::Bool(true), "true"),
            (Value::List(vec![b"a", b"b\""]), r#"["a","b\""]"#),
            (
                Value::Object([("a".into(), Value::Int(1)), ("b".into(), Value::Str("".into()))].into()),
                r#"{"a":1,"b":""}"#,
            ),
        ] {
            assert_eq!(String::from_utf8(cell(&value)).unwrap(), expected);
        }
    }

    #[test]
    fn a_csv_row_is_within_its_limit_too() {
        for word in ["x", "\"", "a,b", "é\n", "\\", "\x01\"\t", "\x7f\u{9b}", "\r\n"] {
            let command = word.repeat(3000).into_bytes();
            for args in [Vec::new(), vec![word.as_bytes().to_vec(); 2000]] {
                let has_args = !args.is_empty();
                let row = line(&Long { command: command.clone(), args, ..Long::default() }, false, 1024, true);
                let shown = String::from_utf8_lossy(&row);
                assert!(row.len() <= 1024 && row.ends_with(b",7,true\n"), "{word:?}: {shown}");
                assert!(!shown.trim_end_matches('\n').contains(char::is_control), "{word:?}: {shown}");
                assert!(has_args || row.len() > 900, "{word:?}: {} bytes", row.len());
            }
        }
    }
}
