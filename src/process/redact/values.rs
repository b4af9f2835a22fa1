//! Which values are no secrets: switches, places of secrets, files, ports. Every function looks at a bounded number of
//! bytes, and is pure.

use super::keys::Verdict;
use super::names::Names;
use super::words;

/// The longest value that can be a word.
const WORD_MAX: usize = 24;
/// How much of a value is looked at.
const LOOK_MAX: usize = 256;

/// The tables of values.
pub struct Values {
    harmless: Names<()>,
    directories: Names<()>,
    /// The beginnings of values that tell where the secret is, by their first byte.
    sources: Vec<Vec<&'static [u8]>>,
}

impl Values {
    /// The built-in tables.
    pub fn new() -> Self {
        let mut sources: Vec<Vec<_>> = (0..256).map(|_| Vec::new()).collect();
        for source in words::SOURCES.split_ascii_whitespace().map(str::as_bytes) {
            sources[usize::from(source[0])].push(source);
        }
        let (harmless, directories) = (Names::of(words::HARMLESS_VALUES), Names::of(words::TOP_DIRECTORIES));
        Values { harmless, directories, sources }
    }

    /// Whether a value is no secret, after a key with this verdict.
    pub fn is_harmless(&self, value: &[u8], verdict: Verdict) -> bool {
        let value = without_quotes(value);
        if value.is_empty() || value.len() <= WORD_MAX && self.harmless.has(&value.to_ascii_lowercase()) {
            return true;
        }
        if value.starts_with(b"./") || value.starts_with(b"../") || value.starts_with(b"~/") {
            return true;
        }
        if self.sources[usize::from(value[0])].iter().any(|source| value.starts_with(source)) {
            return true;
        }
        match verdict {
            Verdict::Harmless => true,
            Verdict::Secret | Verdict::Authorization => false,
            Verdict::SecretOrFile => self.is_file(value),
            Verdict::SecretOrDirectory => value.starts_with(b"/"),
            Verdict::SecretOrNumber => value.len() <= 2 && value.iter().all(u8::is_ascii_digit),
            Verdict::Weak => !is_random(value) || self.is_file(value),
        }
    }

    /// Whether a value is the path of a file.
    pub fn is_file(&self, value: &[u8]) -> bool {
        let value = &value[..value.len().min(LOOK_MAX)];
        if value.starts_with(b"./") || value.starts_with(b"../") || value.starts_with(b"~") || value.starts_with(b"@") {
            return true;
        }
        if let Some(path) = value.strip_prefix(b"/") {
            let end = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
            return self.directories.has(&path[..end]);
        }
        let is_relative = value.contains(&b'/')
            && value.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'/'));
        if is_relative && value.iter().rev().take(6).any(|byte| *byte == b'.') {
            return true;
        }
        words::FILE_ENDINGS.split_ascii_whitespace().any(|ending| value.ends_with(ending.as_bytes()))
    }
}

/// Whether a value looks random: long, with letters and digits, and nothing but the characters of base64 or base64url.
pub fn is_random(value: &[u8]) -> bool {
    let look = &value[..value.len().min(LOOK_MAX)];
    let (mut digits, mut letters, mut dots) = (0, 0, 0);
    for byte in look {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'a'..=b'z' | b'A'..=b'Z' => letters += 1,
            b'+' | b'/' | b'=' | b'_' | b'-' => {}
            b'.' => dots += 1,
            _ => return false,
        }
    }
    look.len() >= 16 && digits >= 2 && letters >= 2 && dots <= 2
}

/// Whether a value is no port, number, user or group: it has a capital, a character that no name has, or digits beside
/// letters.
pub fn is_unlike_a_name(value: &[u8]) -> bool {
    let value = &value[..value.len().min(LOOK_MAX)];
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let small = value.iter().filter(|byte| byte.is_ascii_lowercase()).count();
    let joints = value.iter().filter(|byte| matches!(byte, b'_' | b'-' | b'.' | b'/' | b':')).count();
    let others = value.len() - digits - small - joints;
    !value.is_empty() && (others > 0 || digits > 0 && small > 0)
}

