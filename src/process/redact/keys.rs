//! Which keys have a secret value, by the words in them. It knows the tables of `words`, and nothing about values.

use super::names::Names;
use super::words::{self, AUTHORIZATION, Weight};

/// The longest key. Longer ones are not compared.
const KEY_MAX: usize = 96;
/// How many of the last words of a key are compared.
const PARTS_MAX: usize = 8;

/// What a key says about its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is no secret.
    Harmless,
    /// It is secret.
    Secret,
    /// It is secret, unless it is the path of a file: `--private-key`, `--credentials`.
    SecretOrFile,
    /// It is secret, unless it is a directory: `PWD=/home`.
    SecretOrDirectory,
    /// It is secret, unless it is a small number: `-pass 1`.
    SecretOrNumber,
    /// Only a value of the form `user:S` is secret, and one that looks random.
    Weak,
    /// It begins with a scheme, and the rest is secret.
    Authorization,
}

impl Verdict {
    /// Whether nothing is known of the value.
    pub fn is_harmless(self) -> bool {
        self == Verdict::Harmless
    }
}

/// Where a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `--key value`, `--key=value`.
    Flag,
    /// `-key value`: several letters after one dash may also be a letter and its value.
    ShortFlag,
    /// `key=value`.
    Variable,
    /// `key: value`. The text before a colon is often a host, an image or a volume: the secret word must come last.
    Colon,
}

/// The words that make a key secret.
pub struct Keys {
    words: Names<Weight>,
    /// Words that may end a longer word, by their last letter.
    glued: Vec<(&'static str, Weight)>,
    glued_last: [bool; 256],
    key_words: Names<()>,
    no_secrets: Names<()>,
    mark_tokens: Names<()>,
    endings: Names<()>,
    verbs: Names<()>,
    /// The user's words, each with and without its `_`.
    further: Vec<String>,
}

impl Keys {
    /// The built-in words, and the user's `further` ones.
    pub fn new(further: &[String]) -> Self {
        let spelled = further.iter().map(|word| word.to_ascii_lowercase().replace('-', "_"));
        let further = spelled.flat_map(|word| [word.replace('_', ""), word]).filter(|word| !word.is_empty());
        let glued: Vec<_> = words::WORDS.iter().filter(|row| row.glued).map(|row| (row.word, row.weight)).collect();
        let mut glued_last = [false; 256];
        for byte in glued.iter().filter_map(|(word, _)| word.as_bytes().last()) {
            glued_last[usize::from(*byte)] = true;
        }
        Keys {
            words: Names::new(words::WORDS.iter().map(|row| (row.word, row.weight))),
            glued,
            glued_last,
            key_words: Names::of(words::KEY_WORDS),
            no_secrets: Names::of(words::NO_SECRETS),
            mark_tokens: Names::of(words::MARK_TOKENS),
            endings: Names::of(words::HARMLESS_ENDINGS),
            verbs: Names::of(words::VERBS),
            further: further.collect(),
        }
    }

    /// The user's words.
    pub fn further(&self) -> &[String] {
        &self.further
    }

    /// What a key says about its value. `folded` is the key in lower case, with `_` for `-`.
    pub fn verdict(&self, key: &[u8], folded: &[u8], place: Place) -> Verdict {
        if key.is_empty() || key.len() > KEY_MAX {
            return Verdict::Harmless;
        }
        if folded.ends_with(AUTHORIZATION.as_bytes()) {
            return Verdict::Authorization;
        }
        let mut parts = [b"".as_slice(); PARTS_MAX];
        let (count, first) = split(key, folded, &mut parts);
        let parts = &parts[..count];
        let Some(last) = parts.last() else { return Verdict::Harmless };
        let is_flag = matches!(place, Place::Flag | Place::ShortFlag);
        if is_flag && count > 1 && self.verbs.has(first) {
            return Verdict::Harmless;
        }
        if parts.contains(&b"existing".as_slice()) {
            return Verdict::Harmless;
        }
        if is_flag && first == b"pass" && count > 2 {
            // `--pass-access-token`: whether to pass it on.
            return Verdict::Harmless;
        }
        let before = parts.len().checked_sub(2).map(|at| parts[at]);
        let further = self.is_further(folded);
        if further && !(place != Place::Colon && self.ends_harmlessly(last, folded)) {
            return Verdict::Secret;
        }
        // `-kpassword` is `-k password`, and `-DmyToken` defines a name.
        let short = place == Place::ShortFlag;
        let defines = short && key.first().is_some_and(|byte| b"DILWXPUJKF".contains(byte)) && first.len() < 4;
        if !defines && let Some(weight) = self.weight(last, before, short && count == 1) {
            return verdict(last, weight);
        }
        // `PassWord`: capitals are not always boundaries.
        let joint = folded.iter().rposition(|byte| matches!(byte, b'_' | b'.')).map_or(0, |at| at + 1);
        let segment = &folded[joint..];
        if !short && segment.len() > last.len() && self.words.get(segment).is_some_and(|weight| *weight != Weight::Weak)
        {
            return verdict(segment, Weight::Last);
        }
        // `-passwordFrom`: only a strong word at the beginning of a short flag is no letter with a value.
        let is_weak_flag = short && self.words.get(first) != Some(&Weight::Anywhere);
        if place == Place::Colon || is_weak_flag || self.endings.has(last) {
            return Verdict::Harmless;
        }
        // A secret word in the middle: `DB_PASSWORD_PROD`.
        for at in (0..parts.len() - 1).rev() {
            if self.endings.has(parts[at + 1]) {
                return Verdict::Harmless;
            }
            let before = at.checked_sub(1).map(|before| parts[before]);
            if self.weight(parts[at], before, false) == Some(Weight::Anywhere) {
                return verdict(parts[at], Weight::Anywhere);
            }
        }
        Verdict::Harmless
    }

