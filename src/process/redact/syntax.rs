//! The syntax of an argument: words, quotes, keys, and the ends of their values. Every function is pure, and ranges
//! refer to `text`. No byte sequence makes one panic.

use std::ops::Range;

use super::words::is_key_byte;

/// The key that ends at `end`, without leading dashes, and whether it is quoted.
pub fn key(text: &[u8], start: usize, end: usize) -> Option<(Range<usize>, bool)> {
    let quoted = end > start && matches!(text[end - 1], b'"' | b'\'');
    let mut end = end - usize::from(quoted);
    while quoted && end > start && text[end - 1] == b'\\' {
        end -= 1;
    }
    let length = text[start..end].iter().rev().take_while(|byte| is_key_byte(**byte)).count();
    let key = without_dashes(text, &(end - length..end));
    (!key.is_empty()).then_some((key, quoted))
}

/// The end of an unquoted value: at a `;`, `&` or `,` before another key. Inside a connection string or a URL, any `;`
/// or `&` ends it.
pub fn value_end(text: &[u8], start: usize, limit: usize, leading: bool) -> usize {
    let mut at = start;
    while at < limit {
        match text[at] {
            b';' | b'&' if !leading => return at,
            b';' | b'&' | b',' => {
                let rest = &text[at + 1..limit];
                let key = rest.iter().take_while(|byte| is_key_byte(**byte) || **byte == b' ').count();
                if rest.is_empty() || key > 0 && rest.get(key) == Some(&b'=') {
                    return at;
                }
                at += 1 + key;
            }
            b'\\' => at += 2,
            quote @ (b'"' | b'\'') => at = closing(text, quote, at, limit).unwrap_or(at) + 1,
            _ => at += 1,
        }
    }
    limit
}

/// A value in JSON: the text in its quotes, or a number. An object or a list has no value here, but its members have.
pub fn quoted_value(text: &[u8], start: usize, limit: usize) -> Range<usize> {
    let start = after_blanks(text, start, limit);
    let value = &text[start..limit];
    let escapes = value.iter().take_while(|byte| **byte == b'\\').count();
    match value.get(escapes) {
        Some(quote @ (b'"' | b'\'')) => {
            let inside = start + escapes + 1;
            let mut slashes = 0;
            for (at, byte) in (inside..limit).zip(&text[inside..limit]) {
                if byte == quote && (slashes == escapes || escapes == 0 && slashes % 2 == 0) {
                    return inside..at - escapes;
                }
                slashes = if *byte == b'\\' { slashes + 1 } else { 0 };
            }
            inside..limit
        }
        Some(b'{' | b'[') => start..start,
        _ => {
            let end = value.iter().position(|byte| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace());
            start..start + end.unwrap_or(value.len())
        }
    }
}

/// The words of a script, separated by blanks outside quotes. Operators at the end of a word are a separate word.
pub fn split(text: &[u8], unit: &Range<usize>) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut at = after_blanks(text, unit.start, unit.end);
    while at < unit.end {
        let start = at;
        while at < unit.end && !text[at].is_ascii_whitespace() {
            at = match text[at] {
                b'\\' => at + 2,
                quote @ (b'"' | b'\'') => closing(text, quote, at, unit.end).unwrap_or(at) + 1,
                _ => at + 1,
            };
        }
        at = at.min(unit.end);
        let operators = text[start..at].iter().rev().take_while(|byte| matches!(byte, b';' | b'|' | b'&')).count();
        let parts = [start..at - operators, at - operators..at];
        words.extend(parts.into_iter().filter(|part| !part.is_empty()));
        at = after_blanks(text, at, unit.end);
    }
    words
}

/// The position after the blanks at `start`.
pub fn after_blanks(text: &[u8], start: usize, limit: usize) -> usize {
    start + text[start..limit].iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// The word without its leading dashes.
pub fn without_dashes(text: &[u8], word: &Range<usize>) -> Range<usize> {
    word.start + text[word.clone()].iter().take_while(|byte| **byte == b'-').count()..word.end
}

/// The word without the quotes around it.
pub fn without_quotes(text: &[u8], word: Range<usize>) -> Range<usize> {
    match &text[word.clone()] {
        [first @ (b'"' | b'\''), .., last] if first == last => word.start + 1..word.end - 1,
        _ => word,
    }
}

/// The position of the quote that closes the one at `open`. None if there is no such quote.
pub fn closing(text: &[u8], quote: u8, open: usize, limit: usize) -> Option<usize> {
    let mut at = open + 1;
    while at < limit {
        match text[at] {
            b'\\' if quote == b'"' => at += 2,
            byte if byte == quote => return Some(at),
            _ => at += 1,
        }
    }
    None
}
