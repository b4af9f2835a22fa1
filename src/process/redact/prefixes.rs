//! The prefixes of tokens. A long text without blanks is searched for them at every byte, so that must be cheap.

use super::tokens::{TOKENS, Token};

/// The prefixes by their first two bytes.
pub struct Prefixes {
    slots: Vec<Vec<Prefix>>,
}

struct Prefix {
    text: &'static [u8],
    /// Its first bytes as a number, and which bits of that count: most prefixes take one comparison.
    head: u64,
    mask: u64,
    token: &'static Token,
}

impl Prefixes {
    /// Those of all tokens.
    pub fn new() -> Self {
        let mut slots: Vec<Vec<_>> = (0..256).map(|_| Vec::new()).collect();
        for token in TOKENS {
            for text in token.prefixes.split_ascii_whitespace().map(str::as_bytes) {
                let mask = head(&[0xff; 8][..text.len().min(8)]);
                if let [first, second, ..] = text {
                    slots[slot(*first, *second)].push(Prefix { text, head: head(text), mask, token });
                }
            }
        }
        Prefixes { slots }
    }

    /// The prefixes with which a text begins.
    pub fn of<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = (&'static [u8], &'static Token)> + 'a {
        let slot = if let [first, second, ..] = text { &self.slots[slot(*first, *second)][..] } else { &[] };
        let begins = if slot.is_empty() { 0 } else { head(text) };
        let found =
            slot.iter().filter(move |prefix| begins & prefix.mask == prefix.head && text.starts_with(prefix.text));
        found.map(|prefix| (prefix.text, prefix.token))
    }
}

fn slot(first: u8, second: u8) -> usize {
    usize::from(first.wrapping_mul(31) ^ second)
}

/// The first eight bytes as a number, the first one lowest.
fn head(text: &[u8]) -> u64 {
    if let Some(bytes) = text.first_chunk() {
        return u64::from_le_bytes(*bytes);
    }
    text.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_is_found_and_no_other() {
        let prefixes = Prefixes::new();
        let all = || TOKENS.iter().flat_map(|token| token.prefixes.split_ascii_whitespace());
        for prefix in all() {
            for rest in ["", "x", "a longer rest"] {
                let text = format!("{prefix}{rest}");
                let mut found: Vec<_> = prefixes.of(text.as_bytes()).map(|(prefix, _)| prefix).collect();
                let mut expected: Vec<_> = all().filter(|other| text.starts_with(other)).map(str::as_bytes).collect();
                found.sort_unstable();
                expected.sort_unstable();
                assert_eq!(found, expected, "{text}");
            }
        }
        for text in ["", "g", "gh", "ghp-", "xox", "/usr/bin/x"] {
            assert_eq!(prefixes.of(text.as_bytes()).count(), 0, "{text}");
        }
    }
}
