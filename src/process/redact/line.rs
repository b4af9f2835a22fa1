//! The words of a line: each is a flag or an operand, or is what the words before it announced. `flags` and `operands` apply
//! the rules to these, and `hide` masks the secret part of a value.

use std::ops::Range;

use memchr::{memchr, memmem};

use super::keys::{Place, Verdict, is_key_byte};
use super::scan::{Class, Scan, class};
use super::state::Pending;
use super::values::{is_expanded, is_like_a_password, is_random, without_quotes};

/// What a word costs beside the bytes in it: about as much as looking at so many bytes.
const WORK_OF_WORD: usize = 12;

impl<'a> Scan<'a> {
    /// Applies the rules to the word at `at`, as a word of the line in this frame. Returns where to continue if it is
    /// masked.
    pub fn word_of(&mut self, level: usize, at: usize) -> Option<usize> {
        self.looks += WORK_OF_WORD;
        if level > 0 && self.is_redirection(at) {
            let is_apart = matches!(self.text[..self.end].get(self.head_end(at) - 1), Some(b'<' | b'>'));
            self.frame(level).line.pending = if is_apart { Pending::Skip } else { Pending::Nothing };
            return None;
        }
        let is_skipped = self.frame(level).line.pending == Pending::Skip;
        if let Some(next) = self.pending(level, at, false) {
            return Some(next);
        }
        if is_skipped {
            return None;
        }
        let head_end = self.head_end(at);
        self.looks += head_end - at;
        let head = &self.text[at..head_end];
        let is_outer = level < self.top();
        let is_whole = self.is_whole(is_outer, head_end);
        if !is_outer && is_whole && at == self.frame(level).start && level > 0 && self.ends_frame(head_end) {
            // The line of this frame has no other word.
            return None;
        }
        let is_fresh = std::mem::take(&mut self.frame(level).line.is_fresh);
        if is_fresh && !matches!(head, [b'-', ..]) {
            self.frame(level).line.is_fresh = true;
        }
        match head {
            [b'-' | b'+', _, ..] => self.flag(level, at, head_end, is_whole),
            [b'/', b'a'..=b'z'] | [b'/', b'a'..=b'z', b'a'..=b'z'] if is_whole => {
                self.flag(level, at, head_end, is_whole)
            }
            [b'/', _, ..] if memchr(b':', &head[..head.len().min(8)]).is_some() => {
                let (next, is_known) = self.program_flag(level, at, head_end, is_whole);
                if next.is_none() && !is_known { self.slash_flag(level, at, head_end) } else { next }
            }
            _ => self.operand(level, at, head_end, is_whole),
        }
    }

    /// The end of the part of a word that may be a flag or a program.
    pub fn head_end(&self, at: usize) -> usize {
        let is_head = |byte: &&u8| matches!(class(**byte), Class::Key | Class::Other) && **byte != b'=';
        at + self.text[at..self.end].iter().take_while(is_head).count()
    }

    /// Whether a script's word is a redirection: `2>file`, `>>`.
    fn is_redirection(&self, at: usize) -> bool {
        let word = &self.text[at..self.end.min(at + 4)];
        let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
        matches!(word.get(digits), Some(b'<' | b'>'))
    }

    /// Whether a word ends at `end`.
    pub fn is_whole(&self, is_outer: bool, end: usize) -> bool {
        end == self.end
            || match class(self.text[end]) {
                Class::Blank | Class::Operator => !is_outer,
                Class::Quote | Class::Backslash => self.ends_frame(end),
                _ => false,
            }
    }

    /// Whether the innermost frame ends at `at`.
    pub fn ends_frame(&self, at: usize) -> bool {
        let escapes = self.text[at..self.end].iter().take_while(|byte| **byte == b'\\').count();
        match self.text[..self.end].get(at + escapes) {
            None => escapes == 0,
            Some(quote) => class(*quote) == Class::Quote && self.is_closing(at, escapes),
        }
    }

    /// The end of a value at `at`, which is a word of the line in this frame.
    pub fn value_end(&mut self, level: usize, at: usize) -> usize {
        if level < self.top() { self.frame_end(level + 1, at) } else { self.word_end(at) }
    }

