//! Values in JSON, in XML and in the source of programs: a text in quotes, a list of them, or a word, after a key that may be
//! in quotes, too.

use std::ops::Range;

use memchr::memchr;

use super::keys::{Place, Verdict, is_key_byte};
use super::pairs::BLANKS_MAX;
use super::scan::{Class, Scan, class};

impl Scan<'_> {
    /// `key = "value"`, `key => value`, `key : value`.
    pub fn spaced(&mut self, start: usize, end: usize) -> Option<usize> {
        let rest = &self.text[end..self.end];
        let blanks = rest.iter().take(BLANKS_MAX).take_while(|byte| class(**byte) == Class::Blank).count();
        let sign = match &rest[blanks..] {
            [b'=', b'>', ..] => 2,
            [b'=' | b':', next, ..] if class(*next) == Class::Blank || class(*next) == Class::Quote => 1,
            [b':', b'=', ..] => 2,
            _ => return None,
        };
        let key = self.without_dashes(start..end);
        let verdict = self.verdict(&key, Place::Variable);
        if verdict.is_harmless() || verdict == Verdict::Weak {
            return None;
        }
        let value = end + blanks + sign;
        let blanks =
            self.text[value..self.end].iter().take(BLANKS_MAX).take_while(|byte| class(**byte) == Class::Blank).count();
        let value = value + blanks;
        if value >= self.end || class(self.text[value]) == Class::Operator {
            return None;
        }
        if matches!(class(self.text[value]), Class::Quote | Class::Backslash) {
            return self.literal(value, verdict);
        }
        let limit = self.word_end(value);
        self.hide_value(value..limit, verdict)
    }

    /// Looks at what follows the quote that closed at `close`: a sign makes what was in the quotes a key.
    pub fn after_quote(&mut self, close: usize, next: usize) -> usize {
        let mut at = next + usize::from(self.byte(next) == Some(b']'));
        let blanks = self.text[at.min(self.end)..self.end].iter().take(BLANKS_MAX);
        at += blanks.take_while(|byte| class(**byte) == Class::Blank).count();
        let sign = match self.text[at.min(self.end)..self.end] {
            [b'=', b'>', ..] => 2,
            [b':', b':', ..] | [b'=', b'=', ..] => 0,
            [b':' | b'=', ..] => 1,
            // `define("DB_PASSWORD", "S")`.
            [b',', ..] if self.opens_call(close) => 1,
            _ => 0,
        };
        if sign == 0 {
            return next;
        }
        let length = self.text[..close].iter().rev().take(100).take_while(|byte| is_key_byte(**byte)).count();
        let key = self.without_dashes(close - length..close);
        let place = if self.text[at] == b':' { Place::Flag } else { Place::Variable };
        let name = &self.folded[key.clone()];
        let mut verdict = self.verdict(&key, place);
        if verdict.is_harmless() && self.rules.value_keys.has(name) {
            verdict = std::mem::replace(&mut self.named, Verdict::Harmless);
        } else if self.rules.name_keys.has(name) {
            let value = at + sign;
            let quotes = self.text[value..self.end]
                .iter()
                .take(BLANKS_MAX)
                .take_while(|byte| matches!(**byte, b' ' | b'"' | b'\'' | b'\\'));
            let value = value + quotes.count();
            let length = self.text[value..self.end].iter().take(96).take_while(|byte| is_key_byte(**byte)).count();
            self.named = self.verdict(&(value..value + length), Place::Variable);
        }
        if verdict.is_harmless() {
            return next;
        }
        self.literal(at + sign, verdict).unwrap_or(next)
    }

    /// Whether the text in quotes that ends at `close` is the first argument of a function.
    fn opens_call(&self, close: usize) -> bool {
        let length = self.text[..close].iter().rev().take(64).take_while(|byte| is_key_byte(**byte)).count();
        length > 0 && self.text[..close - length].ends_with(b"(\"") || self.text[..close - length].ends_with(b"('")
    }

    /// Masks a value in JSON or in a program's source: the text in its quotes, or a word. An object or a list has no value
    /// here, but its members have.
    pub fn literal(&mut self, start: usize, verdict: Verdict) -> Option<usize> {
        let blanks = self.text[start.min(self.end)..self.end].iter().take(BLANKS_MAX);
        let start = (start + blanks.take_while(|byte| class(**byte) == Class::Blank).count()).min(self.end);
        let escapes = self.text[start..self.end].iter().take_while(|byte| **byte == b'\\').count();
        let quote = self.byte(start + escapes)?;
        let (value, next) = if class(quote) == Class::Quote {
            let inside = start + escapes + 1;
            let end = self.closing(inside, quote, escapes);
            (inside..end.unwrap_or(self.end), end.map_or(self.end, |end| end + escapes + 1))
        } else if quote == b'[' {
            return self.list(start + 1, verdict);
        } else if matches!(quote, b'{' | b'(') {
            return None;
        } else {
            let is_end = |byte: &u8| {
                matches!(byte, b',' | b'}' | b']' | b')' | b'"' | b'\'' | b';' | b'\\') || class(*byte) == Class::Blank
            };
            let text = &self.text[start..self.end];
            let end = start + text.iter().position(is_end).unwrap_or(text.len());
            self.looks += end - start;
            (start..end, end)
        };
        self.hide_literal(value, verdict)?;
        Some(next)
    }

    /// Masks the texts of a list.
    fn list(&mut self, start: usize, verdict: Verdict) -> Option<usize> {
        let mut at = start;
        let mut next = None;
        loop {
            at += self.text[at..self.end]
                .iter()
                .take(64)
                .take_while(|byte| matches!(**byte, b' ' | b',' | b'\n'))
                .count();
            if !self.byte(at).is_some_and(|byte| matches!(class(byte), Class::Quote | Class::Backslash)) {
                return next;
            }
            at = self.literal(at, verdict)?;
            next = Some(at);
        }
    }

    /// Masks a value without its quotes.
    fn hide_literal(&mut self, value: Range<usize>, verdict: Verdict) -> Option<usize> {
        if value.is_empty() {
            return None;
        }
        self.hide_value(value, verdict)
    }

    /// `<key>value</key>`.
    pub fn element(&mut self, start: usize, end: usize) -> Option<usize> {
        let verdict = self.verdict(&(start..end), Place::Variable);
        if verdict.is_harmless() {
            return None;
        }
        let value = end + 1;
        let length = memchr(b'<', &self.text[value..self.end]).unwrap_or(self.end - value);
        self.looks += length;
        self.hide_literal(value..value + length, verdict)
    }
}
