//! Masks secrets in command lines. It knows what a secret looks like, and nothing about processes or records.
//!
//! There are two passes. The first is a quick search of the whole command line for a few triggers. Without a trigger
//! there is nothing to mask. The second applies the rules, argument by argument. An argument with blanks (a script, a
//! rewritten title) is a line of words, to which the same rules apply. This is best effort: text that does not look
//! like a secret stays. Each module recognises one kind of secret: `words` by the key, `programs` by the program and
//! its flag, `shapes` by the secret's own form.

mod programs;
mod shapes;
mod syntax;
mod words;

use std::borrow::Cow;
use std::ops::Range;

use aho_corasick::packed::Searcher;
use memchr::{memchr, memchr_iter, memchr2, memmem};

use programs::{ProgramTracker, is_operator};
use words::{Words, is_key_byte};

const MASK: &[u8] = b"********";

/// Beginnings of flags that take no value: `--no-password`, `--ask-pass`.
const SWITCHES: [&str; 2] = ["no_", "ask_"];

/// The words before the credential in an Authorization header.
const SCHEMES: [&str; 6] = ["apikey", "basic", "bearer", "digest", "negotiate", "token"];

/// Masking is repeated, because a masked secret may have hidden another one. Masking the result again changes nothing.
const MAX_ROUNDS: usize = 4;

/// Deeper than well-formed nesting of two kinds of quotes can be.
const MAX_DEPTH: usize = 8;

/// Masks secrets in argument lists.
pub struct Redactor {
    words: Words,
    /// Finds the triggers of the rules. None if there are too many words: the rules then always run.
    triggers: Option<Searcher>,
    folded: Vec<u8>,
}

impl Redactor {
    /// Masks with further secret words. They match like the built-in ones: case-insensitively, as a part of a key.
    pub fn new(words: &[String]) -> Self {
        let words = Words::new(words);
        let mut triggers: Vec<String> = words.triggers().map(str::to_owned).collect();
        triggers.extend(programs::triggers().chain(shapes::TRIGGERS).map(|trigger| trigger.replace('-', "_")));
        // A trigger that contains a shorter one is redundant, and fewer triggers are faster.
        triggers.sort_by_key(String::len);
        let mut minimal: Vec<String> = Vec::new();
        for trigger in triggers {
            if !minimal.iter().any(|shorter| contains(trigger.as_bytes(), shorter.as_bytes())) {
                minimal.push(trigger);
            }
        }
        Redactor { words, triggers: Searcher::new(&minimal), folded: Vec::new() }
    }

    /// Replaces each secret value with eight stars. The result is borrowed if there is no secret.
    ///
    /// `arguments` is the content of /proc/PID/cmdline. The number of arguments never changes.
    pub fn mask<'a>(&mut self, arguments: &'a [u8]) -> Cow<'a, [u8]> {
        let mut masked = Cow::Borrowed(arguments);
        for _ in 0..MAX_ROUNDS {
            fold(&masked, &mut self.folded);
            let marks = self.marks();
            if marks.is_empty() {
                break;
            }
            let found = Vec::new();
            let mut search = Search { text: &masked, folded: &self.folded, marks, words: &self.words, found };
            search.lines();
            shapes::find(&masked, &mut search.found);
            let Some(more) = replace(&masked, search.found).filter(|more| **more != *masked) else { break };
            masked = Cow::Owned(more);
        }
        masked
    }

    /// The positions of the triggers, in order. If two overlap, only one is in the list: it tells only where none is.
    fn marks(&self) -> Vec<Range<usize>> {
        match &self.triggers {
            Some(triggers) => triggers.find_iter(&self.folded).map(|mark| mark.start()..mark.end()).collect(),
            None => std::iter::once(0..self.folded.len()).collect(),
        }
    }
}

/// Whether a short text has another one in it. The general search takes longer to prepare than this takes in all.
fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window.first() == part.first() && window == part)
}

fn fold(text: &[u8], folded: &mut Vec<u8>) {
    folded.clear();
    folded.extend(text.iter().map(|byte| if *byte == b'-' { b'_' } else { byte.to_ascii_lowercase() }));
}

/// The text with stars in place of the ranges found. None if there are none.
fn replace(text: &[u8], mut found: Vec<Range<usize>>) -> Option<Vec<u8>> {
    found.sort_by_key(|range| range.start);
    let mut found = found.into_iter().peekable();
    found.peek()?;
    let mut masked = Vec::with_capacity(text.len() + MASK.len());
    let mut end = 0;
    while let Some(mut secret) = found.next() {
        // Ranges that overlap or touch are one secret.
        while let Some(more) = found.next_if(|more| more.start <= secret.end) {
            secret.end = secret.end.max(more.end);
        }
        masked.extend_from_slice(&text[end..secret.start]);
        masked.extend_from_slice(MASK);
        end = secret.end;
    }
    masked.extend_from_slice(&text[end..]);
    Some(masked)
}

/// Applies the rules to one command line. All ranges refer to `text`.
struct Search<'a> {
    text: &'a [u8],
    /// `text` in lower case, with `_` for `-`. Keys are compared in this form.
    folded: &'a [u8],
    words: &'a Words,
    /// The positions of the triggers.
    marks: Vec<Range<usize>>,
    found: Vec<Range<usize>>,
}

