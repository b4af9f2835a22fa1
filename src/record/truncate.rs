//! Truncates records, so that no encoded line is longer than the user allows. A long text loses its middle, because its
//! ends are the most useful: a Java main class comes after its class path.
//!
//! This file does not know how long a text is in an encoding. It knows only that no encoding makes a text shorter.

use std::borrow::Cow;
use std::cmp::Reverse;

use super::layout::Record;
use super::value::Value;

/// Replaces what was removed.
const MARK: &str = "…";

/// After how many attempts nothing of a text is kept. The first attempt is exact if nothing is escaped.
const MAX_ROUNDS: usize = 8;

/// Writes the record into `line` with `encode`, which appends it. `line` is cleared first, and becomes at most `max`
/// bytes long. 0 means no limit.
///
/// If a record is too long, the fields that its kind names are truncated first, whatever a schema calls them. Then the
/// longest text is truncated, and so on. The record gets the kind's mark. It also gets the mark if one of the first
/// fields was already `cut` when it was read.
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
    // A field that was truncated may have been read only for a filter.
    record.is_cut = cut && record.keys().any(|key| key.cut_first.is_some());
    let mut length = write(record);
    if max == 0 || length <= max {
        return;
    }
    if !record.is_cut {
        record.is_cut = true;
        length = write(record);
    }
    while length > max {
        let Some((place, value)) = record.next_to_cut() else { return };
        length = record.shorten(place, &value, length, max, &mut write);
    }
}

impl<'a> Record<'a> {
    /// The value to truncate next, and its position: first those that the kind names, then the longest that is still
    /// whole.
    fn next_to_cut(&self) -> Option<(usize, Value<'a>)> {
        let is_whole = |place| self.shortened.iter().all(|(other, _)| *other != place);
        let left = self.places().filter(|(place, _, value)| is_whole(*place) && size(value) > 0);
        let next = left.min_by_key(|(_, key, value)| (key.cut_first.unwrap_or(usize::MAX), Reverse(size(value))));
        next.map(|(place, _, value)| (place, value))
    }

    /// Truncates the value at this position until the line fits, or until only the mark is left. `length` is the length
    /// of the line before. Returns the new length.
    fn shorten(
        &mut self,
        place: usize,
        whole: &Value<'a>,
        length: usize,
        max: usize,
        mut write: impl FnMut(&Self) -> usize,
    ) -> usize {
        self.shortened.push((place, Value::Absent));
        let mut write_with = |keep| {
            if let Some((_, value)) = self.shortened.last_mut() {
                *value = cut(whole, keep);
            }
            write(self)
        };
        let minimum = write_with(0);
        let Some(available) = max.checked_sub(minimum) else { return minimum };
        let (mut keep, mut cost) = (size(whole), (length + MARK.len()).saturating_sub(minimum));
        for _ in 0..MAX_ROUNDS {
            // This assumes that every part of the text takes the same share of the line.
            keep = keep.saturating_mul(available) / cost.max(1);
            let length = write_with(keep);
            if length <= max {
                return length;
            }
            cost = length - minimum;
        }
        write_with(0)
    }
}

/// How many bytes of a value can be removed: 0 for a number, and for what has no text. Each text of a list counts one more.
fn size(value: &Value<'_>) -> usize {
    match value {
        Value::List(texts) => texts.iter().map(|text| text.len() + 1).sum(),
        Value::Object(entries) => entries.iter().map(|(_, value)| size(value)).sum(),
        value => value.text().map_or(0, |text| text.len()),
    }
}

/// A value of which `keep` bytes are kept, and a mark.
fn cut<'a>(value: &Value<'a>, keep: usize) -> Value<'a> {
    match value {
        Value::List(texts) => Value::List(outer(texts, keep)),
        Value::Object(entries) => {
            // Each text keeps its share.
            let whole = size(value).max(1);
            let share = |text| keep.saturating_mul(size(text)) / whole;
            let cut = |value| if size(value) > 0 { cut(value, share(value)) } else { value.clone() };
            Value::Object(entries.iter().map(|(name, value)| (name.clone(), cut(value))).collect())
        }
        value => Value::Str(Cow::Owned(ends(&value.text().unwrap_or_default(), keep))),
    }
}

/// The first and the last of `texts`, and a mark between them.
fn outer<'a>(texts: &[&'a [u8]], keep: usize) -> Vec<&'a [u8]> {
    let mut left = keep;
    let mut take = |reserve: usize, text: &[u8]| {
        let size = text.len() + 1;
        let fits = size + reserve <= left;
        left -= if fits { size } else { 0 };
        fits
    };
    // The head leaves half of the bytes to the tail. The tail takes all that the head left.
    let head = texts.iter().take_while(|text| take(keep / 2, text)).count();
    let tail = texts[head..].iter().rev().take_while(|text| take(0, text)).count();
    [&texts[..head], &[MARK.as_bytes()], &texts[texts.len() - tail..]].concat()
}

/// The head and the tail of `text`, and a mark between them.
fn ends(text: &str, keep: usize) -> String {
    let is_boundary = |place: &usize| text.is_char_boundary(*place);
    let head = (0..=keep / 2).rfind(is_boundary).unwrap_or(0);
    let tail = text.len().saturating_sub(keep - head).max(head);
    let tail = (tail..=text.len()).find(is_boundary).unwrap_or(text.len());
    format!("{}{MARK}{}", &text[..head], &text[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_and_tail_stay_whole_characters() {
        for (text, keep, expected) in [
            ("abcdef", 0, "…"),
            ("abcdef", 1, "…f"),
            ("abcdef", 4, "ab…ef"),
            ("abcdef", 5, "ab…def"),
            ("éééé", 4, "é…é"),
            ("éééé", 3, "…é"),
            ("éééé", 5, "é…é"),
            ("😀😀", 7, "…😀"),
            ("ab", 9, "ab…"),
        ] {
            assert_eq!(ends(text, keep), expected, "{text} {keep}");
        }
    }

    #[test]
    fn of_several_texts_those_in_the_middle_go() {
        let texts: [&[u8]; 5] = [b"aa", b"b", b"", b"c", b"dddd"];
        for (keep, expected) in [(0, "…"), (5, "aa,…"), (8, "aa,…,dddd"), (10, "aa,b,…,dddd"), (99, "aa,b,,c,dddd,…")]
        {
            let kept = outer(&texts, keep).join(&b","[..]);
            assert_eq!(kept, expected.as_bytes(), "{keep}");
        }
    }
}
