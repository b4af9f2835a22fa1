//! The first, quick search: whether a command line may have a secret at all. Most lines have none of its triggers, and
//! nothing else is done for them.

use aho_corasick::packed::Searcher;
use memchr::{memchr2, memchr2_iter, memrchr};

use super::rules::Rules;
use super::tokens::LONG;

/// Parts of keys and of flags in folded form: in lower case, a blank for `=`, quotes and control characters. Every secret has
/// one of them beside it, or is a long token, or has a colon beside it, or is in the arguments of a known program. If that
/// is not among the first words, a script or another program starts it. There are at most 32, and none is shorter than three
/// bytes: the searcher is much slower otherwise.
///
/// The searcher deals them out to eight buckets in turn, and looks closer wherever halves of bytes of any triggers in a
/// bucket come together. In this order, with a column to a bucket, that is rare in usual command lines.
#[rustfmt::skip]
const TRIGGERS: &[&str] = &[
    "/p ", " -k", " -t ", "bearer", "exec", "cred", "pass", "key",
    " -n ", " -p", " -u", " -a ", "eyj", "code", "pin ", "secret",
    " -c ", " -s ", "jwt", "hmac", "otp", "login", "psk", "sig",
    " -lc ", " -w", "auth", "identified", "pwd", "token", "pw ", "cookie",
];

/// How many words are looked at for a program: it may be behind `sudo -u USER`.
const WORDS_MAX: usize = 5;

/// The search.
pub struct Quick {
    /// Of the triggers. None if there are too many: the rules then always run.
    searcher: Option<Searcher>,
}

impl Quick {
    /// The built-in triggers, and the user's words.
    pub fn new(further: &[String]) -> Self {
        Quick { searcher: Searcher::new(triggers(further)) }
    }

    /// A search that always finds something.
    #[cfg(test)]
    pub fn always() -> Self {
        Quick { searcher: None }
    }

    /// Whether the text has a trigger, a known program, a pair or a long token. `folded` is a buffer for its folded form.
    pub fn has_trigger(&self, text: &[u8], rules: &Rules, folded: &mut Vec<u8>) -> bool {
        let Some(searcher) = &self.searcher else { return true };
        if has_program(text, rules) || has_pair(text) || has_run(text, rules) {
            return true;
        }
        folded.clear();
        folded.extend(text.iter().map(|byte| fold(*byte)));
        searcher.find(&*folded).is_some()
    }
}

/// The triggers as they are searched for, and of the user's words those that do not contain one: fewer are faster.
fn triggers(further: &[String]) -> Vec<Vec<u8>> {
    let folded = |word: &str| word.bytes().map(fold).collect::<Vec<u8>>();
    let mut triggers: Vec<_> = TRIGGERS.iter().copied().map(folded).collect();
    for word in further {
        // `_` and `-` are the same in a key, but not here: the longest part between them is searched for.
        let part = folded(word.split(['_', '-']).max_by_key(|part| part.len()).unwrap_or_default());
        if !part.is_empty() && !triggers.iter().any(|shorter| contains(&part, shorter)) {
            triggers.push(part);
        }
    }
    triggers
}

/// A byte as it is searched for: in lower case, with `(` for `=`, blanks, quotes and control characters. A few others become
/// the same byte too: that finds more, never less. It is so simple that the compiler folds many bytes at once.
fn fold(byte: u8) -> u8 {
    let lower = byte.max(BLANK) | 0x20;
    if lower == b'=' { BLANK } else { lower }
}

/// What a blank becomes.
const BLANK: u8 = b'(';

/// Whether one of the first words is a program that the tables know.
fn has_program(text: &[u8], rules: &Rules) -> bool {
    let mut start = 0;
    for _ in 0..WORDS_MAX {
        let end = memchr2(0, b' ', &text[start..]).map_or(text.len(), |length| start + length);
        let word = &text[start..end];
        // A flag is no program.
        if word.first() != Some(&b'-') {
            let name = memrchr(b'/', word).map_or(word, |slash| &word[slash + 1..]);
            if rules.program(name).is_some_and(|program| program.has_secrets) {
                return true;
            }
        }
        if end == text.len() {
            return false;
        }
        start = end + 1;
    }
    false
}

/// Whether there is a pair like `user:S` or `user:S@host`, or a URL: a colon between letters or digits, which no port
/// follows, or one before two slashes.
fn has_pair(text: &[u8]) -> bool {
    let is_pair = |colon: usize| {
        let before = colon.checked_sub(1).map(|before| text[before]);
        let rest = &text[colon + 1..];
        // A path, a number or the end follows most colons.
        let digits = rest.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
        let is_free = before
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'\\'))
            && rest.get(digits).is_some_and(|byte| !matches!(byte, 0 | b' ' | b'/' | b':' | b',' | b'"' | b'\''));
        is_free || rest.starts_with(b"//") || ends_with_pw(&text[..colon])
    };
    memchr2_iter(b':', b'%', text).any(|at| text[at] == b'%' || is_pair(at))
}

