//! The tables, prepared for searching. One value serves all command lines.

use std::cell::OnceCell;

use super::keys::Keys;
use super::names::Names;
use super::prefixes::Prefixes;
use super::programs::{self, Form, Operands, PROGRAMS, Takes};
use super::values::Values;
use super::words;

/// A flag of a program.
pub struct Flag {
    /// The flag.
    pub flag: &'static [u8],
    /// Where its value is.
    pub takes: Takes,
    /// What of it is secret.
    pub form: Form,
    /// The operand that must come before.
    pub after: &'static [u8],
}

/// Operands of a program, with the words before them apart.
pub struct Counted {
    /// The words before.
    pub after: Vec<&'static [u8]>,
    /// The row.
    pub row: &'static Operands,
}

/// A program.
pub struct Program {
    /// Its flags.
    pub flags: Vec<Flag>,
    /// Its operands.
    pub operands: Vec<Counted>,
    /// Its flags of one letter without a value.
    pub switches: &'static [u8],
    /// The subcommands that run another program, and how many operands follow before that.
    pub runs: &'static [(&'static str, u8)],
    /// Whether any of it is secret.
    pub has_secrets: bool,
}

impl Program {
    fn new(row: &'static programs::Program) -> Self {
        Program {
            flags: row.rules.iter().flat_map(flags).collect(),
            operands: row.operands.iter().map(counted).collect(),
            switches: row.switches.as_bytes(),
            runs: row.runs,
            has_secrets: !row.operands.is_empty() || row.rules.iter().any(|rule| rule.form != Form::Plain),
        }
    }

    /// How many operands follow a subcommand before the program that this one runs. None if it runs none then.
    pub fn operands_before(&self, subcommand: &[u8]) -> Option<u8> {
        self.runs.iter().find(|(word, _)| word.as_bytes() == subcommand).map(|(_, operands)| *operands)
    }
}

/// Everything that the tables say.
pub struct Rules {
    /// The words of keys.
    pub keys: Keys,
    /// Values that are no secrets.
    pub values: Values,
    /// The programs. A row is prepared when its program is met: few of them run on one machine.
    programs: Vec<OnceCell<Program>>,
    /// The programs' names, and their indices.
    pub names: Names<u16>,
    /// Endings of programs' names.
    pub endings: Names<()>,
    /// Programs whose operands are no programs.
    pub readers: Names<()>,
    /// Programs whose operand is a text to search for.
    pub searchers: Names<()>,
    /// Words after which there is a program again.
    pub starters: Names<()>,
    /// Long flags whose value is a name.
    pub naming_flags: Names<()>,
    /// Flags whose value is a user.
    pub user_flags: Names<()>,
    /// Short flags whose value is a password beside a user.
    pub password_flags: Names<()>,
    /// Flags whose value is a script.
    pub script_flags: Names<()>,
    /// Words before a key and its value.
    pub setters: Names<()>,
    /// Flags whose value may be a token.
    pub token_flags: Names<()>,
    /// Flags whose value may be `user:S`.
    pub auth_flags: Names<()>,
    /// Subcommands whose operand may be a token.
    pub logins: Names<()>,
    /// What is no password after a short flag.
    pub no_passwords: Names<()>,
    /// Keys whose value is a key.
    pub name_keys: Names<()>,
    /// Keys whose value is that key's value.
    pub value_keys: Names<()>,
    /// The schemes of an Authorization header.
    pub schemes: Names<()>,
    /// Words before a colon that are no users.
    pub no_users: Names<()>,
    /// Keys that are secret in the query of a URL.
    pub query_keys: Names<()>,
    /// The token shapes by their prefix.
    pub tokens: Prefixes,
}

impl Rules {
    /// The built-in tables, and the user's `further` words.
    pub fn new(further: &[String]) -> Self {
        let names = PROGRAMS
            .iter()
            .zip(0..)
            .flat_map(|(program, index)| program.names.split_ascii_whitespace().map(move |name| (name, index)));
        Rules {
            keys: Keys::new(further),
            values: Values::new(),
            programs: PROGRAMS.iter().map(|_| OnceCell::new()).collect(),
            names: Names::new(names),
            endings: Names::of(programs::ENDINGS),
            readers: Names::of(programs::READERS),
            searchers: Names::of(programs::SEARCHERS),
            starters: Names::of(programs::STARTERS),
            naming_flags: Names::of(programs::NAMING_FLAGS),
            user_flags: Names::of(programs::USER_FLAGS),
            password_flags: Names::of(programs::PASSWORD_FLAGS),
            script_flags: Names::of(programs::SCRIPT_FLAGS),
            setters: Names::of(programs::SETTERS),
            token_flags: Names::of(programs::TOKEN_FLAGS),
            auth_flags: Names::of(programs::AUTH_FLAGS),
            logins: Names::of(words::LOGINS),
            no_passwords: Names::of(words::NO_PASSWORDS),
            name_keys: Names::of(words::NAME_KEYS),
            value_keys: Names::of(words::VALUE_KEYS),
            schemes: Names::of(words::SCHEMES),
            no_users: Names::of(words::NO_USERS),
            query_keys: Names::of(words::QUERY_KEYS),
            tokens: Prefixes::new(),
        }
    }

    /// Whether a token, or a JSON web token, may begin here.
    pub fn may_begin_token(&self, text: &[u8]) -> bool {
        self.tokens.of(text).next().is_some() || text.starts_with(b"eyJ")
    }

    /// The program of this name, perhaps with an ending.
    pub fn program(&self, name: &[u8]) -> Option<&Program> {
        let known = self.names.get(name).or_else(|| {
            let dot = name.iter().rposition(|byte| *byte == b'.').filter(|dot| *dot > 0)?;
            self.endings.has(&name[dot..]).then(|| self.names.get(&name[..dot])).flatten()
        })?;
        let (cell, row) = self.programs.iter().zip(PROGRAMS).nth(usize::from(*known))?;
        Some(cell.get_or_init(|| Program::new(row)))
    }
}

fn flags(rule: &'static programs::Rule) -> impl Iterator<Item = Flag> {
    rule.flags.split_ascii_whitespace().map(|flag| Flag {
        flag: flag.as_bytes(),
        takes: rule.takes,
        form: rule.form,
        after: rule.after.as_bytes(),
    })
}

fn counted(row: &'static Operands) -> Counted {
    Counted { after: row.after.split_ascii_whitespace().map(str::as_bytes).collect(), row }
}
