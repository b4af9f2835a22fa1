//! The size cap: a record's encoded line is never longer than the user allows. Long text gives up its middle, as its
//! ends say most: a Java main class stands after its class path.

use std::borrow::Cow;

use super::{COMMAND_FIELDS, Record, Value};
use crate::encode::Encoding;

const MARK: char = '…';

/// Writes the record's line into `line`, which is emptied first, at most `max` bytes long (0: no limit).
///
/// A record that is too long has its `command` cut, then its `args`, whatever a schema calls them, then its longest
/// string, and so on; it says so with `command_truncated`, as does one with a command that was `cut` when it was read.
pub fn line(line: &mut Vec<u8>, record: &mut Record<'_>, cut: bool, max: usize, encoding: &Encoding) {
    // A command line may have been read only for a filter's sake.
    let cut = cut && record.rows.iter().any(|(key, _)| COMMAND_FIELDS.contains(&key.field));
    if cut {
        record.mark_cut();
    }
    line.clear();
    encoding.line(line, record);
    if max == 0 || line.len() <= max {
        return;
    }
    if !cut {
        record.mark_cut();
    }
    let mut spent = Vec::new();
    loop {
        line.clear();
        encoding.line(line, record);
        let Some(excess) = line.len().checked_sub(max).filter(|excess| *excess > 0) else {
            return;
        };
        let Some(victim) = record.next_to_cut(&spent, encoding) else {
            return;
        };
        spent.push(victim);
        let value = &mut record.rows[victim].1;
        let room = cost(value, encoding).saturating_sub(excess);
        match value {
            Value::List(texts) => *texts = outer(texts, room, encoding),
            value => {
                if let Some(text) = value.text() {
                    *value = Value::Str(Cow::Owned(ends(&text, room, encoding)));
                }
            }
        }
    }
}

/// How many bytes what can be cut of a value takes; 0 of a number.
fn cost(value: &Value<'_>, encoding: &Encoding) -> usize {
    match value {
        Value::List(texts) => texts.iter().map(|text| encoding.element_cost(text)).sum(),
        value => value.text().map_or(0, |text| encoding.text_cost(&text)),
    }
}

impl Record<'_> {
    fn mark_cut(&mut self) {
        self.rows.push((self.cut_mark, Value::Bool(true)));
    }

    /// The place of the value to cut next: `command`, then `args`, then the longest that is not yet `spent`.
    fn next_to_cut(&self, spent: &[usize], encoding: &Encoding) -> Option<usize> {
        let left = || {
            let rows = self.rows.iter().enumerate();
            rows.filter(|(place, (_, value))| !spent.contains(place) && cost(value, encoding) > 0)
        };
        let named = |wanted| left().find(|(_, (key, _))| key.field == wanted);
        let longest = || left().max_by_key(|(_, (_, value))| cost(value, encoding));
        COMMAND_FIELDS.into_iter().find_map(named).or_else(longest).map(|(place, _)| place)
    }
}

/// The first and the last of `texts`, with a mark between them, that together cost at most `room`.
fn outer<'a>(texts: &[&'a [u8]], room: usize, encoding: &Encoding) -> Vec<&'a [u8]> {
    const MARK_ELEMENT: &[u8] = "…".as_bytes();
    let mut left = room.saturating_sub(encoding.element_cost(MARK_ELEMENT));
    let half = left / 2;
    let mut take = |keep: usize, text: &[u8]| {
        let price = encoding.element_cost(text);
        let fits = price + keep <= left;
        left -= if fits { price } else { 0 };
        fits
    };
    let head = texts.iter().take_while(|text| take(half, text)).count();
    let tail = texts[head..].iter().rev().take_while(|text| take(0, text)).count();
    [&texts[..head], &[MARK_ELEMENT], &texts[texts.len() - tail..]].concat()
}

/// The head and the tail of `text`, with a mark between them, that together cost at most `room`; the mark alone where
/// not even that fits.
fn ends(text: &str, room: usize, encoding: &Encoding) -> String {
    let room = room.saturating_sub(encoding.cost(MARK));
    let mut left = room;
    let mut take = |share: usize, c: char| {
        let price = encoding.cost(c);
        let fits = price + share <= left;
        left -= if fits { price } else { 0 };
        fits
    };
    // The head leaves the tail half of the room; the tail takes what the head left.
    let head: usize = text.chars().take_while(|c| take(room / 2, *c)).map(char::len_utf8).sum();
    let rest = &text[head..];
    let tail: usize = rest.chars().rev().take_while(|c| take(0, *c)).map(char::len_utf8).sum();
    format!("{}{MARK}{}", &text[..head], &rest[rest.len() - tail..])
}

#[cfg(test)]
mod tests {
    use super::super::shape::Key;
    use super::*;

    fn record<'a>(rows: Vec<(&'static str, Value<'a>)>) -> Record<'a> {
        let key = |name: &'static str| -> &'static Key { Box::leak(Box::new(Key::new(vec![name.into()], name))) };
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
            assert!(short.chars().filter(|c| *c != MARK).all(|c| text.contains(c)));
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
