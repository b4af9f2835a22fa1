//! Masks secrets in command lines. It knows what a secret looks like, and nothing about processes or records.
//!
//! There are two passes. `quick` searches the whole command line for a few triggers. Without a trigger there is nothing to
//! mask. Then `scan` walks through the command line once, and knows what encloses each byte. `line` takes each word with the
//! `state` of its line: `flags` and `operands` apply the rules of programs. `pairs` has keys and their values, `literals`
//! those in quotes, and `shapes` what is secret by its own form. `ends` tells where a value ends, and `hide` masks it.
//!
//! The rules are data: `programs`, `words` and `tokens` are tables. `rules`, `keys`, `values`, `names` and `prefixes` look
//! things up in them.
//!
//! This is best effort: text that does not look like a secret stays.

mod ends;
mod flags;
mod hide;
mod keys;
mod line;
mod literals;
mod names;
mod operands;
mod pairs;
mod prefixes;
mod programs;
mod quick;
mod rules;
mod scan;
mod shapes;
mod state;
mod tokens;
mod values;
mod words;

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem;
use quick::Quick;
use rules::Rules;
use scan::Scan;

/// What replaces a secret.
pub const MASK: &[u8] = b"********";

/// Masking is repeated, because a masked secret may have hidden another one. Masking the result again changes nothing.
const MAX_ROUNDS: usize = 4;
/// Longer command lines are masked once.
const ROUNDS_LENGTH: usize = 16 * 1024;

/// The shortest secret that is looked for elsewhere. A shorter one would be found by chance.
const HIDDEN_MIN: usize = 6;

/// How many secrets are looked for elsewhere.
const HIDDEN_MAX: usize = 1000;

/// How many bytes of work on a command line are free. Only a line that is longer than a program needs costs more.
const FREE: usize = 4 * 1024;
/// How many bytes of work beyond that a snapshot may need.
const BUDGET: usize = 6 << 20;
/// How many bytes the quick search looks at for one byte of work.
const QUICK: usize = 3;

/// Masks secrets in argument lists.
pub struct Redactor {
    rules: Rules,
    quick: Quick,
    folded: Vec<u8>,
    /// How much more work may be done within the budget.
    budget: usize,
}

/// Why a command line was not masked.
enum Stop {
    /// It has no secret.
    NoSecret,
    /// Its search would take too long.
    TooMuch,
}

impl Redactor {
    /// Masks with further secret words. They match like the built-in ones: case-insensitively, as a part of a key.
    pub fn new(words: &[String]) -> Self {
        let rules = Rules::new(words);
        let quick = Quick::new(rules.keys.further());
        Redactor { rules, quick, folded: Vec::new(), budget: BUDGET }
    }

