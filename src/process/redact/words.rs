//! Which keys have a secret value. Keys are compared "folded": in lower case, with `_` for `-`.

use memchr::memmem;

/// Words that make a key secret wherever they are in it. Each also matches without its `_`.
const WORDS: &str = "password passwd passphrase mysql_pwd access_token auth_token api_key access_key account_key \
    private_key secret credentials stripetoken keypass storepass requirepass sshpass";

/// Words that make a key secret only as its last part: `db_token` but not `token_count`, `DB_PASS` but not `bypass`.
const LAST_WORDS: [&str; 3] = ["token", PWD, PASS];
/// The last word that may also name the working directory: `PWD=/home`.
const PWD: &str = "pwd";
/// The last word whose value may also be a number: `ffmpeg -pass 1`. So a flag `-pass` with a separate value is not
/// secret.
pub const PASS: &str = "pass";

/// The value of this key is not secret as a whole: it begins with a scheme.
pub const AUTHORIZATION: &str = "authorization";

/// Endings of keys whose value is not the secret: it tells where the secret is, or of which kind.
const HARMLESS_ENDINGS: [&str; 11] =
    ["file", "path", "name", "id", "dir", "stdin", "fd", "prompt", "store", "ttl", "type"];

/// The built-in and the user's secret words, each with and without its `_`.
pub struct Words(Vec<String>);

impl Words {
    /// The built-in words and `further` ones.
    pub fn new(further: &[String]) -> Self {
        let further = further.iter().map(|word| word.to_ascii_lowercase().replace('-', "_"));
        let spelled: Vec<String> = WORDS.split_whitespace().map(str::to_owned).chain(further).collect();
        let joined = spelled.iter().map(|word| word.replace('_', ""));
        Words(joined.chain(spelled.iter().cloned()).filter(|word| !word.is_empty()).collect())
    }

    /// Triggers: every secret key contains one.
    pub fn triggers(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str).chain(LAST_WORDS).chain([AUTHORIZATION])
    }

    /// Whether `key` has a secret value. `value` is the first byte of the value. The text before a `colon` is often a
    /// host, an image or a volume, so the secret word must come last there.
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

/// Whether a byte may be part of a key. It need not be ASCII: a user's word may be in any language.
pub fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') || !byte.is_ascii()
}
