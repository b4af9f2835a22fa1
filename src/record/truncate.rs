//! The limit of a record's length: its encoded line is never longer than the user allows. Long text gives up its middle,
//! as its ends say most: a Java main class stands after its class path.
//!
//! What a text takes in an encoding is not known here, only that it is no less than the bytes that it has.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::mem;

use super::{Record, Value};

/// Stands for what was cut.
const MARK: &str = "…";

/// How often a text is cut before nothing of it is left: the first guess is exact where nothing is escaped.
const MAX_ROUNDS: usize = 4;

/// Writes the record's line into `line`, which is emptied first, at most `max` bytes long (0: no limit), by `encode`,
/// which appends it.
///
/// A record that is too long has the fields cut that its kind names for it, whatever a schema calls them, then its
/// longest text, and so on; it says so with the kind's mark, as does one with such a field that was `cut` when it was
/// read.
pub fn line(
    line: &mut Vec<u8>,
    record: &mut Record<'_>,
    cut: bool,
    max: usize,
    encode: impl Fn(&mut Vec<u8>, &Record<'_>),
) {
    let mut write = |record: &Record<'_>| {
        line.clear();
        encode(line, record);
        line.len()
    };
    // What was cut may have been read only for a filter's sake.
    let cut = cut && record.rows.iter().any(|(key, _)| key.cut_first.is_some());
    if cut {
        record.mark_cut();
    }
    let mut length = write(record);
    if max == 0 || length <= max {
        return;
    }
    if !cut {
        record.mark_cut();
        length = write(record);
    }
    let mut spent = Vec::new();
    while length > max {
        let Some(place) = record.next_to_cut(&spent) else { return };
        spent.push(place);
        length = record.shorten(place, length, max, &mut write);
    }
}

impl Record<'_> {
    fn mark_cut(&mut self) {
        self.rows.push((self.cut_mark, Value::Bool(true)));
    }

    /// The place of the value to cut next: those that the kind names, then the longest that is not yet `spent`.
    fn next_to_cut(&self, spent: &[usize]) -> Option<usize> {
        let rows = self.rows.iter().enumerate();
        let left = rows.filter(|(place, (_, value))| !spent.contains(place) && size(value) > 0);
        let next = left.min_by_key(|(_, (key, value))| (key.cut_first.unwrap_or(usize::MAX), Reverse(size(value))));
        next.map(|(place, _)| place)
    }

    /// Cuts one value until the record's line, `length` bytes long before, fits; as far as to the mark alone. Returns
    /// the new length.
    fn shorten(
        &mut self,
        place: usize,
        length: usize,
        max: usize,
        mut write: impl FnMut(&Record<'_>) -> usize,
    ) -> usize {
        let whole = mem::replace(&mut self.rows[place].1, Value::Absent);
        self.rows[place].1 = cut(&whole, 0);
        let least = write(self);
        let Some(room) = max.checked_sub(least) else { return least };
        // As if every part of it took as much of the line as the whole does.
        let cost = (length + MARK.len()).saturating_sub(least).max(1);
        let mut keep = size(&whole).saturating_mul(room) / cost;
        for _ in 0..MAX_ROUNDS {
            self.rows[place].1 = cut(&whole, keep);
            let length = write(self);
            if length <= max {
                return length;
            }
            keep = keep.saturating_sub(length - max);
        }
        self.rows[place].1 = cut(&whole, 0);
        write(self)
    }
}

/// How many bytes of a value can be cut; 0 of a number. Each of several texts counts for one more.
fn size(value: &Value<'_>) -> usize {
    match value {
        Value::List(texts) => texts.iter().map(|text| text.len() + 1).sum(),
        value => value.text().map_or(0, |text| text.len()),
    }
}

/// What is left of a value when `keep` bytes of it are kept, and a mark.
fn cut<'a>(value: &Value<'a>, keep: usize) -> Value<'a> {
    match value {
        Value::List(texts) => Value::List(outer(texts, keep)),
        value => Value::Str(Cow::Owned(ends(&value.text().unwrap_or_default(), keep))),
    }
}

/// The first and the last of `texts`, with a mark between them.
fn outer<'a>(texts: &[&'a [u8]], keep: usize) -> Vec<&'a [u8]> {
    let mut left = keep;
    let mut take = |reserve: usize, text: &[u8]| {
        let size = text.len() + 1;
        let fits = size + reserve <= left;
        left -= if fits { size } else { 0 };
        fits
    };
    // The head leaves the tail half of the room; the tail takes what the head left.
    let head = texts.iter().take_while(|text| take(keep / 2, text)).count();
    let tail = texts[head..].iter().rev().take_while(|text| take(0, text)).count();
    [&texts[..head], &[MARK.as_bytes()], &texts[texts.len() - tail..]].concat()
}

/// The head and the tail of `text`, with a mark between them.
fn ends(text: &str, keep: usize) -> String {
    let head = text.floor_char_boundary(keep / 2);
    let tail = text.ceil_char_boundary(text.len().saturating_sub(keep - head).max(head));
    format!("{}{MARK}{}", &text[..head], &text[tail..])
}

#[cfg(test)]
mod tests {
    use super::super::shape::Key;
    use super::*;
    use crate::encode::Encoding;

    fn line(out: &mut Vec<u8>, record: &mut Record<'_>, cut: bool, max: usize, encoding: &Encoding) {
        super::line(out, record, cut, max, |out, record| encoding.line(out, record));
    }