    /// Masks the word at `at` if the words before say that it is secret. `is_quote` says that it begins with a quote.
    pub fn pending(&mut self, level: usize, at: usize, is_quote: bool) -> Option<usize> {
        let pending = self.take_pending(level);
        if pending == Pending::Nothing {
            return None;
        }
        let is_flag = self.text[at] == b'-' && !matches!(pending, Pending::Header(_));
        if is_flag && !matches!(pending, Pending::Form(_)) {
            return None;
        }
        let value = at..self.value_end(level, at);
        let text = &self.text[value.clone()];
        match pending {
            Pending::Nothing => None,
            Pending::Value(verdict) | Pending::Header(verdict) => {
                if verdict == Verdict::Authorization && self.is_scheme(&value) {
                    self.frame(level).line.pending = Pending::Header(Verdict::Secret);
                    return None;
                }
                self.hide_value(value, verdict)
            }
            Pending::Quoted(verdict) => is_quote.then(|| self.hide_value(value, verdict)).flatten(),
            Pending::Form(form) => {
                // A flag follows, unless nothing can be a flag that looks like this.
                if is_flag && text.len() < 12 {
                    return None;
                }
                self.hide_form(level, value, form)
            }
            Pending::User => {
                if text.is_empty() || memmem::find(&text[..text.len().min(64)], b"://").is_some() {
                    return None;
                }
                self.user(level, value)
            }
            Pending::Pair => {
                let inner = without_quotes(text);
                let colon = memchr(b':', &inner[..inner.len().min(128)])?;
                if !is_like_a_password(&inner[colon + 1..]) {
                    return None;
                }
                self.hide_after_user(value)
            }
            Pending::Skip => None,
            Pending::Token => {
                let inner = without_quotes(text);
                let is_token = is_random(inner)
                    && inner.iter().all(u8::is_ascii_alphanumeric)
                    && inner.iter().any(u8::is_ascii_uppercase)
                    && inner.iter().any(u8::is_ascii_lowercase);
                (is_like_a_password(inner) || is_token).then(|| self.hide_value(value, Verdict::SecretOrFile)).flatten()
            }
            Pending::Password => {
                if !self.may_be_password(text) {
                    return None;
                }
                self.frame(level).line.has_user = false;
                self.hide_value(value, Verdict::SecretOrFile)
            }
            Pending::Candidate => {
                if !self.may_be_password(text) || is_expanded(text) {
                    return None;
                }
                let inner = without_quotes(text);
                if is_like_a_password(inner) {
                    return self.hide_value(value, Verdict::SecretOrFile);
                }
                self.frame(level).line.candidate = (value.start, value.end);
                None
            }
            Pending::Key => {
                let key = self.without_dashes(value);
                let verdict = self.verdict(&key, Place::Variable);
                if !verdict.is_harmless() {
                    self.frame(level).line.pending = Pending::Header(verdict);
                }
                None
            }
            Pending::Credential => {
                let has_digit = text.iter().take(64).any(u8::is_ascii_digit);
                (text.len() >= 8 && has_digit).then(|| self.hide_value(value, Verdict::Secret)).flatten()
            }
        }
    }

    /// A user. What was perhaps a password is one.
    pub fn user(&mut self, level: usize, value: Range<usize>) -> Option<usize> {
        let text = without_quotes(&self.text[value.clone()]);
        let is_name = |byte: &u8| is_key_byte(*byte) || matches!(byte, b'@' | b'\\' | b'+' | b'$');
        let name = text.iter().take(128).position(|byte| matches!(byte, b':' | b'%')).unwrap_or(text.len().min(128));
        if !text[..name].iter().all(is_name) {
            return None;
        }
        let has_mark = name < text.len();
        let next = self.hide_after_user(value);
        if has_mark && next.is_none() {
            return None;
        }
        let line = &mut self.frame(level).line;
        line.has_user = true;
        let (start, end) = std::mem::take(&mut line.candidate);
        if start < end {
            line.has_user = false;
            self.hide(start..end);
        }
        next
    }

    /// The word without its leading dashes.
    pub fn without_dashes(&self, word: Range<usize>) -> Range<usize> {
        word.start + self.text[word.clone()].iter().take_while(|byte| **byte == b'-').count()..word.end
    }

    /// What a key says about its value.
    pub fn verdict(&self, key: &Range<usize>, place: Place) -> Verdict {
        self.rules.keys.verdict(&self.text[key.clone()], &self.folded[key.clone()], place)
    }
}
