//! What a record shows of a process's own texts: its command line, its name and its paths, with secrets masked. It reads
//! nothing.

use std::borrow::Cow;

use memchr::memchr;

use super::redact::{self, Redactor};
use super::{Process, command};

/// How much of a long command line is read, from its beginning.
pub const COMMAND_HEAD: usize = 128 * 1024;
/// How much of it is read, from its end.
pub const COMMAND_TAIL: usize = 16 * 1024;

/// Masks the texts of one process after the other.
pub struct Masker {
    redactor: Option<Redactor>,
    /// What was masked in the command line: no other field shows it either.
    hidden: Vec<Vec<u8>>,
}

impl Masker {
    /// Masks with these words in addition to the built-in ones. Masks nothing without a list.
    pub fn new(words: Option<&[String]>) -> Self {
        Masker { redactor: words.map(Redactor::new), hidden: Vec::new() }
    }

    /// Allows as much work again as for a snapshot.
    pub fn renew(&mut self) {
        if let Some(redactor) = &mut self.redactor {
            redactor.renew();
        }
    }

    /// Begins a process.
    pub fn begin(&mut self) {
        self.hidden.clear();
    }

    /// Makes the command of its arguments. `is_whole` tells whether all of them were read. Then no other text shows what
    /// is masked here.
    pub fn command(&mut self, process: &mut Process, is_whole: bool) {
        let gap = (!is_whole).then(|| command::mark_gap(&mut process.arguments, COMMAND_HEAD));
        process.command.clear();
        process.command_cut = !is_whole;
        // Mask before anything is dropped. Otherwise a secret could lose the flag before it.
        if let Some(redactor) = &mut self.redactor {
            match redactor.mask_in_budget(&process.arguments) {
                Some(Cow::Borrowed(_)) => {}
                Some(Cow::Owned(masked)) => {
                    self.hidden = redact::hidden(&process.arguments, &masked);
                    redact::hide(&mut process.comm, &self.hidden);
                    // Copy into the existing buffer. A new one would be too small for the first read of the next process.
                    process.arguments.clear();
                    process.arguments.extend_from_slice(&masked);
                }
                None => {
                    process.arguments.clear();
                    process.command_cut = true;
                    command::bracket(&process.comm, false, &mut process.command);
                    process.command.extend_from_slice(command::NOT_SHOWN);
                    return;
                }
            }
        }
        if let Some(before) = gap {
            command::close_gap(&mut process.arguments, before);
        }
        command::join(&process.arguments, &mut process.command);
        if process.command.is_empty() {
            command::bracket(&process.comm, process.is_zombie(), &mut process.command);
        }
    }

    /// Masks a path of the process.
    pub fn path(&mut self, path: &mut Vec<u8>) {
        redact::hide(path, &self.hidden);
        self.text(path);
    }

    /// Masks a text that is not a command line.
    pub fn text(&mut self, text: &mut Vec<u8>) {
        if let Some(redactor) = &mut self.redactor {
            redactor.mask_text(text);
        }
    }

    /// Masks a variable of the environment, `NAME=value`, but for its name.
    pub fn variable(&mut self, variable: &[u8]) -> Vec<u8> {
        let name = &variable[..memchr(b'=', variable).map_or(variable.len(), |end| end + 1)];
        let masked = match &mut self.redactor {
            Some(redactor) => redactor.mask_in_budget(variable),
            None => Some(Cow::Borrowed(variable)),
        };
        let value = masked.as_ref().map_or(redact::MASK, |text| text.strip_prefix(name).unwrap_or(redact::MASK));
        let mut value = value.to_vec();
        redact::hide(&mut value, &self.hidden);
        [name, &value].concat()
    }
}
