//! The words of a line: which program runs, which of its flags and operands are secret, and which words announce a secret
//! in the next word. It knows the tables, and no program's name.

use std::ops::Range;

use memchr::{memchr, memmem, memrchr};

use super::keys::{Place, Verdict, is_key_byte};
use super::programs::{Form, Takes};
use super::scan::{Class, Scan, class};
use super::state::{Line, Pending};
use super::values::{is_expanded, is_like_a_password, is_port, is_random, is_unlike_a_name, without_quotes};
use super::words;

/// What a word, and the value of a key, cost beside the bytes in them: about as much as looking at so many bytes.
const WORK_OF_WORD: usize = 12;
const WORK_OF_VALUE: usize = 24;

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
    fn head_end(&self, at: usize) -> usize {
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
    fn is_whole(&self, is_outer: bool, end: usize) -> bool {
        end == self.end
            || match class(self.text[end]) {
                Class::Blank | Class::Operator => !is_outer,
                Class::Quote | Class::Backslash => self.ends_frame(end),
                _ => false,
            }
    }

    /// Whether the innermost frame ends at `at`.
    fn ends_frame(&self, at: usize) -> bool {
        let escapes = self.text[at..self.end].iter().take_while(|byte| **byte == b'\\').count();
        match self.text[..self.end].get(at + escapes) {
            None => escapes == 0,
            Some(quote) => class(*quote) == Class::Quote && self.is_closing(at, escapes),
        }
    }

    /// The end of a value at `at`, which is a word of the line in this frame.
    fn value_end(&mut self, level: usize, at: usize) -> usize {
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
    fn user(&mut self, level: usize, value: Range<usize>) -> Option<usize> {
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

    /// Masks the secret part of a program's value.
    fn hide_form(&mut self, level: usize, value: Range<usize>, form: Form) -> Option<usize> {
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
        let part = part.filter(|part| !is_expanded_in(self.text, part) && !part.is_empty())?;
        self.hide(part);
        Some(value.end)
    }

    /// Whether the value of a short flag may be a password: it is no port, file, protocol, socket or level.
    fn may_be_password(&self, value: &[u8]) -> bool {
        let value = without_quotes(value);
        let is_small = value.len() <= 5 && value.iter().all(u8::is_ascii_digit);
        let is_port = is_port(value) && (value.contains(&b':') || value.contains(&b',') || value.contains(&b'-'));
        !is_small
            && !is_port
            && memchr(b'/', &value[..value.len().min(256)]).is_none()
            && !self.rules.no_passwords.has(value)
    }

    /// Masks the secret after a user: `user:S`, `user%S`.
    fn hide_after_user(&mut self, value: Range<usize>) -> Option<usize> {
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

    fn is_scheme(&self, word: &Range<usize>) -> bool {
        let word = without_quotes(&self.text[word.clone()]);
        word.len() < 24 && self.rules.schemes.has(&word.to_ascii_lowercase())
    }

    fn inside_quotes(&self, value: &Range<usize>) -> Range<usize> {
        let inner = without_quotes(&self.text[value.clone()]).len();
        let before = usize::from(inner < value.len());
        value.start + before..value.start + before + inner
    }

    /// The word without its leading dashes.
    pub fn without_dashes(&self, word: Range<usize>) -> Range<usize> {
        word.start + self.text[word.clone()].iter().take_while(|byte| **byte == b'-').count()..word.end
    }

    /// What a key says about its value.
    pub fn verdict(&self, key: &Range<usize>, place: Place) -> Verdict {
        self.rules.keys.verdict(&self.text[key.clone()], &self.folded[key.clone()], place)
    }

    /// A flag. Its value may be secret for this program, for every program that has a user, or because of its name.
    fn flag(&mut self, level: usize, at: usize, head_end: usize, is_whole: bool) -> Option<usize> {
        let (next, is_known) = self.program_flag(level, at, head_end, is_whole);
        if next.is_some() {
            return next;
        }
        let rules = self.rules;
        let head = &self.text[at..head_end];
        let line = &mut self.frame(level).line;
        if let Some(program) = line.programs[0].filter(|_| is_whole) {
            for (counted, state) in program.operands.iter().zip(&mut line.counted) {
                state.0 += u8::from(counted.after.get(usize::from(state.0)) == Some(&head));
            }
        }
        line.names_next = is_whole && rules.naming_flags.has(head);
        if is_whole && head == b"--" && line.programs[0].is_some_and(|program| !program.runs.is_empty()) {
            *line = line.next_line();
        }
        if is_whole && rules.starters.has(head) {
            line.reads = false;
            line.searches = false;
        }
        if is_whole && rules.script_flags.has(head) {
            line.script_next = true;
        }
        if head.len() < 6 && head[0] == b'-' && head[1..].iter().all(u8::is_ascii_alphabetic) {
            line.letters |= head[1..].iter().fold(0, |bits, byte| bits | 1 << (byte & 63));
        }
        if is_known {
            return None;
        }
        line.sets |= is_whole && rules.setters.has(head);
        let has_equals = self.text[..self.end].get(head_end) == Some(&b'=');
        let is_pair = head.len() == 3 && head[0] == b'-' && head[1].is_ascii_lowercase();
        if rules.user_flags.has(head) || is_pair && head[2] == b'u' {
            if is_whole {
                let line = &mut self.frame(level).line;
                if head == b"-l" {
                    line.candidate = (0, 0);
                }
                line.pending = Pending::User;
                return None;
            }
            if has_equals {
                let value = head_end + 1..self.value_end(level, head_end + 1);
                return self.user(level, value);
            }
        }
        if head.len() > 2 && matches!(head, [b'-', b'u' | b'U', b'a'..=b'z', ..]) && is_whole {
            self.frame(level).line.has_attached_user = true;
        }
        let line = &mut self.frame(level).line;
        if is_whole && is_pair && head[2] == b'p' && line.has_user {
            line.pending = Pending::Password;
            return None;
        }
        if is_whole && rules.token_flags.has(head) {
            line.pending = Pending::Token;
            return None;
        }
        if is_whole && rules.auth_flags.has(head) {
            line.pending = Pending::Pair;
            return None;
        }
        if is_whole && rules.password_flags.has(head) {
            line.pending = if line.has_user { Pending::Password } else { Pending::Candidate };
            return None;
        }
        if is_whole {
            let key = self.without_dashes(at..head_end);
            let key = key.start + head.iter().take_while(|byte| **byte == b'+').count()..key.end;
            let is_key = self.text[key.clone()].iter().all(|byte| class(*byte) == Class::Key);
            let place = if head.starts_with(b"--") { Place::Flag } else { Place::ShortFlag };
            let verdict = if is_key { self.verdict(&key, place) } else { Verdict::Harmless };
            if !verdict.is_harmless() {
                self.frame(level).line.pending = Pending::Value(verdict);
            } else if head.ends_with(b":") {
                return None;
            }
            return None;
        }
        None
    }

    /// Applies the rules of the programs to a flag. The flag is known if the program's rules say all about it.
    fn program_flag(&mut self, level: usize, at: usize, head_end: usize, is_whole: bool) -> (Option<usize>, bool) {
        let line = self.frame(level).line;
        let head = &self.text[at..head_end];
        let has_equals = self.text[..self.end].get(head_end) == Some(&b'=');
        for program in line.programs.into_iter().flatten() {
            for (index, rule) in program.flags.iter().enumerate() {
                if !rule.after.is_empty() && line.subcommands & 1 << (index & 31) == 0 {
                    continue;
                }
                let flag = rule.flag;
                let is_letter = flag.len() == 2 && flag[0] == b'-';
                if flag.last() == Some(&b'=') {
                    if has_equals && head == &flag[..flag.len() - 1] {
                        return self.attached(level, head_end + 1, rule.form);
                    }
                } else if head == flag {
                    if has_equals && !is_letter && rule.takes != Takes::Next || has_equals && flag.starts_with(b"--") {
                        return self.attached(level, head_end + 1, rule.form);
                    }
                    if is_whole && rule.takes != Takes::Attached && rule.form != Form::Plain {
                        let pending = if rule.form == Form::Skip { Pending::Skip } else { Pending::Form(rule.form) };
                        self.frame(level).line.pending = pending;
                    } else if rule.takes != Takes::Next && is_letter && !is_whole {
                        // The value is quoted, or begins with a sign.
                        return self.attached(level, head_end, rule.form);
                    }
                    return (None, is_whole);
                } else if rule.takes != Takes::Next
                    && (is_letter || flag.len() == 3 && flag[0] == b'-' || flag.ends_with(b":"))
                    && head.starts_with(flag)
                {
                    if rule.form == Form::Plain {
                        return (None, false);
                    }
                    let key = at + 1..head_end;
                    let is_key = head[1..].iter().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_'));
                    let begins = is_key && self.rules.keys.begins_with_word(&self.folded[key.clone()]);
                    if is_letter && is_whole && begins && !self.verdict(&key, Place::ShortFlag).is_harmless() {
                        // `-passphrase S` is no `-p`.
                        continue;
                    }
                    let value = at + flag.len();
                    if is_port(&self.text[value..head_end]) && memchr(b':', &self.text[value..head_end]).is_some() {
                        return (None, true);
                    }
                    return self.attached(level, value, rule.form);
                } else if is_letter
                    && is_whole
                    && rule.takes != Takes::Attached
                    && (3..9).contains(&head.len())
                    && head.last() == flag.last()
                    && head[1..head.len() - 1].iter().all(|letter| program.switches.contains(letter))
                    && head[1] != b'-'
                {
                    self.frame(level).line.pending = Pending::Form(rule.form);
                    return (None, true);
                }
            }
        }
        // The password follows its flag without a blank, and the program has a user.
        if (line.has_user || line.has_attached_user)
            && !has_equals
            && head.len() >= 7
            && (head.starts_with(b"-p") || head.starts_with(b"-P"))
        {
            let value = &head[2..];
            let is_word = value.iter().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_' | b'.'));
            let has_mark = value.iter().any(|byte| matches!(byte, b'/' | b':' | b','));
            if !is_word && !has_mark && !is_port(value) && is_unlike_a_name(value) {
                return self.attached(level, at + 2, Form::Secret);
            }
        }
        (None, false)
    }

    /// `/u:user /p:S`, as programs for Windows have their flags.
    fn slash_flag(&mut self, level: usize, at: usize, head_end: usize) -> Option<usize> {
        let head = &self.text[at..head_end];
        let colon = at + memchr(b':', head)? + 1;
        if matches!(&self.folded[at..colon], b"/u:" | b"/user:" | b"/ru:") {
            self.frame(level).line.has_user = true;
            return None;
        }
        if matches!(&self.folded[at..colon], b"/p:" | b"/pw:" | b"/rp:") && self.frame(level).line.has_user {
            return self.attached(level, colon, Form::Secret).0;
        }
        self.operand(level, at, head_end, self.is_whole(level < self.top(), head_end))
    }

    fn attached(&mut self, level: usize, value: usize, form: Form) -> (Option<usize>, bool) {
        if form == Form::Plain {
            self.plain_equals = value;
        }
        let end = self.value_end(level, value);
        (self.hide_form(level, value..end, form), true)
    }

    /// A word that is no flag: a program, a subcommand, a secret operand, or a key.
    fn operand(&mut self, level: usize, at: usize, head_end: usize, is_whole: bool) -> Option<usize> {
        let rules = self.rules;
        let head = &self.text[at..head_end];
        self.frame(level).line.count_operand(head);
        let line = self.frame(level).line;
        if let Some(next) = self.counted_operand(level, at, head, is_whole) {
            return Some(next);
        }
        if !is_whole {
            // A script in an argument announces nothing about the next argument.
            return self.bare_flag(level, at, head_end);
        }
        if rules.starters.has(head) {
            self.frame(level).line.reads = false;
        }
        if self.bare_flag_next(level, head) {
            return None;
        }
        let name = match memrchr(b'/', head) {
            Some(slash) => {
                let folder = &head[..slash];
                let is_program = folder.ends_with(b"bin") || folder.ends_with(b"libexec") || folder == b".";
                is_program.then_some(&head[slash + 1..])
            }
            None => Some(head),
        };
        let is_fresh = std::mem::take(&mut self.frame(level).line.is_fresh);
        if let Some(name) = name.filter(|_| !line.names_next) {
            let line = &mut self.frame(level).line;
            let is_reader = rules.readers.has(name);
            let known = rules.program(name).filter(|_| !line.reads);
            if is_reader && line.programs[0].is_none() {
                line.reads = true;
                line.searches = rules.searchers.has(name);
            }
            // A program without secrets may have the name of a subcommand.
            let known = known.filter(|program| {
                program.has_secrets
                    || !is_fresh && line.programs.iter().flatten().all(|other| other.operands.is_empty())
            });
            if let Some(program) = known {
                let earlier = line.programs[0];
                *line = Line {
                    programs: [Some(program), earlier],
                    reads: line.reads,
                    searches: line.searches,
                    operands_left: program.operands_before(b""),
                    is_fresh: program.has_secrets,
                    ..Line::default()
                };
                return None;
            }
        }
        self.frame(level).line.names_next = false;
        let line = &mut self.frame(level).line;
        if rules.setters.has(head) {
            line.sets = true;
            return None;
        }
        let is_name = head.iter().all(|byte| matches!(class(*byte), Class::Key | Class::Other) && *byte != b'=');
        if !is_name || head.len() > 96 {
            return None;
        }
        if head.eq_ignore_ascii_case(b"bearer") && level > 0 && line.pending == Pending::Nothing {
            line.pending = Pending::Credential;
            return None;
        }
        for (bit, (first, second, is_quoted)) in words::PHRASES.iter().enumerate() {
            if head.eq_ignore_ascii_case(first.as_bytes()) {
                line.phrases |= 1 << bit;
            } else if line.phrases & 1 << bit != 0 && head.eq_ignore_ascii_case(second.as_bytes()) {
                line.pending =
                    if *is_quoted { Pending::Quoted(Verdict::Secret) } else { Pending::Value(Verdict::Secret) };
                return None;
            }
        }
        if rules.logins.has(head) && line.programs[0].is_none_or(|program| program.operands.is_empty()) {
            line.pending = Pending::Token;
            return None;
        }
        // A bare key: its value follows a word that sets keys, or is quoted.
        let sets = line.sets && line.programs[0].is_none_or(|program| program.operands.is_empty());
        let is_inner = level > 0 && level == self.top();
        if head.eq_ignore_ascii_case(words::AUTHORIZATION.as_bytes()) {
            self.frame(level).line.pending = Pending::Header(Verdict::Authorization);
            return None;
        }
        if sets || is_inner {
            let key = memrchr(b'/', head).map_or(at, |slash| at + slash + 1);
            let key = memrchr(b':', &self.text[key..head_end]).map_or(key, |colon| key + colon + 1);
            if !head.ends_with(b":") {
                let mut verdict = self.verdict(&(key..head_end), Place::Flag);
                if sets && verdict.is_harmless() {
                    // `token.example`: a key for one of several.
                    let dot = memchr(b'.', &self.text[key..head_end]).unwrap_or(0);
                    let dot = if self.text[key..key + dot].contains(&b'-') { dot } else { 0 };
                    verdict = self.verdict(&(key..key + dot), Place::Flag);
                }
                let is_free = self.frame(level).line.pending == Pending::Nothing;
                if is_free
                    && !verdict.is_harmless()
                    && verdict != Verdict::Weak
                    && !self.text[key..head_end].starts_with(b"set")
                {
                    let pending = if sets && (key == at || head.contains(&b':')) {
                        Pending::Value(verdict)
                    } else {
                        Pending::Quoted(verdict)
                    };
                    self.frame(level).line.pending = pending;
                }
            }
        }
        None
    }

    /// A flag without a dash, and its value in the next word: `password S`.
    fn bare_flag_next(&mut self, level: usize, head: &[u8]) -> bool {
        let line = self.frame(level).line;
        for program in line.programs.into_iter().flatten() {
            for (index, rule) in program.flags.iter().enumerate() {
                let allowed = rule.after.is_empty() || line.subcommands & 1 << (index & 31) != 0;
                if allowed && rule.flag == head && rule.takes != Takes::Attached {
                    self.frame(level).line.pending = Pending::Form(rule.form);
                    return true;
                }
            }
        }
        false
    }

    /// A flag without a dash, and its value after `=`: `secret_id=S`.
    fn bare_flag(&mut self, level: usize, at: usize, head_end: usize) -> Option<usize> {
        if self.text[..self.end].get(head_end) != Some(&b'=') {
            return None;
        }
        let head = &self.text[at..head_end];
        for program in self.frame(level).line.programs.into_iter().flatten() {
            for rule in &program.flags {
                if rule.flag.strip_suffix(b"=") == Some(head) {
                    return self.attached(level, head_end + 1, rule.form).0;
                }
            }
        }
        None
    }

    /// Counts operands and subcommands. Masks an operand that is secret.
    fn counted_operand(&mut self, level: usize, at: usize, head: &[u8], is_whole: bool) -> Option<usize> {
        let mut line = self.frame(level).line;
        let mut found = None;
        for program in line.programs.into_iter().flatten().take(1) {
            for (index, rule) in program.flags.iter().enumerate() {
                if is_whole && !rule.after.is_empty() && rule.after == head {
                    line.subcommands |= 1 << (index & 31);
                }
            }
            for (counted, state) in program.operands.iter().zip(&mut line.counted) {
                let (words, count) = state;
                if let Some(word) = counted.after.get(usize::from(*words)) {
                    if is_whole && *word == head {
                        *words += 1;
                    }
                    continue;
                }
                *count = count.saturating_add(1);
                let letters = counted.row.letters.bytes();
                let has_letters = letters.into_iter().all(|letter| line.letters & 1 << (letter & 63) != 0);
                let excluded = counted.row.without.bytes().any(|letter| line.letters & 1 << (letter & 63) != 0);
                if has_letters && !excluded && (counted.row.first..=counted.row.last).contains(count) && found.is_none()
                {
                    found = Some(counted.row.form);
                }
            }
        }
        self.frame(level).line = line;
        let form = found?;
        let end = self.value_end(level, at);
        let has_key = form == Form::Secret && head.len() < end - at && self.text[at + head.len()] == b'=';
        if has_key { None } else { self.hide_form(level, at..end, form) }
    }
}

fn is_expanded_in(text: &[u8], range: &Range<usize>) -> bool {
    is_expanded(&text[range.clone()])
}
