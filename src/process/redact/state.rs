//! What is known at a place in a line: which program runs, and what the words before say about the next one. It has no rules.

use super::keys::Verdict;
use super::programs::Form;
use super::rules::Program;

/// Rows of operands that are followed for one program.
const COUNTED_MAX: usize = 6;

/// What the words before say about the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pending {
    /// Nothing.
    #[default]
    Nothing,
    /// It is the value of a flag with a secret key.
    Value(Verdict),
    /// It is the value of a header. It may begin with a dash.
    Header(Verdict),
    /// It is the value of a program's flag.
    Form(Form),
    /// It is a user, perhaps with a secret.
    User,
    /// It is probably a password, because the program has a user.
    Password,
    /// It is a password if the program is given a user later.
    Candidate,
    /// It is a key whose value follows.
    Key,
    /// It is perhaps a user with a secret: `user:S`.
    Pair,
    /// It is not an operand.
    Skip,
    /// It is secret if it looks like a password or a token.
    Token,
    /// It is secret if it is quoted.
    Quoted(Verdict),
    /// It is a credential if it is long enough.
    Credential,
}

/// The state of a line.
#[derive(Clone, Copy, Default)]
pub struct Line<'a> {
    /// The last word that is a known program, and the one before.
    pub programs: [Option<&'a Program>; 2],
    /// What is known of the next word.
    pub pending: Pending,
    /// Whether the next word is a script.
    pub script_next: bool,
    /// Whether the program was given a user.
    pub has_user: bool,
    /// Whether the user followed its flag without a blank.
    pub has_attached_user: bool,
    /// What is a password if the program is given a user.
    pub candidate: (usize, usize),
    /// The flags of one letter, a bit for each.
    pub letters: u64,
    /// How many words before the operands of a row were found, and how many operands since.
    pub counted: [(u8, u8); COUNTED_MAX],
    /// The rules whose subcommand was found, a bit for each.
    pub subcommands: u32,
    /// Whether the last word is the program's name.
    pub is_fresh: bool,
    /// Whether the operands are files.
    pub reads: bool,
    /// Whether the operands are texts to search for.
    pub searches: bool,
    /// How many operands follow before a program that this one runs, if it runs one.
    pub operands_left: Option<u8>,
    /// Whether the next word is the value of a flag that names something.
    pub names_next: bool,
    /// Whether a word said that a key and its value follow.
    pub sets: bool,
    /// The phrases whose first word was found, a bit for each.
    pub phrases: u8,
}

impl Line<'_> {
    /// The state after the end of a line: phrases go on.
    pub fn next_line(&self) -> Self {
        Line { phrases: self.phrases, ..Line::default() }
    }

    /// Counts an operand of a program that runs another one. The other one begins a line of its own.
    pub fn count_operand(&mut self, operand: &[u8]) {
        match self.operands_left {
            Some(0) => *self = self.next_line(),
            Some(left) => self.operands_left = Some(left - 1),
            None => self.operands_left = self.programs[0].and_then(|program| program.operands_before(operand)),
        }
    }

    /// An empty word is a value, too.
    pub fn skip(&mut self) {
        self.pending = Pending::Nothing;
        self.script_next = false;
        self.names_next = false;
    }
}
