//! Masks secrets in command lines. It knows what a secret looks like, and nothing about processes or records.
//!
//! There are two passes. The first is a quick search of the whole command line for a few triggers. Without a trigger
//! there is nothing to mask. The second walks through the command line once: `scan` knows what encloses each byte, `line`
//! applies the rules to words, `pairs` to keys and their values, `shapes` to what is secret by its own form. The rules are
//! data: `programs`, `words` and `tokens` are tables, and `rules`, `keys` and `values` look things up in them.
//!
//! This is best effort: text that does not look like a secret stays.

mod keys;
mod line;
mod names;
mod pairs;
mod programs;
mod quick;
mod rules;
mod scan;
mod shapes;
mod tokens;
mod values;
mod words;

use std::borrow::Cow;
use std::ops::Range;

use quick::Quick;
use rules::Rules;
use scan::Scan;

const MASK: &[u8] = b"********";

/// Masking is repeated, because a masked secret may have hidden another one. Masking the result again changes nothing.
const MAX_ROUNDS: usize = 4;

/// Masks secrets in argument lists.
pub struct Redactor {
    rules: Rules,
    quick: Quick,
    folded: Vec<u8>,
}

impl Redactor {
    /// Masks with further secret words. They match like the built-in ones: case-insensitively, as a part of a key.
    pub fn new(words: &[String]) -> Self {
        let rules = Rules::new(words);
        let quick = Quick::new(rules.keys.further());
        Redactor { rules, quick, folded: Vec::new() }
    }

    /// Replaces each secret value with eight stars. The result is borrowed if there is no secret.
    ///
    /// `arguments` is the content of /proc/PID/cmdline. The number of arguments never changes.
    pub fn mask<'a>(&mut self, arguments: &'a [u8]) -> Cow<'a, [u8]> {
        let mut masked = Cow::Borrowed(arguments);
        for _ in 0..MAX_ROUNDS {
            if !self.quick.has_trigger(&masked, &mut self.folded) {
                break;
            }
            let mut scan = Scan::new(&masked, &self.folded, &self.rules);
            if !scan.run() {
                break;
            }
            let Some(more) = replace(&masked, scan.found).filter(|more| **more != *masked) else { break };
            masked = Cow::Owned(more);
        }
        masked
    }
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
