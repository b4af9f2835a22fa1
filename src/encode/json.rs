//! JSON, one object per line. Control characters are escaped, because log pipelines and terminals may interpret them:
//! serde_json escapes those of RFC 8259, and this file adds DEL and the C1 controls.
//!
//! Most of a record is names and text without anything to escape. This file copies both. serde_json writes the rest.

use std::io::{self, Write};

use memchr::memchr2;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use crate::record::layout::Name;
use crate::record::{Record, Value};

/// Appends the record's object and a newline to `out`.
pub fn record(out: &mut Vec<u8>, record: &Record<'_>) {
    let start = out.len();
    match object(out, record) {
        Ok(()) => out.push(b'\n'),
        // Writing to memory does not fail, and every number is finite. If it did fail, half a line must not stay.
        Err(_) => out.truncate(start),
    }
}

/// A value as JSON text.
pub fn text(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::new();
    if any(&mut out, value).is_err() {
        out.clear();
    }
    out
}

fn object(out: &mut Vec<u8>, record: &Record<'_>) -> serde_json::Result<()> {
    out.push(b'{');
    let mut open: &[Name] = &[];
    record.each(|key, row| {
        // Close the objects that end before this row, and open those that begin with it.
        let common = key.common(open);
        out.extend(open[common..].iter().map(|_| b'}'));
        for object in &key.objects[common..] {
            name(out, object);
            out.push(b'{');
        }
        open = &key.objects;
        name(out, &key.name);
        value(out, row)
    })?;
    out.extend(open.iter().map(|_| b'}'));
    out.push(b'}');
    Ok(())
}

fn name(out: &mut Vec<u8>, name: &Name) {
    let is_first = out.ends_with(b"{");
    out.extend_from_slice(&name.quoted().as_bytes()[usize::from(is_first)..]);
}

fn value(out: &mut Vec<u8>, value: &Value<'_>) -> serde_json::Result<()> {
    let text = match value {
        Value::Str(text) => text.as_bytes(),
        Value::Bytes(bytes) => bytes,
        _ => return any(out, value),
    };
    if !is_plain(text) {
        return any(out, value);
    }
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
    Ok(())
}

fn any(out: &mut Vec<u8>, value: &impl Serialize) -> serde_json::Result<()> {
    value.serialize(&mut Serializer::with_formatter(out, Controls))
}

/// Whether a text is ASCII and has nothing to escape.
fn is_plain(text: &[u8]) -> bool {
    // A chunk is checked without an early exit, so that the compiler can check all its bytes at once. For the few bytes
    // of the rest, a table is faster.
    let (long, rest) = text.as_chunks::<64>();
    let (short, rest) = rest.as_chunks::<16>();
    long.iter().all(|chunk| !any_needs_escape(chunk))
        && short.iter().all(|chunk| !any_needs_escape(chunk))
        && !rest.iter().fold(false, |any, byte| any | MAY_NEED_ESCAPE[usize::from(*byte)])
}

fn any_needs_escape(chunk: &[u8]) -> bool {
    chunk.iter().fold(false, |any, byte| any | may_need_escape(*byte))
}

/// Whether a byte may belong to a character that must be escaped, or to invalid UTF-8.
const fn may_need_escape(byte: u8) -> bool {
    // A byte that is not ASCII is negative as an `i8`: one comparison finds those and the control characters.
    ((byte as i8) < 0x20) | (byte == b'"') | (byte == b'\\') | (byte == 0x7f)
}

const MAY_NEED_ESCAPE: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = may_need_escape(byte as u8);
        byte += 1;
    }
    table
};

/// Escapes the control characters that serde_json does not escape.
struct Controls;