    /// How this word makes a key secret. `before` is the word before it.
    fn weight(&self, part: &[u8], before: Option<&[u8]>, short: bool) -> Option<Weight> {
        if part == b"key" && before.is_some_and(|before| self.key_words.has(before)) {
            return Some(if before == Some(b"api") { Weight::Anywhere } else { Weight::Last });
        }
        if part == b"token" && before.is_some_and(|before| self.mark_tokens.has(before)) {
            return None;
        }
        if let Some(weight) = self.words.get(part) {
            return Some(*weight);
        }
        if !part.last().is_some_and(|byte| self.glued_last[usize::from(*byte)]) {
            return None;
        }
        if let Some(word) = part.strip_suffix(b"key").filter(|word| !short && self.key_words.has(word)) {
            return Some(if word == b"api" { Weight::Anywhere } else { Weight::Last });
        }
        let glued = self.glued.iter().find(|(word, _)| part.ends_with(word.as_bytes()))?;
        let is_letter = part.len() == glued.0.len() + 1 && short && part[0].is_ascii_alphabetic();
        (!is_letter && !self.no_secrets.has(part)).then_some(glued.1)
    }

    /// Whether the key begins with a secret word: `-passphrase S` is then no `-p` with a value.
    pub fn begins_with_word(&self, folded: &[u8]) -> bool {
        words::WORDS.iter().any(|row| folded.starts_with(row.word.as_bytes()))
    }

    /// Whether one of the user's words is in the key.
    pub fn is_further(&self, folded: &[u8]) -> bool {
        let has = |word: &String| {
            folded.len() >= word.len() && folded.windows(word.len()).any(|window| window == word.as_bytes())
        };
        self.further.iter().any(has)
    }

    fn ends_harmlessly(&self, last: &[u8], folded: &[u8]) -> bool {
        self.endings.has(last) && !self.further.iter().any(|word| folded.ends_with(word.as_bytes()))
    }
}

fn verdict(word: &[u8], weight: Weight) -> Verdict {
    match (weight, word) {
        (Weight::Weak, _) => Verdict::Weak,
        (_, b"pass" | b"signature" | b"pin") => Verdict::SecretOrNumber,
        (_, b"pwd" | b"oldpwd") => Verdict::SecretOrDirectory,
        (_, word) if word.ends_with(b"key") || word.starts_with(b"credential") || word == b"cookie" => {
            Verdict::SecretOrFile
        }
        _ => Verdict::Secret,
    }
}

/// The last words of a key, without the digits at their ends. Returns how many, and the key's first word.
fn split<'a>(key: &[u8], folded: &'a [u8], parts: &mut [&'a [u8]; PARTS_MAX]) -> (usize, &'a [u8]) {
    let mut count = 0;
    let mut first: &[u8] = b"";
    let mut add = |start: usize, end: usize| {
        let word = &folded[start..end];
        let letters = word.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |last| last + 1);
        if letters == 0 {
            return;
        }
        let word = &word[..letters];
        if count == 0 && first.is_empty() {
            first = word;
        }
        if count == PARTS_MAX {
            parts.rotate_left(1);
            count -= 1;
        }
        parts[count] = word;
        count += 1;
    };
    let mut start = 0;
    for at in 0..key.len() {
        let byte = key[at];
        if matches!(byte, b'_' | b'-' | b'.') {
            add(start, at);
            start = at + 1;
        } else if byte.is_ascii_uppercase() && at > start {
            // `apiKey`, and `APIKey`, in which the last capital begins a word.
            let after_small = !key[at - 1].is_ascii_uppercase();
            let before_small = key.get(at + 1).is_some_and(u8::is_ascii_lowercase);
            if after_small || before_small {
                add(start, at);
                start = at;
            }
        }
    }
    add(start, key.len());
    (count, first)
}

/// Whether a byte may be part of a key. It need not be ASCII: a user's word may be in any language.
pub const fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_their_verdicts() {
        use Verdict::{Harmless, Secret, SecretOrFile, SecretOrNumber, Weak};
        let keys = Keys::new(&[]);
        for (key, place, expected) in [
            ("password", Place::Flag, Secret),
            ("DB_PASSWORD_PROD", Place::Variable, Secret),
            ("PasswordAuthentication", Place::Variable, Harmless),
            ("APIToken", Place::Variable, Secret),
            ("apitoken", Place::Flag, Secret),
            ("dbpass", Place::Flag, Secret),
            ("pass", Place::Flag, SecretOrNumber),
            ("bypass", Place::Flag, Harmless),
            ("secretary", Place::Flag, Harmless),
            ("min-password-length", Place::Flag, Harmless),
            ("X-Auth-Key", Place::Colon, SecretOrFile),
            ("eab-hmac-key", Place::Flag, SecretOrFile),
            ("authkey", Place::Flag, SecretOrFile),
            ("keyboard", Place::Flag, Harmless),
            ("partition-key", Place::Flag, Weak),
            ("basicauth", Place::Variable, Weak),
            ("kpassword", Place::ShortFlag, Harmless),
            ("nsecrets", Place::ShortFlag, Harmless),
            ("DmyToken", Place::ShortFlag, Harmless),
            ("storepass", Place::ShortFlag, Secret),
            ("export-secret-keys", Place::Flag, Harmless),
            ("rotate-token", Place::Flag, Harmless),
            ("password1", Place::Flag, Secret),
            ("secret_id", Place::Variable, Harmless),
        ] {
            let folded = key.to_ascii_lowercase().replace('-', "_");
            assert_eq!(keys.verdict(key.as_bytes(), folded.as_bytes(), place), expected, "{key} {place:?}");
        }
    }
}