/// Whether a key before a colon ends with `pw`. The trigger has only those before blanks and quotes.
fn ends_with_pw(text: &[u8]) -> bool {
    let quotes = text.iter().rev().take(8).take_while(|byte| matches!(byte, b'"' | b'\'' | b'\\')).count();
    text[..text.len() - quotes].last_chunk::<2>().is_some_and(|end| end.eq_ignore_ascii_case(b"pw"))
}

/// Whether a long token may be in the text: a run of nothing but its characters, with the prefix of a token, and with
/// capitals or digits. Every run of that length contains each `LONG`th byte. From there, a short way back leads to the end
/// of the run before, so few bytes are looked at.
fn has_run(text: &[u8], rules: &Rules) -> bool {
    let mut start = 0;
    while let Some(window) = text.get(start..start + LONG) {
        let mut last = LONG;
        while last > 0 && CLASSES[usize::from(window[last - 1])] != NO_TOKEN {
            last -= 1;
        }
        if last > 0 {
            start += last;
            continue;
        }
        let (mut length, mut classes) = (0, 0);
        for byte in &text[start..] {
            let class = CLASSES[usize::from(*byte)];
            if class == NO_TOKEN {
                break;
            }
            classes |= class;
            length += 1;
        }
        if classes & MIX != 0 && has_token(&text[start..start + length], rules) {
            return true;
        }
        start += length;
    }
    false
}

/// Whether a token begins in a run, at its beginning or after a mark.
fn has_token(run: &[u8], rules: &Rules) -> bool {
    let mut before = MARK;
    run.iter().enumerate().any(|(at, byte)| {
        let class = CLASSES[usize::from(*byte)];
        let begins = before == MARK && class != MARK;
        before = class;
        begins && rules.may_begin_token(&run[at..])
    })
}

/// A byte that no token has.
const NO_TOKEN: u8 = 0;
/// A byte between the parts of a token. Another token may begin after it.
const MARK: u8 = 1;
/// A letter in lower case.
const LOWER: u8 = 2;
/// A capital or a digit: every token has one.
const MIX: u8 = 4;

/// What tokens consist of, as a table: the search looks at many bytes.
static CLASSES: [u8; 256] = {
    let mut classes = [NO_TOKEN; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'0'..=b'9' | b'A'..=b'Z' => MIX,
            b'a'..=b'z' => LOWER,
            b'_' | b'-' | b'.' | b'~' => MARK,
            _ => NO_TOKEN,
        };
        byte += 1;
    }
    classes
};

/// Whether a short text has another one in it. The general search takes longer to prepare than this takes in all.
fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window.first() == part.first() && window == part)
}

#[cfg(test)]
mod tests {
    use super::super::tokens::TOKENS;
    use super::*;

    #[test]
    fn the_searcher_is_fast_with_so_many_triggers() {
        let triggers = triggers(&[]);
        // aho-corasick compares 16 bytes at once, instead of 32, for more than 32 patterns.
        assert!(triggers.len() <= 32 && triggers.iter().all(|trigger| trigger.len() >= 3), "{}", triggers.len());
    }

    #[test]
    fn no_trigger_has_another_one_in_it() {
        let triggers = triggers(&["SECRETS".to_owned(), "kennwort".to_owned(), "_".to_owned()]);
        assert_eq!(triggers.len(), TRIGGERS.len() + 1);
        for trigger in &triggers {
            assert_eq!(triggers.iter().filter(|other| contains(trigger, other)).count(), 1, "{trigger:?}");
        }
    }

    #[test]
    fn a_short_token_has_a_trigger() {
        let triggers = triggers(&[]);
        for token in TOKENS {
            for prefix in token.prefixes.split(' ').filter(|prefix| prefix.len() + token.least < LONG) {
                let folded: Vec<u8> = prefix.bytes().map(fold).collect();
                assert!(triggers.iter().any(|trigger| contains(&folded, trigger)), "{prefix}");
            }
        }
    }

    #[test]
    fn a_long_token_is_found_wherever_it_begins() {
        let rules = Rules::new(&[]);
        let token = format!("ghp_{}", "a1".repeat(15));
        for start in 0..64 {
            assert!(has_run(format!("{}{token}", "/".repeat(start)).as_bytes(), &rules), "{start}");
        }
        for text in
            ["/usr/lib/path/without-any-token-in-it --option-0001=/usr/lib", "/usr/lib/a-long-name-of-a-directory-2.1"]
        {
            assert!(!has_run(text.as_bytes(), &rules), "{text}");
        }
    }
}
