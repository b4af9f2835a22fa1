//! Flags that have a secret value only for certain programs, and which program the words of a line belong to.

use memchr::{memchr, memrchr};

/// Flags of certain programs that have a secret value.
pub struct Flag {
    programs: &'static str,
    flags: &'static [&'static str],
    /// Whether the value may be the next argument. It may always be attached to a single letter.
    pub next: bool,
    /// Whether only the part after a colon in the value is secret.
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

/// Programs that start another program: the name, the flags that take a value, the number of operands before the other
/// program's name.
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

/// Words before a program's name, besides those made of `;`, `|` and `&`.
const OPERATORS: &[&[u8]] = &[b"--", b"(", b"{", b"do", b"then", b"else"];

/// Whether the word after `word` is a program's name.
pub fn is_operator(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(|byte| matches!(byte, b';' | b'|' | b'&')) || OPERATORS.contains(&word)
}

/// The names of all programs that have flags with a secret value.
pub fn triggers() -> impl Iterator<Item = &'static str> {
    FLAGS.iter().flat_map(|rule| rule.programs.split_whitespace())
}

/// The flags of `program` that have a secret value.
pub fn flags_of(program: &[u8]) -> impl Iterator<Item = (&'static Flag, &'static str)> {
    let rules =
        FLAGS.iter().filter(move |rule| rule.programs.split_whitespace().any(|name| name.as_bytes() == program));
    rules.flat_map(|rule| rule.flags.iter().map(move |flag| (rule, *flag)))
}

/// Follows the words of a line to know which program's flags they are.
pub struct ProgramTracker<'a> {
    /// The name of the current program if it is in the table of flags, else empty.
    pub program: &'a [u8],
    /// The number of operands before the program's name. None after the name.
    operands: Option<usize>,
    /// The letters of flags whose value is the next word.
    valued: &'static [u8],
    /// Whether the next word is the value of such a flag.
    value: bool,
}

impl Default for ProgramTracker<'_> {
    fn default() -> Self {
        ProgramTracker { program: b"", operands: Some(0), valued: b"", value: false }
    }
}

impl<'a> ProgramTracker<'a> {
    /// Reads the next word.
    pub fn advance(&mut self, mut word: &'a [u8]) {
        if is_operator(word) {
            *self = ProgramTracker::default();
            return;
        }
        // A `$(`, a backtick, or an escaped quote begins the command of an inner shell.
        let inner = match word {
            [b'-', ..] => None,
            [b'\\', b'"' | b'\'', ..] => Some(1),
            _ => word.iter().rposition(|byte| matches!(byte, b'(' | b'`')),
        };
        if let Some(open) = inner {
            *self = ProgramTracker::default();
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