/// Whether a value looks like a password that somebody made up: a digit between letters of both cases, or a character that
/// is in no name, number or path.
pub fn is_like_a_password(value: &[u8]) -> bool {
    let value = &value[..value.len().min(LOOK_MAX)];
    let is_special = |byte: &u8| matches!(byte, b'!' | b'$' | b'^' | b'~');
    let is_plain =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'@') || is_special(byte);
    if value.len() < 5 || !value.iter().all(is_plain) || value[0] == b'$' || value[0] == b'@' {
        return false;
    }
    let digit = value[1..value.len() - 1].iter().any(u8::is_ascii_digit);
    let (small, big) = (value.iter().any(u8::is_ascii_lowercase), value.iter().any(u8::is_ascii_uppercase));
    let inside = value.iter().rev().skip_while(|byte| byte.is_ascii_digit()).any(u8::is_ascii_digit);
    let special = value.iter().any(is_special) && small | big;
    digit && inside && small && big || special && digit
}

/// Whether a value is prose: several words of small letters.
pub fn is_prose(value: &[u8]) -> bool {
    let look = &value[..value.len().min(LOOK_MAX)];
    let blanks = look.iter().filter(|byte| **byte == b' ').count();
    let is_word =
        |byte: &u8| byte.is_ascii_lowercase() || matches!(byte, b' ' | b'.' | b',' | b'\'' | b'-' | b':' | b'?' | b'!');
    blanks > 0 && look[0].is_ascii_alphabetic() && look[1..].iter().all(is_word)
}

/// Whether a value is a port, an address with one, or the mapping of one to another: `8080:80/tcp`.
pub fn is_port(value: &[u8]) -> bool {
    let value = value.strip_suffix(b"/tcp").or_else(|| value.strip_suffix(b"/udp")).unwrap_or(value);
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let joints = value.iter().filter(|byte| matches!(byte, b':' | b'-' | b'.' | b',')).count();
    value.len() < 48 && digits > 0 && digits + joints == value.len()
}

/// The value without the quotes around it.
pub fn without_quotes(value: &[u8]) -> &[u8] {
    match value {
        [first @ (b'"' | b'\''), inner @ .., last] if first == last => inner,
        _ => value,
    }
}

/// Whether a shell replaces the value: `$NAME`, `${NAME}`, `$(command)`.
pub fn is_expanded(value: &[u8]) -> bool {
    let value = value.strip_prefix(b"\"").map_or(value, |value| value.strip_suffix(b"\"").unwrap_or(value));
    match value {
        [b'$', b'(', .., b')'] => true,
        [b'$', b'{', name @ .., b'}'] | [b'$', name @ ..] => {
            !name.is_empty()
                && name.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_file_a_port_or_a_secret() {
        let values = Values::new();
        for (value, file, port, random) in [
            ("/etc/key.pem", true, false, false),
            ("./x", true, false, false),
            ("~/.ssh/id_rsa", true, false, false),
            ("tls.key", true, false, false),
            ("/Ab3+9x/k2f8Q0w1=", false, false, true),
            ("8080:80/tcp", false, true, false),
            ("127.0.0.1:80:80", false, true, false),
            ("5432", false, true, false),
            ("abc", false, false, false),
            ("0123456789abcdef0123", false, false, true),
        ] {
            let found = (values.is_file(value.as_bytes()), is_port(value.as_bytes()), is_random(value.as_bytes()));
            assert_eq!(found, (file, port, random), "{value}");
        }
        for (value, expected) in
            [("wheel", false), ("www-data", false), ("1000", false), ("S3cret", true), ("p4ss", true), ("a!b", true)]
        {
            assert_eq!(is_unlike_a_name(value.as_bytes()), expected, "{value}");
        }
        for (value, expected) in
            [("$PASS", true), ("${A_B}", true), ("$(cat x)", true), ("$ecret", false), ("x", false)]
        {
            assert_eq!(is_expanded(value.as_bytes()), expected, "{value}");
        }
    }
}
