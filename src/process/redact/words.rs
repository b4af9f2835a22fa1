//! Which keys are those of secrets. Keys are compared in lower case and with `_` for `-`: "folded".

use memchr::memmem;

/// Secret in any part of a key; each `_` may also be left out.
const WORDS: &str = "password passwd passphrase mysql_pwd access_token auth_token api_key access_key account_key \
    private_key secret credentials stripetoken keypass storepass requirepass sshpass";

/// Secret as the last part of a key only: `db_token` but not `token_count`, `DB_PASS` but not `bypass`.
const LAST_WORDS: [&str; 3] = ["token", PWD, PASS];
/// Also the working directory, `PWD=/home`.
const PWD: &str = "pwd";
/// Also a number, `ffmpeg -pass 1`: as a flag with its value apart it is not one.
pub const PASS: &str = "pass";

/// Not a secret as a whole: it has a scheme first.
pub const AUTHORIZATION: &str = "authorization";

/// A key that ends so tells where the secret is, or what kind it is.
const HARMLESS_ENDINGS: [&str; 11] =
    ["file", "path", "name", "id", "dir", "stdin", "fd", "prompt", "store", "ttl", "type"];

/// The secret words, built-in and the user's, each with and without its `_`.
pub struct Words(Vec<String>);

impl Words {
    pub fn new(further: &[String]) -> Self {
        let further = further.iter().map(|word| word.to_ascii_lowercase().replace('-', "_"));
        let spelled: Vec<String> = WORDS.split_whitespace().map(str::to_owned).chain(further).collect();
        let joined = spelled.iter().map(|word| word.replace('_', ""));
        Words(joined.chain(spelled.iter().cloned()).filter(|word| !word.is_empty()).collect())
    }

    /// One of these is in every key that is secret.
    pub fn triggers(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str).chain(LAST_WORDS).chain([AUTHORIZATION])
    }

    /// Whether `key` is that of a secret, given the first byte of its value. What precedes a `colon` is often a host, an
    /// image or a volume: there the secret word must come last.
    pub fn is_secret(&self, key: &[u8], folded: &[u8], value: u8, colon: bool) -> bool {
        if colon && matches!(value, b'/' | b':') {
            return false;
        }
        if self.ends(folded)
            || LAST_WORDS.iter().any(|word| is_last(key, folded, word) && !(*word == PWD && value == b'/'))
        {
            return true;
        }
        let is_harmless = |ending: &str| {
            is_last(key, folded, ending) || folded.strip_suffix(ending.as_bytes()).is_some_and(|rest| self.ends(rest))
        };
        !colon
            && self.0.iter().any(|word| memmem::find(folded, word.as_bytes()).is_some())
            && !HARMLESS_ENDINGS.iter().any(|ending| is_harmless(ending))
    }

    fn ends(&self, folded: &[u8]) -> bool {
        self.0.iter().any(|word| folded.ends_with(word.as_bytes()))
    }
}

/// Whether `word` is the last part of `key`: `token` of `db_token`, `dbToken` and `token`.
fn is_last(key: &[u8], folded: &[u8], word: &str) -> bool {
    let Some(rest) = folded.strip_suffix(word.as_bytes()) else { return false };
    match (key[..rest.len()].last(), key.get(rest.len())) {
        (Some(before), Some(first)) if before.is_ascii_alphanumeric() => {
            first.is_ascii_uppercase() && !before.is_ascii_uppercase()
        }
        _ => true,
    }
}

/// What keys are made of. Not ASCII only: a word given by the user may be of any language.
pub fn is_of_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') || !byte.is_ascii()
}
