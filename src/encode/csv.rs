//! CSV, RFC 4180. The csv crate quotes cells that need quotes. One row is one physical line: control characters are
//! escaped as in JSON. So a program that reads lines loses no row, and an incomplete row does not corrupt the next one.

use std::borrow::Cow;

use csv::WriterBuilder;

use super::json;
use crate::text::lossy;

/// The quote around cells. A row has an even number of quotes, because a quote in a cell is doubled.
pub const QUOTE: u8 = b'"';

/// Appends one row and its newline.
pub fn row<C: AsRef<[u8]>>(out: &mut Vec<u8>, cells: impl IntoIterator<Item = C>) {
    let start = out.len();
    let mut writer = WriterBuilder::new().from_writer(&mut *out);
    let written = cells
        .into_iter()
        .try_for_each(|cell| writer.write_field(escaped(&lossy(cell.as_ref())).as_bytes()))
        .and_then(|()| writer.write_record(None::<&[u8]>))
        .and_then(|()| Ok(writer.flush()?));
    drop(writer);
    if written.is_err() {
        // Writing to memory does not fail. If it did, half a row must not stay.
        out.truncate(start);
    }
}

/// The text with its control characters escaped as in JSON.
fn escaped(cell: &str) -> Cow<'_, str> {
    // Control characters are rare, so check all bytes first: for C0 and DEL, and for the first byte of a C1 control in
    // UTF-8.
    if !cell.bytes().any(|byte| byte.is_ascii_control() || byte == 0xc2) {
        return Cow::Borrowed(cell);
    }
    let mut out = String::new();
    for piece in cell.split_inclusive(char::is_control) {
        let plain = piece.trim_end_matches(char::is_control);
        out.push_str(plain);
        for control in piece[plain.len()..].chars() {
            out.push_str(lossy(&json::text(&control)).trim_matches('"'));
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_takes_at_least_its_own_bytes_and_a_row_is_one_line() {
        let all = ('\0'..='\u{2fff}').chain('\u{fff0}'..='\u{10010}');
        for c in all {
            let mut out = Vec::new();
            row(&mut out, [format!(",{c}")]);
            assert!(out.len() >= c.len_utf8() + ",\"\"\n".len(), "{c:?}");
            let line = std::str::from_utf8(&out).unwrap().strip_suffix('\n').unwrap();
            assert!(!line.contains(char::is_control), "{line:?}");
            assert_eq!(out.iter().filter(|byte| **byte == QUOTE).count() % 2, 0);
        }
    }

    #[test]
    fn control_characters_are_escaped_as_in_json_and_backslashes_stay() {
        let mut out = Vec::new();
        row(&mut out, ["a\nb\r\n\tc", "C:\\n", "\u{1b}[1m\x7f\u{9b}é", "\0"]);
        assert_eq!(out, "a\\nb\\r\\n\\tc,C:\\n,\\u001b[1m\\u007f\\u009bé,\\u0000\n".as_bytes());
        out.clear();
        row(&mut out, ["a\"\nb", "", "\n"]);
        assert_eq!(out, b"\"a\"\"\\nb\",,\\n\n");
        out.clear();
        row(&mut out, [""]);
        assert_eq!(out, b"\"\"\n");
    }
}
