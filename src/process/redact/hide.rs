//! Masks the secret part of a value, by its form or by what its key says, unless the value is no secret.

use std::ops::Range;

use memchr::{memchr, memmem, memrchr};

use super::keys::Verdict;
use super::programs::Form;
use super::scan::{Class, Scan, class};
use super::state::Pending;
use super::values::{is_expanded, is_like_a_password, is_port, is_random, is_unlike_a_name, without_quotes};
use super::words;

/// What the value of a key costs beside the bytes in it: about as much as looking at so many bytes.
const WORK_OF_VALUE: usize = 24;

impl Scan<'_> {
    /// Masks the secret part of a program's value.
    pub fn hide_form(&mut self, level: usize, value: Range<usize>, form: Form) -> Option<usize> {
        let inner = self.inside_quotes(&value);
        let text = &self.text[inner.clone()];
        let end = inner.end;
        let colon = |at: Option<usize>| at.map(|at| inner.start + at + 1..end);
        let part = match form {
            Form::Plain | Form::Skip => return None,
            Form::Password if memmem::find(text, b"://").is_some() => return None,
            Form::Token if !is_like_a_password(text) => return None,
            Form::Token | Form::Password => return self.hide_value(value, Verdict::SecretOrFile),
            Form::Key => {
                self.frame(level).line.pending = Pending::Key;
                return self.pending(level, value.start, false);
            }
            Form::Secret => {
                if is_port(text) && memchr(b':', text).is_some() {
                    return None;
                }
                return self.hide_value(value, Verdict::Secret);
            }
            // A URL has its own rule.
            Form::AfterColon if memmem::find(text, b"://").is_some() => None,
            Form::AfterColon
                if self.frame(level).line.letters & 1 << (b'A' & 63) != 0 && memchr(b':', text).is_none() =>
            {
                // HTTPie's `-A bearer -a TOKEN`.
                is_unlike_a_name(text).then_some(inner.clone())
            }
            Form::AfterColon => match memchr(b':', text) {
                Some(at) if text[at + 1..].starts_with(b"\\") || text.starts_with(b"/") => None,
                Some(at) if text.iter().all(|byte| byte.is_ascii_digit() || *byte == b':') && at > 0 => None,
                Some(at) => colon(Some(at)),
                None => is_random(text).then_some(inner.clone()),
            },
            Form::AfterLastColon => colon(memrchr(b':', text)),
            Form::AfterPercent => colon(memchr(b'%', text)),
            Form::AfterComma => colon(memchr(b',', text)),
            Form::AfterEquals => colon(memchr(b'=', text)),
            Form::AfterSlash => {
                let at_sign = memrchr(b'@', text).unwrap_or(text.len());
                let slash = memchr(b'/', &text[..at_sign]).filter(|slash| *slash > 0);
                slash.map(|slash| inner.start + slash + 1..inner.start + at_sign)
            }
        };
        let part = part.filter(|part| !is_expanded(&self.text[part.clone()]) && !part.is_empty())?;
        self.hide(part);
        Some(value.end)
    }

    /// Whether the value of a short flag may be a password: it is no port, file, protocol, socket or level.
    pub fn may_be_password(&self, value: &[u8]) -> bool {
        let value = without_quotes(value);
        let is_small = value.len() <= 5 && value.iter().all(u8::is_ascii_digit);
        let is_port = is_port(value) && (value.contains(&b':') || value.contains(&b',') || value.contains(&b'-'));
        !is_small
            && !is_port
            && memchr(b'/', &value[..value.len().min(256)]).is_none()
            && !self.rules.no_passwords.has(value)
    }

    /// Masks the secret after a user: `user:S`, `user%S`.
    pub fn hide_after_user(&mut self, value: Range<usize>) -> Option<usize> {
        let inner = self.inside_quotes(&value);
        let text = &self.text[inner.clone()];
        let mark = text.iter().take(128).position(|byte| matches!(byte, b':' | b'%')).filter(|mark| *mark > 0)?;
        let secret = &text[mark + 1..];
        let is_url = secret.starts_with(b"//");
        if is_url || is_port(secret) || !is_unlike_a_name(secret) || is_expanded(secret) {
            return None;
        }
        self.hide(inner.start + mark + 1..inner.end);
        Some(value.end)
    }

    /// Masks a value, unless it is no secret. A shell's variable is none, if a shell reads it.
    pub fn hide_value(&mut self, value: Range<usize>, verdict: Verdict) -> Option<usize> {
        self.looks += WORK_OF_VALUE;
        let text = &self.text[value.clone()];
        let inner = self.inside_quotes(&value);
        let in_script = self.top() > 1 || self.frame(1).is_script;
        if in_script && !text.starts_with(b"'") && is_expanded(text) {
            return None;
        }
        if verdict == Verdict::Weak {
            return self.hide_weak(value);
        }
        if self.rules.values.is_harmless(text, verdict) {
            return None;
        }
        let inside = &self.text[inner.clone()];
        for opening in words::OPENINGS.split_whitespace() {
            if inside.len() > opening.len() && inside.starts_with(opening.as_bytes()) {
                self.hide(inner.start + opening.len()..inner.end);
                return Some(value.end);
            }
        }
        if verdict == Verdict::Authorization {
            let credential = self.after_scheme(&inner);
            if credential == inner.end {
                return None;
            }
            self.hide(credential..inner.end);
            return Some(value.end);
        }
        Some(self.hide(value))
    }

    /// Masks `S` of `user:S`, and what looks random.
    fn hide_weak(&mut self, value: Range<usize>) -> Option<usize> {
        let inner = self.inside_quotes(&value);
        let text = &self.text[inner.clone()];
        let scheme = self.after_scheme(&inner);
        if scheme > inner.start && scheme < inner.end {
            self.hide(scheme..inner.end);
            return Some(value.end);
        }
        if let Some(colon) = memchr(b':', &text[..text.len().min(128)]) {
            let secret = &text[colon + 1..];
            let is_name = text[..colon].iter().all(|byte| matches!(class(*byte), Class::Key) || *byte == b'@');
            if colon > 0 && is_name && !secret.is_empty() && !secret.starts_with(b"//") && !is_port(secret) {
                self.hide(inner.start + colon + 1..inner.end);
                return Some(value.end);
            }
            return None;
        }
        if !is_random(text) && !is_like_a_password(text) || self.rules.values.is_file(text) {
            return None;
        }
        Some(self.hide(value))
    }

    /// Where the credential of an Authorization header begins. Its end if there is only a scheme.
    pub fn after_scheme(&self, value: &Range<usize>) -> usize {
        let text = &self.text[value.clone()];
        let scheme = text.iter().take(32).take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
        let blanks = text[scheme..].iter().take_while(|byte| class(**byte) == Class::Blank).count();
        let known = self.is_scheme(&(value.start..value.start + scheme));
        if known && (blanks > 0 || scheme == text.len()) || scheme > 0 && blanks > 0 && scheme + blanks < text.len() {
            value.start + scheme + blanks
        } else {
            value.start
        }
    }

    pub fn is_scheme(&self, word: &Range<usize>) -> bool {
        let word = without_quotes(&self.text[word.clone()]);
        word.len() < 24 && self.rules.schemes.has(&word.to_ascii_lowercase())
    }

    fn inside_quotes(&self, value: &Range<usize>) -> Range<usize> {
        let inner = without_quotes(&self.text[value.clone()]).len();
        let before = usize::from(inner < value.len());
        value.start + before..value.start + before + inner
    }
}
