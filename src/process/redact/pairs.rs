//! Keys and their values in one piece of text: `key=value`, `Key: value`, queries, connection strings. Where a value ends
//! depends on what is around its key. `literals` has the values in quotes.

use std::ops::Range;

use memchr::{memchr, memmem};

use super::keys::{Place, Verdict, is_key_byte};
use super::scan::{Class, Scan, class};
use super::state::Pending;
use super::values::{is_like_a_password, is_prose, is_random};

/// How many blanks may be between a key and its sign.
pub const BLANKS_MAX: usize = 8;

impl Scan<'_> {
    /// Looks at what follows the bytes of a key. Returns where to continue.
    pub fn key_run(&mut self, start: usize, end: usize) -> usize {
        if let Some(next) = self.token(start, end) {
            return next;
        }
        let next = match self.byte(end) {
            Some(b'=') => self.equals(start, end, end + 1),
            Some(b':') => self.colon(start, end),
            Some(b'[') if self.text[end..self.end].starts_with(b"[]=") => self.equals(start, end, end + 3),
            Some(b']') if self.byte(end + 1) == Some(b'=') && self.before(start) == Some(b'[') => {
                self.equals(start, end, end + 2)
            }
            Some(b'>') if self.before(start) == Some(b'<') => self.element(start, end),
            Some(b' ') if self.top() > 0 => self.spaced(start, end),
            _ => None,
        };
        next.unwrap_or(end)
    }

    /// The byte at `at`, within the argument.
    pub fn byte(&self, at: usize) -> Option<u8> {
        self.text[..self.end].get(at).copied()
    }

    /// The byte before `at`, within the frame.
    fn before(&mut self, at: usize) -> Option<u8> {
        let top = self.top();
        let start = self.frame(top).start;
        at.checked_sub(1).filter(|before| *before >= start).map(|before| self.text[before])
    }

    /// Whether the key begins the frame: then blanks are a part of its value. `--set=key=value` begins it, too.
    fn leads(&mut self, start: usize) -> bool {
        let top = self.top();
        let first = self.frame(top).start;
        let word = self.word_start;
        word == first
            && (start == first || start == first + 1 && self.text[first] == b'/' || self.before(start) == Some(b'='))
    }

    /// `key=value`.
    fn equals(&mut self, start: usize, end: usize, value: usize) -> Option<usize> {
        let is_flag = self.text[start] == b'-';
        let before = self.before(start);
        let is_query = matches!(before, Some(b'?' | b'&'));
        let leads = self.leads(start);
        if before == Some(b'/') && !leads || self.plain_equals == value {
            return None;
        }
        let mut key = self.without_dashes(start..end);
        let place = if is_flag { Place::Flag } else { Place::Variable };
        let defines = key.start == start + 1 && key.len() > 2 && self.text[key.start] == b'D';
        if defines {
            key.start += 1;
        }
        let mut verdict = self.verdict(&key, place);
        if before == Some(b',') && verdict.is_harmless() {
            verdict = self.in_list(&key, start);
        }
        if self.rules.name_keys.has(&self.folded[key.clone()]) {
            let limit =
                value + self.text[value..self.end].iter().take(96).take_while(|byte| is_key_byte(**byte)).count();
            self.named = self.verdict(&(value..limit), Place::Variable);
        }
        if defines && self.byte(value).is_some_and(|byte| byte.is_ascii_digit()) && value + 1 >= self.end {
            return None;
        }
        if is_query && verdict.is_harmless() | (verdict == Verdict::Weak) {
            let name = &self.folded[key.clone()];
            if !self.rules.query_keys.has(name) {
                return None;
            }
            verdict = if name == b"sig" { Verdict::Secret } else { Verdict::Weak };
        }
        if verdict.is_harmless() {
            return None;
        }
        // `key=>"value"`, `key=="value"`.
        let arrow = matches!(self.byte(value), Some(b'>')) && self.byte(value.saturating_sub(1)) == Some(b'=');
        if arrow {
            return self.literal(value + 1, verdict);
        }
        let top = self.top();
        let is_script = self.frame(top).is_script;
        let limit = if is_query {
            self.query_end(value)
        } else if leads && !is_script {
            if is_flag || is_variable(&self.text[key]) {
                self.frame_end(top, value)
            } else {
                let limit = self.frame_end(top, value);
                self.list_end(value, limit)
            }
        } else if before == Some(b';') && !is_script {
            let limit = self.frame_end(top, value);
            let end = memchr(b';', &self.text[value..limit]).map_or(limit, |at| value + at);
            self.looks += end - value;
            end
        } else if before == Some(b',') {
            let limit = self.word_end(value);
            self.list_end(value, limit)
        } else {
            self.word_end(value)
        };
        if class(self.text[value.min(self.end - 1)]) == Class::Quote && value < limit {
            // `key="none"}` in an expression.
            let quote = self.text[value];
            let close = self.text[value + 1..limit].iter().take(32).position(|byte| *byte == quote);
            if close
                .is_some_and(|close| self.rules.values.is_harmless(&self.text[value + 1..value + 1 + close], verdict))
            {
                return None;
            }
        }
        self.hide_value(value..limit, verdict)
    }

    /// What a key in a list says: `host=h,u=user,p=S`, `name=DB_PASSWORD,value=S`.
    fn in_list(&mut self, key: &Range<usize>, start: usize) -> Verdict {
        let name = &self.folded[key.clone()];
        let before = &self.folded[self.word_start.max(start.saturating_sub(128))..start];
        let has_user =
            || [b"u=".as_slice(), b"user=", b"username="].iter().any(|user| memmem::find(before, user).is_some());
        if name == b"p" && has_user() {
            return Verdict::Secret;
        }
        let named = if self.rules.value_keys.has(name) { self.named } else { Verdict::Harmless };
        self.named = Verdict::Harmless;
        named
    }

    /// `Key: value`, `key:value`, `scheme://`, `user:S@host`.
    fn colon(&mut self, start: usize, end: usize) -> Option<usize> {
        let rest = &self.text[end + 1..self.end];
        if rest.starts_with(b"//") {
            return self.url(end + 3);
        }
        if rest.starts_with(b"\\/\\/") {
            return self.url(end + 5);
        }
        if let Some(next) = self.credentials(start, end) {
            return Some(next);
        }
        let leads = self.leads(start);
        let before = self.before(start);
        let key = self.without_dashes(start..end);
        let verdict = self.verdict(&key, Place::Colon);
        // `/password:S`, as programs for Windows have their flags.
        let is_slash_flag = start == self.word_start + 1 && self.is_password(&key);
        let is_part = before == Some(b':') || before == Some(b'/') && !leads && !is_slash_flag;
        if verdict.is_harmless() || is_part {
            // `user:S` and `domain/user:S`, if `S` looks like a password.
            let is_user = start == self.word_start
                || self.text[self.word_start..start].iter().all(|byte| is_key_byte(*byte) || *byte == b'/');
            if !is_user || self.text[start] == b'-' {
                return None;
            }
            let limit = self.word_end(end + 1);
            return is_like_a_password(&self.text[end + 1..limit]).then(|| self.hide(end + 1..limit));
        }
        let blanks = rest.iter().take(BLANKS_MAX).take_while(|byte| class(**byte) == Class::Blank).count();
        let value = end + 1 + blanks;
        let top = self.top();
        if value >= self.end {
            // `Key:` and its value are two arguments.
            // `Password:` is a text, and `X-Api-Key:` a header.
            let is_header =
                self.text[key].iter().any(|byte| matches!(byte, b'-' | b'_')) || verdict == Verdict::Authorization;
            if let Some(line) = self.outer_line().filter(|_| is_header && blanks == 0) {
                line.pending = Pending::Header(verdict);
            }
            return None;
        }
        if blanks == 0 && !self.may_follow_colon(&key, value, verdict) {
            return None;
        }
        if blanks > 0 && !leads {
            if !self.frame(top).line.searches {
                self.frame(top).line.pending = Pending::Header(verdict);
            }
            return Some(end + 1);
        }
        let is_bare = leads || start == self.word_start;
        if blanks == 0 && is_bare && self.text[start] != b'-' && !self.is_password(&key) {
            // `token:x` may be an image, a namespace or the key of a cache.
            let limit = self.word_end(value);
            let has_capital = self.text[key].iter().any(u8::is_ascii_uppercase) || before == Some(b'=');
            if !has_capital && !is_random(&self.text[value..limit]) && !is_like_a_password(&self.text[value..limit]) {
                return None;
            }
        }
        if !leads {
            let limit = self.word_end(value);
            return self.hide_value(value..limit, verdict);
        }
        if matches!(self.text[value], b'{' | b'[') || blanks > 0 && class(self.text[value]) == Class::Quote {
            return self.literal(value, verdict);
        }
        let limit = self.frame_end(top, value);
        let limit = memchr(b'\n', &self.text[value..limit]).map_or(limit, |at| value + at);
        let is_script = self.frame(top).is_script;
        let limit = if is_script && blanks == 0 { self.word_end(value) } else { limit };
        if verdict == Verdict::Authorization && self.after_scheme(&(value..limit)) == limit {
            if let Some(line) = self.outer_line() {
                line.pending = Pending::Header(Verdict::Secret);
            }
            return None;
        }
        if blanks > 0 && verdict != Verdict::Authorization && is_prose(&self.text[value..limit]) {
            return None;
        }
        self.hide_value(value..limit, verdict)
    }

    /// Whether a key ends in a word for passwords.
    fn is_password(&self, key: &Range<usize>) -> bool {
        let key = &self.folded[key.clone()];
        self.rules.keys.is_further(key)
            || [b"password".as_slice(), b"passwd", b"pass", b"pwd", b"passphrase", b"authorization"]
                .iter()
                .any(|word| key.ends_with(word))
    }

    /// Whether a value may follow a colon directly. `secret::Store`, `secret:/run/secret` and `token://` are no pairs.
    fn may_follow_colon(&self, key: &Range<usize>, value: usize, verdict: Verdict) -> bool {
        let rest = &self.text[value..self.end];
        match rest.first() {
            Some(b':') => {
                // `password::x` may have a value that begins with a colon, `secret::Store::open` is code.
                let length = rest[1..].iter().take(96).take_while(|byte| is_key_byte(**byte)).count();
                let is_code = rest.get(length + 1).is_some_and(|byte| matches!(byte, b':' | b'(' | b'<'));
                self.is_password(key) && !is_code || !rest.get(1).is_some_and(u8::is_ascii_alphabetic)
            }
            Some(b'/') => {
                let length = rest.iter().take(128).take_while(|byte| is_key_byte(**byte) || **byte == b'/').count();
                !self.rules.values.is_file(&rest[..length]) && (key.len() > 2 || verdict == Verdict::Secret)
            }
            _ => true,
        }
    }

    /// The end of a value in the query of a URL.
    fn query_end(&mut self, start: usize) -> usize {
        let is_end = |byte: &u8| {
            matches!(byte, b'&' | b';' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'\\' | b'\n')
                || class(*byte) == Class::Blank
        };
        let text = &self.text[start..self.end];
        let end = start + text.iter().position(is_end).unwrap_or(text.len());
        self.looks += end - start;
        end
    }

    /// The end of a value in a list of pairs: at a `;`, `&` or `,` before another key.
    fn list_end(&mut self, start: usize, limit: usize) -> usize {
        let mut at = start;
        while at < limit {
            match self.text[at] {
                b';' | b'&' | b',' => {
                    let rest = &self.text[at + 1..limit];
                    let key = rest.iter().take(64).take_while(|byte| is_key_byte(**byte) || **byte == b' ').count();
                    if rest.is_empty() || key > 0 && rest.get(key) == Some(&b'=') {
                        break;
                    }
                    at += 1 + key;
                }
                _ => at += 1,
            }
        }
        let end = at.min(limit);
        self.looks += end - start;
        end
    }
}

/// Whether a key is written like a variable of the environment: a `&` is then a part of its value.
fn is_variable(key: &[u8]) -> bool {
    key.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
}
