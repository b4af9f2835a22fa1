//! Flags that mean a secret with some programs only, and whose flags the words of a line are.

use memchr::{memchr, memrchr};

/// A secret by the program and the flag.
pub struct Flag {
    programs: &'static str,
    flags: &'static [&'static str],
    /// Whether the value may be the next argument; attached to a single letter it may always be.
    pub next: bool,
    /// Whether the secret is what follows a colon in the value.
    pub after_colon: bool,
}

const FLAGS: &[Flag] = &[
    Flag {
        programs: "mysql mysqladmin mysqlbinlog mysqlcheck mysqldump mysqlimport mysqlpump mysqlshow mysqlslap \
            mysql_upgrade mariadb mariadb-admin mariadb-binlog mariadb-check mariadb-dump mariadb-import mariadb-show \
            mariadb-slap mariadb-upgrade",
        flags: &["-p"],
        next: false,
        after_colon: false,
    },
    Flag { programs: "sshpass", flags: &["-p"], next: true, after_colon: false },
    Flag { programs: "curl", flags: &["-u", "-U", "--user", "--proxy-user"], next: true, after_colon: true },
    Flag { programs: "curl", flags: &["--pass", "--proxy-pass"], next: true, after_colon: false },
];

/// Programs that start another: name, letters of its flags that take a value, operands before the other's name.
const WRAPPERS: &[(&str, &[u8], usize)] = &[
    ("sudo", b"CDghpRrTtu", 0),
    ("doas", b"Cu", 0),
    ("env", b"CSu", 0),
    ("nohup", b"", 0),
    ("nice", b"n", 0),
    ("ionice", b"cn", 0),
    ("time", b"fo", 0),
    ("timeout", b"ks", 1),
    ("exec", b"a", 0),
    ("setsid", b"", 0),
    ("stdbuf", b"eio", 0),
    ("strace", b"eops", 0),
    ("xargs", b"dEILnPs", 0),
    ("sshpass", b"dfPp", 0),
    // `docker exec CONTAINER`
    ("docker", b"euw", 2),
    ("podman", b"euw", 2),
];

/// Words after which a program is named anew, besides those of `;`, `|` and `&`.
const OPERATORS: &[&[u8]] = &[b"--", b"(", b"{", b"do", b"then", b"else"];

/// Whether a program is named after `word`.
pub fn is_operator(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(|byte| matches!(byte, b';' | b'|' | b'&')) || OPERATORS.contains(&word)
}

/// The names of all programs that have such flags.
pub fn triggers() -> impl Iterator<Item = &'static str> {
    FLAGS.iter().flat_map(|rule| rule.programs.split_whitespace())
}

/// The flags that mean a secret with `program`.
pub fn flags_of(program: &[u8]) -> impl Iterator<Item = (&'static Flag, &'static str)> {
    let rules =
        FLAGS.iter().filter(move |rule| rule.programs.split_whitespace().any(|name| name.as_bytes() == program));
    rules.flat_map(|rule| rule.flags.iter().map(move |flag| (rule, *flag)))
}

/// Follows a line's words, to know whose flags they are.
pub struct Speaker<'a> {
    /// Its name, if it has such flags, else empty.
    pub program: &'a [u8],
    /// While the program is still to be named: how many operands come first.
    operands: Option<usize>,
    /// Letters of flags whose value is the next word.
    valued: &'static [u8],
    /// Whether the next word is such a value.
    value: bool,
}

impl Default for Speaker<'_> {
    fn default() -> Self {
        Speaker { program: b"", operands: Some(0), valued: b"", value: false }
    }
}

impl<'a> Speaker<'a> {
    /// Goes on by one word.
    pub fn hear(&mut self, mut word: &'a [u8]) {
        if is_operator(word) {
            *self = Speaker::default();
            return;
        }
        // A shell's `$(` or backtick, or a quote that is one for an inner shell.
        let inner = match word {
            [b'-', ..] => None,
            [b'\\', b'"' | b'\'', ..] => Some(1),
            _ => word.iter().rposition(|byte| matches!(byte, b'(' | b'`')),
        };
        if let Some(open) = inner {
            *self = Speaker::default();
            word = &word[open + 1..];
        }
        let Some(operands) = self.operands else { return };
        if std::mem::take(&mut self.value) {
            return;
        }
        match word {
            [b'-', letter] => self.value = self.valued.contains(letter),
            [b'-', ..] => {}
            _ if memchr(b'=', word).is_some() => {}
            _ if operands > 0 => self.operands = Some(operands - 1),
            _ => {
                let name = memrchr(b'/', word).map_or(word, |slash| &word[slash + 1..]);
                let wrapper = WRAPPERS.iter().find(|(wrapper, ..)| wrapper.as_bytes() == name);
                self.program = if triggers().any(|known| known.as_bytes() == name) { name } else { b"" };
                self.operands = wrapper.map(|(_, _, operands)| *operands);
                self.valued = wrapper.map_or(b"", |(_, valued, _)| valued);
            }
        }
    }
}