impl Search<'_> {
    fn lines(&mut self) {
        let mut arguments = Vec::new();
        let mut start = 0;
        for end in memchr_iter(0, self.text).chain([self.text.len()]) {
            arguments.push(start..end);
            start = end + 1;
        }
        self.line(&arguments, None, 0);
    }

    /// Applies the rules to the words of a line: to arguments, or to words `within` an argument.
    fn line(&mut self, words: &[Range<usize>], within: Option<&Range<usize>>, depth: usize) {
        let mut tracker = ProgramTracker::default();
        let mut script = true;
        for (at, word) in words.iter().enumerate().filter(|(_, word)| !word.is_empty()) {
            let text = &self.text[word.clone()];
            tracker.advance(text);
            let next = words.get(at + 1).filter(|next| !is_operator(&self.text[(*next).clone()]));
            let known = self.program_flag(tracker.program, word, next);
            if let Some(next) = next.filter(|_| !known) {
                let limit = within.map_or(next.end, |within| within.end);
                self.flag(word, next);
                self.header(word, next, words.get(at + 2), limit);
            }
            self.argument(word.clone(), script, depth);
            // `-c`, `-lc`: the next argument is a script.
            script = text.len() < 6 && text.starts_with(b"-") && text.ends_with(b"c") && !text.starts_with(b"--");
        }
    }

    /// Masks the value of `--key value`.
    fn flag(&mut self, word: &Range<usize>, next: &Range<usize>) {
        let key = syntax::without_dashes(self.text, word);
        let folded = &self.folded[key.clone()];
        let is_key = key.start > word.start && folded.iter().all(|byte| is_key_byte(*byte));
        let is_number = folded == words::PASS.as_bytes();
        let is_switch = SWITCHES.iter().any(|switch| folded.starts_with(switch.as_bytes()));
        let is_value = !self.text[next.clone()].starts_with(b"-");
        if is_key && is_value && !is_switch && !is_number && self.is_secret(&key, next.start, false) {
            self.add(next.clone());
        }
    }

    /// Masks the value of `Key: value` in two words, or in three with a scheme. A value in JSON may have blanks, up to
    /// `limit`.
    fn header(&mut self, word: &Range<usize>, next: &Range<usize>, after: Option<&Range<usize>>, limit: usize) {
        if !self.text[word.clone()].ends_with(b":") {
            return;
        }
        let colon = word.end - 1;
        let Some((key, quoted)) = syntax::key(self.text, word.start, colon) else { return };
        if quoted {
            if self.is_secret(&key, next.start, false) || self.is_authorization(&key) {
                let value = syntax::quoted_value(self.text, next.start, limit);
                self.add_value(&key, value);
            }
        } else if self.is_authorization(&key) {
            let scheme = SCHEMES.iter().any(|scheme| self.folded[next.clone()] == *scheme.as_bytes());
            self.add(after.filter(|_| scheme).unwrap_or(next).clone());
        } else if self.is_secret(&key, next.start, true) && self.text[..key.start].last() != Some(&b'/') {
            self.add(next.clone());
        }
    }

    /// Masks the value of a flag that is secret only for this program. Returns whether `word` was such a flag.
    fn program_flag(&mut self, program: &[u8], word: &Range<usize>, next: Option<&Range<usize>>) -> bool {
        let text = &self.text[word.clone()];
        if program.is_empty() || !text.starts_with(b"-") {
            return false;
        }
        for (rule, flag) in programs::flags_of(program) {
            let one_letter = flag.len() == 2;
            let value = match text.strip_prefix(flag.as_bytes()) {
                Some([]) => next.filter(|_| rule.next).cloned(),
                Some(_) if one_letter => Some(word.start + flag.len()..word.end),
                Some([b'=', ..]) => Some(word.start + flag.len() + 1..word.end),
                // Several letters after one dash, with this letter last: `-su user:x`.
                None if one_letter && is_last_letter(text, flag) => next.filter(|_| rule.next).cloned(),
                _ => None,
            };
            if let Some(value) = value {
                if rule.after_colon {
                    self.add_after_colon(value)
                } else {
                    self.add(value)
                }
                return true;
            }
        }
        false
    }

    /// Masks the secret of `user:secret`, with or without quotes.
    fn add_after_colon(&mut self, value: Range<usize>) {
        let value = syntax::without_quotes(self.text, value);
        let text = &self.text[value.clone()];
        let is_url = memmem::find(text, b"://").is_some();
        if let Some(colon) = memchr(b':', text).filter(|_| !is_url) {
            self.add(value.start + colon + 1..value.end);
        }
    }

    /// Masks the secrets that one argument or word contains by itself.
    fn argument(&mut self, mut unit: Range<usize>, script: bool, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        // If a script begins with an assignment, the value ends at a blank. So this is not for scripts with blanks.
        if !script || !self.text[unit.clone()].iter().any(u8::is_ascii_whitespace) {
            while let Some(end) = self.leading(&unit) {
                // Another key may follow a `;` or `&`.
                unit.start = (end + 1).min(unit.end);
            }
        }
        let words = syntax::split(self.text, &unit);
        match words.as_slice() {
            [] => {}
            [word] => self.word(word, script, depth),
            words => self.line(words, Some(&unit), depth + 1),
        }
    }

    /// Masks the value of `key=value` or `Key: value` if the key begins an argument. Blanks are then part of the value.
    /// Returns the end of the masked value.
    fn leading(&mut self, unit: &Range<usize>) -> Option<usize> {
        let text = &self.text[unit.clone()];
        let at = unit.start + memchr2(b'=', b':', text)?;
        let (key, quoted) = syntax::key(self.text, unit.start, at)?;
        let first = syntax::without_dashes(self.text, unit).start + usize::from(text.starts_with(b"/"));
        if quoted || key.start != first {
            return None;
        }
        let is_flag = text.starts_with(b"-");
        let colon = self.text[at] == b':';
        let start = if colon { syntax::after_blanks(self.text, at + 1, unit.end) } else { at + 1 };
        if !(self.is_secret(&key, start, colon) || colon && self.is_authorization(&key)) {
            return None;
        }
        let end = if is_flag || colon { unit.end } else { syntax::value_end(self.text, start, unit.end, true) };
        self.add_value(&key, start..end);
        Some(end)
    }

    /// Masks the values of `key=value` anywhere in a word, and the secrets in its quotes.
    fn word(&mut self, word: &Range<usize>, script: bool, depth: usize) {
        let mut at = word.start;
        while at < word.end {
            match self.text[at] {
                b'=' | b':' => at = self.value(word, at).unwrap_or(at + 1),
                b'\\' => at += 2,
                quote @ (b'"' | b'\'') => match syntax::closing(self.text, quote, at, word.end) {
                    Some(end) => {
                        self.argument(at + 1..end, script, depth + 1);
                        at = end + 1;
                    }
                    None => at += 1,
                },
                _ => at += 1,
            }
        }
    }

    /// Masks the value after the `=` or `:` at `at` if its key is secret. Returns the end of the value.
    fn value(&mut self, word: &Range<usize>, at: usize) -> Option<usize> {
        let (key, quoted) = syntax::key(self.text, word.start, at)?;
        let colon = self.text[at] == b':';
        let before = key.start.checked_sub(1).filter(|before| *before >= word.start).map(|before| self.text[before]);
        let value = if quoted {
            (self.is_secret(&key, at + 1, false) || self.is_authorization(&key))
                .then(|| syntax::quoted_value(self.text, at + 1, word.end))?
        } else if matches!(before, Some(b'?' | b'&')) && !colon && self.folded[key.clone()] == *b"sig" {
            at + 1..syntax::value_end(self.text, at + 1, word.end, false)
        } else {
            // `secret` is not a key in `volume:secret:ro`, nor in `/path/secret=x`.
            let slash = before == Some(b'/') && (key.start - 1 != word.start);
            if slash || colon && before == Some(b':') || !self.is_secret(&key, at + 1, colon) {
                return None;
            }
            at + 1..if colon { word.end } else { syntax::value_end(self.text, at + 1, word.end, false) }
        };
        let end = value.end;
        self.add_value(&key, value);
        Some(end.max(at + 1))
    }

    fn is_secret(&self, key: &Range<usize>, value: usize, colon: bool) -> bool {
        let folded = &self.folded[key.clone()];
        // This check is cheaper than comparing every word, and it rules out most keys.
        let mark = self.marks.partition_point(|mark| mark.end <= key.start);
        if self.marks.get(mark).is_none_or(|mark| mark.start >= key.end) {
            return false;
        }
        let value = self.text.get(value).copied().unwrap_or(0);
        self.words.is_secret(&self.text[key.clone()], folded, value, colon)
    }

    fn is_authorization(&self, key: &Range<usize>) -> bool {
        // This matches `Proxy-Authorization` and curl's `-HAuthorization` too.
        self.folded[key.clone()].ends_with(words::AUTHORIZATION.as_bytes())
    }

    /// Masks a value. In an Authorization header, the scheme before the credential stays.
    fn add_value(&mut self, key: &Range<usize>, value: Range<usize>) {
        let text = &self.text[value.clone()];
        let scheme = text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
        let credential = syntax::after_blanks(self.text, value.start + scheme, value.end);
        let has_scheme = scheme > 0 && credential > value.start + scheme && credential < value.end;
        let start = if has_scheme && self.is_authorization(key) { credential } else { value.start };
        self.add(start..value.end);
    }

    fn add(&mut self, value: Range<usize>) {
        if !syntax::without_quotes(self.text, value.clone()).is_empty() {
            self.found.push(value);
        }
    }
}

/// Whether `text` has several letters after one dash, and the last is the letter of `flag`.
fn is_last_letter(text: &[u8], flag: &str) -> bool {
    let is_letters = |letters: &[u8]| letters.iter().all(u8::is_ascii_alphabetic);
    text.get(1..).is_some_and(is_letters) && text.last() == flag.as_bytes().last()
}

#[cfg(test)]
#[path = "redact/cases.rs"]
mod tests;
