//! Walks through a command line once, and knows at each byte what encloses it: the list of arguments, an argument, quotes in
//! it, quotes in those. Every byte is looked at a bounded number of times. What is longer than that allows ends the walk.
//!
//! A frame is what is enclosed. Its content is a line of words, and a frame may itself be a word of the line around it.

use std::ops::Range;

use memchr::memchr_iter;

use super::keys::{Verdict, is_key_byte};
use super::rules::Rules;
use super::state::{Line, Pending};

/// Deeper than command lines are nested: scripts in scripts, with JSON in them.
const DEPTH_MAX: usize = 8;
/// How often a byte may be looked at before it is reached, on average. Only made-up command lines need as much.
const LOOKS_MAX: usize = 64;
/// This many looks are always allowed.
const LOOKS_FREE: usize = 16 * 1024;

/// What a byte may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A part of a key, a flag or a name.
    Key,
    /// A blank between words.
    Blank,
    /// The end of a shell's command.
    Operator,
    /// A quote.
    Quote,
    /// A backslash.
    Backslash,
    /// Anything else.
    Other,
}

static CLASSES: [Class; 256] = {
    let mut classes = [Class::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b' ' | b'\t' | b'\r' | 0x0b | 0x0c => Class::Blank,
            b';' | b'|' | b'&' | b'\n' | b'(' | b')' | b'`' => Class::Operator,
            b'"' | b'\'' => Class::Quote,
            b'\\' => Class::Backslash,
            other if is_key_byte(other) => Class::Key,
            _ => Class::Other,
        };
        byte += 1;
    }
    classes
};

/// The class of a byte.
pub fn class(byte: u8) -> Class {
    CLASSES[usize::from(byte)]
}

/// What is enclosed by the list of arguments, by an argument, or by quotes.
#[derive(Clone, Copy, Default)]
pub struct Frame<'a> {
    /// The quote, and the number of backslashes before it. 0 for an argument.
    pub quote: u8,
    pub escapes: usize,
    /// Where the content begins.
    pub start: usize,
    /// Whether this is a word of the line around it.
    is_word: bool,
    /// Whether it begins the content of the frame around it.
    is_first: bool,
    /// Whether it is known to be a script.
    pub is_script: bool,
    /// The state of the line in it.
    pub line: Line<'a>,
    /// The line around `$(…)`, while that is open.
    pub outside: Option<Outside<'a>>,
}

/// The line around `$(…)`.
#[derive(Clone, Copy)]
pub struct Outside<'a> {
    /// What closes it.
    pub closing: u8,
    line: Line<'a>,
}

/// The walk.
pub struct Scan<'a> {
    /// The command line.
    pub text: &'a [u8],
    /// `text` in lower case, with `_` for `-`, where keys are compared.
    pub folded: &'a [u8],
    /// The tables.
    pub rules: &'a Rules,
    /// The secrets found.
    pub found: Vec<Range<usize>>,
    /// What encloses the current byte, the outermost first.
    pub frames: [Frame<'a>; DEPTH_MAX],
    /// How many of them there are.
    pub depth: usize,
    /// The end of the argument.
    pub end: usize,
    /// Whether a word begins here.
    begins: bool,
    /// Where the current word begins.
    pub word_start: usize,
    /// Up to where bytes were found to be secret.
    pub covered: usize,
    /// How many bytes were looked at before they were reached.
    pub looks: usize,
    /// The next `@` in the argument, if one is known to be after this position.
    pub next_at_sign: usize,
    /// Where the bytes of a key end.
    run_end: usize,
    /// What the name in a pair of pairs says about the value in it.
    pub named: Verdict,
    /// The beginning of a value that is harmless for its program.
    pub plain_equals: usize,
    /// Before this position, no web token begins.
    pub no_web_token: usize,
}

impl<'a> Scan<'a> {
    /// A walk through `text`.
    pub fn new(text: &'a [u8], folded: &'a [u8], rules: &'a Rules) -> Self {
        Scan {
            text,
            folded,
            rules,
            found: Vec::new(),
            frames: [Frame::default(); DEPTH_MAX],
            depth: 1,
            end: 0,
            begins: true,
            word_start: 0,
            covered: 0,
            looks: 0,
            next_at_sign: 0,
            run_end: 0,
            named: Verdict::Harmless,
            plain_equals: 0,
            no_web_token: 0,
        }
    }

    /// Finds the secrets of the whole command line. False if that would take too long.
    pub fn run(&mut self) -> bool {
        let mut start = 0;
        for end in memchr_iter(0, self.text).chain([self.text.len()]) {
            if !self.argument(start, end) {
                return false;
            }
            start = end + 1;
        }
        true
    }

    fn argument(&mut self, start: usize, end: usize) -> bool {
        self.end = end;
        self.depth = 1;
        self.begins = true;
        self.word_start = start;
        self.next_at_sign = start;
        self.run_end = start;
        self.named = Verdict::Harmless;
        if start == end {
            self.frames[0].line.skip();
            return true;
        }
        self.frames[0].start = start;
        let is_script = std::mem::take(&mut self.frames[0].line.script_next);
        self.push(Frame { start, is_word: true, is_script, ..Frame::default() });
        let max = LOOKS_FREE + self.text.len() * LOOKS_MAX;
        let mut at = start;
        while at < end {
            at = self.step(at).max(at + 1);
            if self.looks > max {
                return false;
            }
        }
        true
    }