impl Formatter for Controls {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if memchr2(0x7f, 0xc2, fragment.as_bytes()).is_none() {
            return writer.write_all(fragment.as_bytes());
        }
        for piece in fragment.split_inclusive(char::is_control) {
            let plain = piece.trim_end_matches(char::is_control);
            writer.write_all(plain.as_bytes())?;
            for control in piece[plain.len()..].chars() {
                write!(writer, "\\u{:04x}", u32::from(control))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Host;
    use crate::record::layout::Layout;
    use crate::record::schema::{Column, Conversion, Schema};
    use crate::record::{Field, Kind, Truncation, Type};

    fn json(value: Value<'_>) -> String {
        let mut out = Vec::new();
        super::value(&mut out, &value).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_character_reads_back_and_takes_at_least_its_own_bytes() {
        let all = ('\0'..='\u{2fff}').chain('\u{fff0}'..='\u{10010}');
        for c in all {
            // Test the character alone, at both ends of a longer text, and after a chunk.
            for text in [c.to_string(), format!("{c}{}{c}", "x".repeat(40)), format!("{}{c}", "x".repeat(16))] {
                let written = json(Value::Str(text.as_str().into()));
                assert!(written.len() >= text.len() + 2, "{c:?}");
                assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
                assert!(!written.contains(char::is_control), "{c:?}");
                assert_eq!(written, json(Value::Bytes(text.as_bytes())));
                assert_eq!(written.as_bytes(), super::text(&text));
            }
        }
    }

    #[test]
    fn controls_between_other_text_are_escaped() {
        assert_eq!(json(Value::Str("é\u{9b}31m\x7f\x7fâ\x1b".into())), "\"é\\u009b31m\\u007f\\u007fâ\\u001b\"");
        assert_eq!(json(Value::List(vec![b"\x7f", b"a"])), r#"["\u007f","a"]"#);
    }

    #[test]
    fn bytes_that_are_not_utf8_become_replacement_characters() {
        assert_eq!(json(Value::Bytes(b"a\xff\xfeb\n")), "\"a\u{fffd}\u{fffd}b\\n\"");
        assert_eq!(json(Value::Bytes(b"a\xff")), "\"a\u{fffd}\"");
    }

    #[test]
    fn an_object_keeps_its_order() {
        let inner = Value::Object([("c".into(), Value::Int(1))].into());
        let object = Value::Object([("b\"".into(), inner), ("a".into(), Value::Bytes(b"x\n"))].into());
        assert_eq!(json(object), r#"{"b\"":{"c":1},"a":"x\n"}"#);
    }

    struct Numbers(f64);

    type Get = for<'a> fn(&'a Numbers, &'a Host) -> Value<'a>;

    const fn field(name: &'static str, other: &'static str, get: Get) -> Field<Numbers> {
        let field = Field::new(name, Type::Float, "", 0, "", get);
        field.otel(other, Conversion::SAME)
    }

    static TABLE: [Field<Numbers>; 6] = [
        field("a", "x.a", |number, _| Value::Float(number.0)),
        field("b", "top", |_, _| Value::Int(1)),
        field("c", "x.y.c", |_, _| Value::Int(2)),
        field("d", "other.d", |_, _| Value::Absent),
        field("e", "x.y.e", |_, _| Value::Absent),
        field("f", "x.f", |_, _| Value::Bool(true)),
    ];

    fn line(number: f64, schema: Schema, labels: &[&str]) -> String {
        let columns: Vec<_> = TABLE.iter().filter_map(|field| Column::of(field, schema)).collect();
        let labels: Vec<_> = labels.iter().map(|label| ((*label).to_owned(), "l".to_owned())).collect();
        let truncation = Truncation { first: &[], mark: "cut", doc: "" };
        let schemas = &[Schema::Procline, Schema::Otel];
        let kind = Kind { name: "test", fields: &TABLE, lists: &[], schemas, truncation };
        let layout = Layout::new(&kind, columns, schema, &labels).unwrap();
        let mut out = Vec::new();
        layout.record(&Numbers(number), &Host::default(), |numbers| record(&mut out, numbers));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_procline_schema_is_flat_even_if_a_label_has_dots() {
        let line = line(0.0, Schema::Procline, &["k8s.pod", "k8s.node"]);
        assert_eq!(line, r#"{"a":0.0,"b":1,"c":2,"f":true,"k8s.pod":"l","k8s.node":"l"}"#.to_owned() + "\n");
    }

    #[test]
    fn keys_of_one_object_are_together_and_an_empty_object_is_omitted() {
        let object = r#""x":{"a":100.0,"y":{"c":2},"f":true}"#;
        assert_eq!(line(100.0, Schema::Otel, &[]), format!(r#"{{{object},"top":1}}"#) + "\n");
        let labels = r#""labels":{"k8s.pod":"l","site":"l"}"#;
        let labelled = line(100.0, Schema::Otel, &["k8s.pod", "site"]);
        assert_eq!(labelled, format!(r#"{{{object},"top":1,{labels}}}"#) + "\n");
    }

    #[test]
    fn numbers_that_json_cannot_represent_are_omitted() {
        for number in [f64::NAN, f64::INFINITY] {
            let without = r#"{"x":{"y":{"c":2},"f":true},"top":1}"#;
            assert_eq!(line(number, Schema::Otel, &[]), without.to_owned() + "\n");
        }
    }
}