    fn record<'a>(rows: Vec<(&'static str, Value<'a>)>) -> Record<'a> {
        let key = |name: &'static str| -> &'static Key {
            let cut_first = ["command", "args"].iter().position(|first| *first == name);
            Box::leak(Box::new(Key::new(vec![name.into()], cut_first)))
        };
        let rows = rows.into_iter().map(|(name, value)| (key(name), value)).collect();
        Record { rows, cut_mark: key("command_truncated") }
    }

    fn cut(text: &str, max: usize) -> (String, usize) {
        let mut record = record(vec![
            ("user", Value::Str("alice".into())),
            ("command", Value::Bytes(text.as_bytes())),
            ("Computer", Value::Str("host".into())),
        ]);
        let mut out = Vec::new();
        line(&mut out, &mut record, false, max, &Encoding::Json);
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        (value["command"].as_str().unwrap().to_owned(), out.len())
    }

    #[test]
    fn a_line_that_fits_is_untouched_and_one_byte_more_is_cut() {
        let text = "x".repeat(1000);
        let (_, whole) = cut(&text, 0);
        assert_eq!(cut(&text, whole), (text.clone(), whole));
        let (short, length) = cut(&text, whole - 1);
        assert!(short.contains(MARK) && length < whole);
    }

    #[test]
    fn head_and_tail_stay_and_the_room_is_used() {
        let text = format!("/usr/bin/java {} com.example.Main", "-cp x ".repeat(2000));
        let (short, length) = cut(&text, 1024);
        assert!(short.starts_with("/usr/bin/java -cp") && short.ends_with("com.example.Main"), "{short}");
        assert_eq!(length, 1024);
        let (head, tail) = short.split_once(MARK).unwrap();
        assert!(head.len().abs_diff(tail.len()) <= 1);
    }

    #[test]
    fn what_json_escapes_is_counted_as_it_is_written() {
        for text in ["\x01".repeat(9000), "\"\\".repeat(900), "é€😀".repeat(900), "\x7f\u{9b}".repeat(900)] {
            let (short, length) = cut(&text, 1024);
            assert!(length <= 1024 && length > 1024 - 24, "{length} for {:?}", &text[..4]);
            assert!(short.chars().filter(|c| !MARK.contains(*c)).all(|c| text.contains(c)));
        }
    }

    #[test]
    fn the_longest_string_is_next_when_the_command_was_not_enough() {
        let long = "u".repeat(5000);
        let mut record = record(vec![
            ("user", Value::Str(long.as_str().into())),
            ("command", Value::Bytes(b"cat")),
            ("pid", Value::Int(7)),
        ]);
        let mut out = Vec::new();
        line(&mut out, &mut record, false, 1024, &Encoding::Json);
        assert_eq!(out.len(), 1024);
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["command"], "…");
        assert_eq!(value["command_truncated"], true);
    }

    #[test]
    fn arguments_give_up_those_in_the_middle() {
        let words: Vec<String> = (0..500).map(|place| format!("word\"{place}")).collect();
        let args: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
        let mut record = record(vec![("command", Value::Bytes(b"cat")), ("args", Value::List(args))]);
        let mut out = Vec::new();
        line(&mut out, &mut record, false, 1024, &Encoding::Json);
        assert!(out.len() <= 1024 && out.len() > 1024 - 30, "{}", out.len());
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let kept = value["args"].as_array().unwrap();
        assert_eq!((&kept[0], kept.last().unwrap()), (&"word\"0".into(), &"word\"499".into()));
        assert_eq!(kept.iter().filter(|word| *word == "…").count(), 1);
    }

    #[test]
    fn a_command_that_was_cut_when_read_says_so_without_a_limit() {
        let mut record = record(vec![("command", Value::Bytes(b"a\xe2\x80\xa6b"))]);
        let mut out = Vec::new();
        line(&mut out, &mut record, true, 0, &Encoding::Json);
        assert_eq!(out, "{\"command\":\"a…b\",\"command_truncated\":true}\n".as_bytes());
        let mut without = self::record(vec![("pid", Value::Int(7))]);
        line(&mut out, &mut without, true, 0, &Encoding::Json);
        assert_eq!(out, b"{\"pid\":7}\n");
    }

    #[test]
    fn a_csv_row_is_within_its_limit_too() {
        let columns: Vec<String> = ["command", "args", "pid", "command_truncated"].map(String::from).to_vec();
        let encoding = Encoding::Csv { columns, head: true };
        for word in ["x", "\"", "a,b", "é\n", "\\", "\x01\"\t", "\x7f\u{9b}", "\r\n"] {
            let long = word.repeat(3000);
            let args: Vec<&[u8]> = vec![word.as_bytes(); 2000];
            let mut record = record(vec![
                ("command", Value::Bytes(long.as_bytes())),
                ("args", Value::List(args)),
                ("pid", Value::Int(7)),
            ]);
            let mut out = Vec::new();
            line(&mut out, &mut record, false, 1024, &encoding);
            let shown = String::from_utf8_lossy(&out);
            assert!(out.len() <= 1024 && out.ends_with(b",7,true\n"), "{word:?}: {shown}");
            assert!(!shown.trim_end_matches('\n').contains(char::is_control), "{word:?}: {shown}");
            // Where the command alone is cut, all but a character's room is used.
            let mut record = self::record(vec![("command", Value::Bytes(long.as_bytes())), ("pid", Value::Int(7))]);
            line(&mut out, &mut record, false, 1024, &encoding);
            assert!(out.len() <= 1024 && out.len() > 1024 - 12, "{word:?}: {} bytes", out.len());
        }
    }
}