    /// Looks at what is at `at`. Returns where to continue.
    fn step(&mut self, at: usize) -> usize {
        match class(self.text[at]) {
            Class::Blank => {
                self.begins = true;
                at + 1
            }
            Class::Operator => {
                self.operator(self.text[at]);
                self.begins = true;
                at + 1
            }
            Class::Quote => self.quote(at, 0),
            Class::Backslash => {
                let count = self.text[at..self.end].iter().take_while(|byte| **byte == b'\\').count();
                match self.text[..self.end].get(at + count).map(|byte| class(*byte)) {
                    Some(Class::Quote) => self.quote(at, count),
                    // `\mysql` is `mysql` without an alias.
                    Some(Class::Key) if self.begins => at + count,
                    _ => at + count + 1,
                }
            }
            Class::Key | Class::Other => {
                if std::mem::take(&mut self.begins) {
                    self.word_start = at;
                    if let Some(next) = self.word(at) {
                        return next;
                    }
                }
                match class(self.text[at]) {
                    Class::Key => {
                        if at >= self.run_end {
                            let run = &self.text[at..self.end];
                            self.run_end = at + run.iter().take_while(|byte| is_key_byte(**byte)).count();
                        }
                        self.key_run(at, self.run_end)
                    }
                    _ => at + 1,
                }
            }
        }
    }

    /// Applies the rules to the word at `at`, as a word of the innermost line and of those around it.
    fn word(&mut self, at: usize) -> Option<usize> {
        let top = self.depth - 1;
        let mut level = top;
        let mut begins = at == self.frames[top].start;
        while begins && self.frames[level].is_word && level > 0 {
            begins = self.frames[level].is_first;
            level -= 1;
        }
        (level..=top).find_map(|level| self.word_of(level, at))
    }

    /// The innermost frame.
    pub fn top(&self) -> usize {
        self.depth - 1
    }

    /// A frame.
    pub fn frame(&mut self, level: usize) -> &mut Frame<'a> {
        &mut self.frames[level]
    }

    /// The line around the innermost frame, if that is a word of it.
    pub fn outer_line(&mut self) -> Option<&mut Line<'a>> {
        let top = self.top();
        (top > 0 && self.frames[top].is_word).then(|| &mut self.frames[top - 1].line)
    }

    fn push(&mut self, frame: Frame<'a>) {
        self.frames[self.depth] = frame;
        self.depth += 1;
    }

    /// A new command begins. `$(…)` and backticks are inside another one.
    fn operator(&mut self, byte: u8) {
        let frame = &mut self.frames[self.depth - 1];
        match byte {
            b')' | b'`' if frame.outside.is_some_and(|outside| outside.closing == byte) => {
                if let Some(outside) = frame.outside.take() {
                    frame.line = outside.line;
                }
            }
            b'(' | b'`' => {
                let closing = if byte == b'(' { b')' } else { byte };
                frame.outside = frame.outside.or(Some(Outside { closing, line: frame.line }));
                frame.line = Line::default();
            }
            b'\n' => frame.line = frame.line.next_line(),
            _ => frame.line = Line::default(),
        }
    }

    /// A quote with `escapes` backslashes before it at `at`. It closes a frame, or opens one, or is an apostrophe.
    fn quote(&mut self, at: usize, escapes: usize) -> usize {
        let (quote, next) = (self.text[at + escapes], at + escapes + 1);
        if let Some(level) = self.level_of(quote, escapes) {
            self.depth = level;
            self.begins = false;
            return self.after_quote(at, next);
        }
        let before = at.checked_sub(1).filter(|before| *before >= self.frames[self.depth - 1].start);
        let before = before.map_or(b' ', |before| self.text[before]);
        if quote == b'\'' && !self.begins && before.is_ascii_alphanumeric() {
            return next;
        }
        let is_word = self.begins || matches!(before, b',' | b'[' | b'{');
        if is_word {
            self.word_start = at;
            if let Some(end) = self.quoted_word(at) {
                self.begins = false;
                return end;
            }
        }
        if self.depth == DEPTH_MAX {
            self.begins = false;
            return next;
        }
        let outer = &mut self.frames[self.depth - 1];
        let is_script = std::mem::take(&mut outer.line.script_next);
        let is_first = at == outer.start;
        self.push(Frame { quote, escapes, start: next, is_word, is_first, is_script, ..Frame::default() });
        self.begins = true;
        self.word_start = next;
        next
    }

    /// A word that begins with a quote may be the value of the flag before it.
    fn quoted_word(&mut self, at: usize) -> Option<usize> {
        let top = self.top();
        // An argument that begins with a quote is also a word of the list of arguments.
        let is_first = at == self.frames[top].start && self.frames[top].is_word;
        let level = if is_first { top - 1 } else { top };
        (level..=top).find_map(|level| self.pending(level, at, true))
    }

    /// Masks a range, unless it is empty. Returns where to continue: an operator in it may begin another command.
    pub fn hide(&mut self, secret: Range<usize>) -> usize {
        let end = secret.end;
        if super::values::without_quotes(&self.text[secret.clone()]).is_empty() {
            return end;
        }
        self.covered = self.covered.max(end);
        self.found.push(secret);
        end
    }

    /// What the words before said about the word at `at`.
    pub fn take_pending(&mut self, level: usize) -> Pending {
        std::mem::take(&mut self.frames[level].line.pending)
    }
}

/// A byte in lower case, with `_` for `-`, and a blank for what is before `(` in ASCII: control characters and quotes.
pub fn fold(byte: u8) -> u8 {
    match byte {
        0..b'(' => b' ',
        b'-' => b'_',
        other => other.to_ascii_lowercase(),
    }
}
