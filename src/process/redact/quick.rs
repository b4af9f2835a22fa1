//! The first, quick search: whether a command line may have a secret at all. It knows a few triggers, one of which every
//! secret has beside it or in it.

use aho_corasick::packed::Searcher;

use super::tokens::TOKENS;

/// Parts of keys, of URLs, and of flags, in folded form: in lower case, `_` for `-`, a blank for control characters and
/// quotes. Every key of `words`, and every flag and operand of `programs`, has one of them.
const TRIGGERS: &[&str] = &[
    "pass", "pwd", "secret", "token", "key", "cred", "auth", "cookie", "sig", "bearer", "jwt", "psk", "_pw", "session",
    "sid=", "webhook", "dsn", "sas=", "://", ":\\/\\/", "@", "identified", "begin", " _p", " _w", " _u", " _a ", " _x ",
    " _n ", " _k", " _y", " _hp", " _e ", " _c ", " _b", " _id ", " _ap ", " _xp ", " _opw ", " _upw ", " _s ", "/p:",
    "/gp:", "/pth:", " _t ", "pw ", "pin ", "userid=", "__value", "__body", "__arg", "alias set", "host add", "user add",
    "add_user", "unseal", "unwrap", "obscure", "unlock", "__plaintext", "code=", "enc ", "__encrypt", "sqlplus",
];

/// The longest part of a token's prefix that is searched for.
const PREFIX_MAX: usize = 4;

/// The search. None of a searcher if there are too many words: the rules then always run.
pub struct Quick {
    searchers: Option<Vec<Searcher>>,
}

impl Quick {
    /// The built-in triggers, and the user's words.
    pub fn new(further: &[String]) -> Self {
        let words = TRIGGERS.iter().map(|trigger| (*trigger).to_owned()).chain(further.iter().cloned());
        let prefixes = TOKENS.iter().flat_map(|token| token.prefixes.split_whitespace());
        let prefixes = prefixes.map(|prefix| {
            let folded = prefix.to_ascii_lowercase().replace('-', "_");
            folded[..folded.len().min(PREFIX_MAX)].to_owned()
        });
        let searchers = [minimal(words), minimal(prefixes)].into_iter().map(|words| Searcher::new(&words)).collect();
        Quick { searchers }
    }

    /// A search that always finds something.
    #[cfg(test)]
    pub fn always() -> Self {
        Quick { searchers: None }
    }

    /// Whether it can search.
    #[cfg(test)]
    pub fn is_quick(&self) -> bool {
        self.searchers.is_some()
    }

    /// Whether one of the triggers is in the text. `folded` becomes the text's folded form.
    pub fn has_trigger(&self, text: &[u8], folded: &mut Vec<u8>) -> bool {
        folded.clear();
        folded.extend(text.iter().map(|byte| fold(*byte)));
        match &self.searchers {
            Some(searchers) => searchers.iter().any(|searcher| searcher.find(&*folded).is_some()),
            None => true,
        }
    }
}

/// A byte in lower case, with `_` for `-`, and a blank for what is before `(` in ASCII: control characters and quotes.
fn fold(byte: u8) -> u8 {
    match byte {
        0..b'(' => b' ',
        b'-' => b'_',
        other => other.to_ascii_lowercase(),
    }
}

/// The words without those that contain another one: fewer triggers are faster.
fn minimal(words: impl Iterator<Item = String>) -> Vec<String> {
    let mut words: Vec<String> = words.collect();
    words.sort_by_key(String::len);
    let mut minimal: Vec<String> = Vec::new();
    for word in words {
        if !minimal.iter().any(|shorter| contains(word.as_bytes(), shorter.as_bytes())) {
            minimal.push(word);
        }
    }
    minimal
}

/// Whether a short text has another one in it. The general search takes longer to prepare than this takes in all.
fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window.first() == part.first() && window == part)
}