    /// Replaces each secret value with eight stars. The result is borrowed if there is no secret.
    ///
    /// `arguments` is the content of /proc/PID/cmdline. The number of arguments never changes.
    pub fn mask<'a>(&mut self, arguments: &'a [u8]) -> Cow<'a, [u8]> {
        let mut budget = usize::MAX;
        self.mask_within(arguments, &mut budget).unwrap_or_else(|| Cow::Owned(all_masked(arguments)))
    }

    /// Does the same within the budget that all command lines of one value share. None if too much of it is used up: the
    /// command line must then not be shown. So no user can make a snapshot slow.
    pub fn mask_in_budget<'a>(&mut self, arguments: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let mut budget = self.budget;
        let masked = self.mask_within(arguments, &mut budget);
        self.budget = budget;
        masked
    }

    /// Begins the next value that a budget is for.
    pub fn renew(&mut self) {
        self.budget = BUDGET;
    }

    /// Masks a text that is not a command line: a name or a path.
    pub fn mask_text(&mut self, text: &mut Vec<u8>) {
        // Without these, only a long token is secret.
        let has_sign = text.iter().any(|byte| matches!(byte, b'=' | b':' | b' '));
        if !has_sign && text.len() < tokens::LONG {
            return;
        }
        match self.mask_in_budget(text) {
            Some(Cow::Borrowed(_)) => {}
            Some(Cow::Owned(masked)) => *text = masked,
            None => MASK.clone_into(text),
        }
    }

    fn mask_within<'a>(&mut self, arguments: &'a [u8], budget: &mut usize) -> Option<Cow<'a, [u8]>> {
        let mut masked = Cow::Borrowed(arguments);
        let rounds = if arguments.len() > ROUNDS_LENGTH { 1 } else { MAX_ROUNDS };
        for _ in 0..rounds {
            match self.round(&masked, budget) {
                Ok(more) => masked = Cow::Owned(more),
                Err(Stop::NoSecret) => break,
                Err(Stop::TooMuch) => return None,
            }
        }
        Some(masked)
    }

    /// Masks what one walk through the text finds.
    fn round(&mut self, text: &[u8], budget: &mut usize) -> Result<Vec<u8>, Stop> {
        let least = text.len().saturating_sub(FREE);
        *budget = budget.checked_sub(least / QUICK).ok_or(Stop::TooMuch)?;
        if !self.quick.has_trigger(text, &self.rules, &mut self.folded) {
            return Err(Stop::NoSecret);
        }
        // The walk looks at each byte at least once: without that much budget, it need not begin.
        *budget = budget.checked_sub(least).ok_or(Stop::TooMuch)?;
        self.folded.clear();
        self.folded.extend(text.iter().map(|byte| scan::fold(*byte)));
        let mut scan = Scan::new(text, &self.folded, &self.rules);
        let is_done = scan.run();
        *budget = budget.saturating_sub((text.len() + scan.looks).saturating_sub(FREE + least));
        if !is_done {
            return Err(Stop::TooMuch);
        }
        replace(text, scan.found).filter(|more| *more != text).ok_or(Stop::NoSecret)
    }
}

/// The secrets that masking replaced, if they are long enough to tell anything elsewhere.
pub fn hidden(before: &[u8], after: &[u8]) -> Vec<Vec<u8>> {
    let pairs = before.split(|byte| *byte == 0).zip(after.split(|byte| *byte == 0));
    let changed = pairs.filter(|(before, after)| before != after);
    let secrets = changed.flat_map(|(before, after)| hidden_in(before, after));
    secrets.filter(|secret| secret.len() >= HIDDEN_MIN).map(<[u8]>::to_vec).take(HIDDEN_MAX).collect()
}

/// The secrets of one argument: what is before where the stars are after.
fn hidden_in<'a>(before: &'a [u8], after: &[u8]) -> Vec<&'a [u8]> {
    let (mut secrets, mut before, mut after) = (Vec::new(), before, after);
    while let Some(stars) = memmem::find(after, MASK) {
        before = before.get(stars..).unwrap_or_default();
        after = &after[stars + MASK.len()..];
        let plain = &after[..memmem::find(after, MASK).unwrap_or(after.len())];
        let is_last = plain.len() == after.len();
        let end = if is_last { before.len().checked_sub(plain.len()) } else { memmem::find(before, plain) };
        let Some((secret, rest)) = end.and_then(|end| before.split_at_checked(end)) else { break };
        secrets.push(secret);
        before = rest;
    }
    secrets
}

/// Replaces what was `hidden` elsewhere with stars.
pub fn hide(text: &mut Vec<u8>, hidden: &[Vec<u8>]) {
    for secret in hidden {
        let mut from = 0;
        while let Some(at) = memmem::find(&text[from..], secret).map(|at| from + at) {
            text.splice(at..at + secret.len(), MASK.iter().copied());
            from = at + MASK.len();
        }
    }
}

/// Stars for every argument.
fn all_masked(arguments: &[u8]) -> Vec<u8> {
    let masked = arguments.split(|byte| *byte == 0).map(|argument| if argument.is_empty() { argument } else { MASK });
    masked.collect::<Vec<_>>().join(&0)
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

#[cfg(test)]
#[path = "redact/cases.rs"]
mod tests;

#[cfg(test)]
mod generated;
