//! Where a word, a quote or what is enclosed ends, seen from a position in it.

use memchr::memchr;

use super::keys::is_key_byte;
use super::scan::{Class, Frame, Scan, class};

impl Scan<'_> {
    /// The frame that this quote closes.
    pub fn level_of(&self, quote: u8, escapes: usize) -> Option<usize> {
        (1..self.depth).rev().find(|level| {
            let frame = &self.frames[*level];
            frame.quote == quote && frame.escapes == escapes
        })
    }

    /// Whether a quote at `at` ends a value: it closes an open frame.
    pub fn is_closing(&self, at: usize, escapes: usize) -> bool {
        self.level_of(self.text[at + escapes], escapes).is_some()
    }

    /// Where the content of a frame ends, seen from `at`.
    pub fn frame_end(&mut self, level: usize, at: usize) -> usize {
        let Frame { quote, escapes, .. } = self.frames[level];
        if quote == 0 { self.end } else { self.closing(at, quote, escapes).unwrap_or(self.end) }
    }

    /// Where the next such quote begins, its backslashes included.
    pub fn closing(&mut self, at: usize, quote: u8, escapes: usize) -> Option<usize> {
        let mut from = at;
        while let Some(offset) = memchr(quote, &self.text[from..self.end]) {
            let place = from + offset;
            let before = self.text[at..place].iter().rev().take_while(|byte| **byte == b'\\').count();
            self.looks += offset + before + 1;
            // Two backslashes before a plain quote are one backslash, but in single quotes they are as they are.
            if before == escapes || escapes == 0 && before % 2 == 0 || quote == b'\'' && escapes == 0 {
                return Some(place - if before == escapes { escapes } else { 0 });
            }
            from = place + 1;
        }
        self.looks += self.end - from;
        None
    }

    /// Where a word ends, seen from its beginning or from a value in it.
    pub fn word_end(&mut self, start: usize) -> usize {
        if start < self.covered {
            return self.covered.min(self.end);
        }
        let mut at = start;
        let mut no_closing = [false; 2];
        while at < self.end {
            match class(self.text[at]) {
                Class::Blank => break,
                Class::Operator if self.ends_word(at) => break,
                Class::Quote | Class::Backslash => {
                    let escapes = self.text[at..self.end].iter().take_while(|byte| **byte == b'\\').count();
                    let Some(quote) = self.text[..self.end].get(at + escapes).filter(|b| class(**b) == Class::Quote)
                    else {
                        at += (escapes + 1).max(1);
                        continue;
                    };
                    if self.is_closing(at, escapes) {
                        break;
                    }
                    let next = at + escapes + 1;
                    let none = &mut no_closing[usize::from(*quote == b'"')];
                    let closing = if *none { None } else { self.closing(next, *quote, escapes) };
                    let none = &mut no_closing[usize::from(*quote == b'"')];
                    *none |= closing.is_none();
                    at = closing.map_or(next, |closing| closing + escapes + 1);
                }
                _ => at += 1,
            }
        }
        let end = at.min(self.end);
        self.looks += end - start;
        end
    }

    /// Whether the shell's operator at `at` ends a value. Outside scripts, it may as well be a part of it.
    fn ends_word(&self, at: usize) -> bool {
        let frame = &self.frames[self.depth - 1];
        let byte = self.text[at];
        match byte {
            b'\n' => true,
            b'(' => false,
            b')' | b'`' => frame.outside.is_some_and(|outside| outside.closing == byte),
            _ if frame.is_script => true,
            _ => {
                let rest = &self.text[at + 1..self.end];
                let key = rest.iter().take(64).take_while(|byte| is_key_byte(**byte)).count();
                match rest.first() {
                    None => true,
                    Some(next) if *next == byte || class(*next) == Class::Blank => true,
                    Some(_) => key > 0 && rest.get(key) == Some(&b'='),
                }
            }
        }
    }
}
