//! The first, quick search: whether a command line may have a secret at all. Most lines have none of its triggers, and
//! nothing else is done for them.

use aho_corasick::packed::Searcher;
use memchr::{memchr, memchr_iter, memchr2, memrchr};

use super::rules::Rules;
use super::tokens::{Alphabet, LONG, TOKENS, Token};

/// Parts of keys, of URLs and of flags in folded form: in lower case, `_` for `-`, a blank for control characters and
/// quotes. Every secret has one of them beside it, or is a long token, or has the form of `user:S`, or is in the arguments
/// of a known program. If that is not among the first words, a script or another program starts it.
const TRIGGERS: &[&str] = &[
    "pass",
    "pwd",
    "secret",
    "token",
    "key",
    "cred",
    "auth",
    "cookie",
    "sig",
    "jwt",
    "psk",
    "://",
    "identified",
    "_begin",
    "bearer",
    "code",
    "otp",
    "pin=",
    "pin ",
    "_pw",
    "pw=",
    "pw ",
    "eyj",
    "hmac",
    "login",
    " _p",
    " _w",
    " _u",
    " _k",
    " _s ",
    " _t ",
    " _n ",
    " _a ",
    " _c ",
    " _lc ",
    " /p ",
    "exec",
];

/// How many bytes of a token's prefix are searched for.
const PREFIX_MAX: usize = 5;

/// How many words are looked at for a program: it may be behind `sudo -u USER`.
const WORDS_MAX: usize = 5;

/// The search.
pub struct Quick {
    /// Of the triggers of two or three bytes, and of the longer ones: a searcher compares as many bytes at once as its
    /// shortest trigger has. None if there are too many words: the rules then always run.
    searchers: Option<[Searcher; 2]>,
}

impl Quick {
    /// The built-in triggers, and the user's words.
    pub fn new(further: &[String]) -> Self {
        let (short, long): (Vec<_>, Vec<_>) = triggers(further).into_iter().partition(|trigger| trigger.len() < 4);
        let searchers = Searcher::new(&short).zip(Searcher::new(&long));
        Quick { searchers: searchers.map(|(short, long)| [short, long]) }
    }

    /// A search that always finds something.
    #[cfg(test)]
    pub fn always() -> Self {
        Quick { searchers: None }
    }

    /// Whether there is any of that in the text. `folded` becomes the text's folded form.
    pub fn has_trigger(&self, text: &[u8], rules: &Rules, folded: &mut Vec<u8>) -> bool {
        folded.clear();
        folded.extend(text.iter().map(|byte| fold(*byte)));
        let Some(searchers) = &self.searchers else { return true };
        has_program(text, rules)
            || has_pair(text)
            || has_run(text)
            || searchers.iter().any(|searcher| searcher.find(&*folded).is_some())
    }
}

/// The triggers, without those that contain another one: fewer are faster. The searcher is fast up to 64.
fn triggers(further: &[String]) -> Vec<String> {
    let of_token = |token: &'static Token| {
        // A sign of base64 ends a run of a token's characters.
        let is_run = token.alphabet != Alphabet::Base64;
        let is_found = move |prefix: &&str| !is_run || prefix.len() + token.least < LONG;
        token.prefixes.split_whitespace().filter(is_found)
    };
    let prefixes = TOKENS.iter().flat_map(of_token).map(|prefix| {
        let folded: Vec<u8> = prefix.bytes().take(PREFIX_MAX).map(fold).collect();
        String::from_utf8_lossy(&folded).into_owned()
    });
    let built_in = TRIGGERS.iter().map(|trigger| (*trigger).to_owned());
    let mut words: Vec<String> = built_in.chain(prefixes).chain(further.iter().cloned()).collect();
    words.sort_by_key(String::len);
    let mut minimal: Vec<String> = Vec::new();
    for word in words {
        if !minimal.iter().any(|shorter| contains(word.as_bytes(), shorter.as_bytes())) {
            minimal.push(word);
        }
    }
    minimal
}

/// A byte in lower case, with `_` for `-`, and a blank for what is before `(` in ASCII: control characters and quotes.
fn fold(byte: u8) -> u8 {
    match byte {
        0..b'(' => b' ',
        b'-' => b'_',
        other => other.to_ascii_lowercase(),
    }
}

/// Whether one of the first words is a program that the tables know.
fn has_program(text: &[u8], rules: &Rules) -> bool {
    let mut start = 0;
    for _ in 0..WORDS_MAX {
        let end = memchr2(0, b' ', &text[start..]).map_or(text.len(), |length| start + length);
        let word = &text[start..end];
        let name = memrchr(b'/', word).map_or(word, |slash| &word[slash + 1..]);
        if rules.program(name).is_some_and(|program| program.has_secrets) {
            return true;
        }
        if end == text.len() {
            return false;
        }
        start = end + 1;
    }
    false
}

/// Whether there is a pair like `user:S` or `user:S@host`: a colon between letters or digits, which no port follows.
fn has_pair(text: &[u8]) -> bool {
    let is_pair = |colon: usize| {
        let before = colon.checked_sub(1).map(|before| text[before]);
        let rest = &text[colon + 1..];
        // A path, a number or the end follows most colons.
        let digits = rest.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
        before.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'\\'))
            && rest.get(digits).is_some_and(|byte| !matches!(byte, 0 | b' ' | b'/' | b':' | b',' | b'"' | b'\''))
    };
    memchr_iter(b':', text).any(is_pair) || memchr(b'%', text).is_some()
}

/// Whether a long token may be in the text: a run of nothing but its characters, some of which are capitals or digits.
/// Every run of that length contains each `LONG`th byte, so few bytes are looked at.
fn has_run(text: &[u8]) -> bool {
    let mut start = 0;
    while let Some(window) = text.get(start..start + LONG) {
        if let Some(last) = window.iter().rposition(|byte| !is_token_byte(*byte)) {
            start += last + 1;
            continue;
        }
        let run = text[start..].iter().take_while(|byte| is_token_byte(**byte)).count();
        if text[start..start + run].iter().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()) {
            return true;
        }
        start += run;
    }
    false
}

/// The characters of tokens, as a table: the search looks at many bytes.
static TOKEN_BYTES: [bool; 256] = {
    let mut is = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        is[byte] = (byte as u8).is_ascii_alphanumeric() || matches!(byte as u8, b'_' | b'-' | b'.');
        byte += 1;
    }
    is
};

fn is_token_byte(byte: u8) -> bool {
    TOKEN_BYTES[usize::from(byte)]
}

/// Whether a short text has another one in it. The general search takes longer to prepare than this takes in all.
fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window.first() == part.first() && window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_searcher_is_fast_with_so_many_triggers() {
        let (short, long): (Vec<_>, Vec<_>) = triggers(&[]).into_iter().partition(|trigger| trigger.len() < 4);
        // aho-corasick compares 16 bytes at once, instead of 32, for more than 32 patterns.
        assert!(short.len() <= 32 && short.iter().all(|trigger| trigger.len() == 3), "{}: {short:?}", short.len());
        assert!(long.len() <= 32, "{}: {long:?}", long.len());
    }

    #[test]
    fn a_long_token_is_found_wherever_it_begins() {
        for start in 0..64 {
            let text = format!("{}{}", "/".repeat(start), "a1".repeat(LONG)[..LONG].to_owned());
            assert!(has_run(text.as_bytes()), "{start}");
        }
        assert!(!has_run(b"/usr/lib/service/some/path/without-any-token-in-it --option-0001=/usr/lib"));
    }
}
