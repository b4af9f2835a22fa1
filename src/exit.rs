//! How the program ends: why, with which exit code, and with which words.

use std::io::{self, Write};
use std::process::ExitCode;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::stdio::stderr;

/// Why the program ends before its work is done.
#[derive(Debug)]
pub enum Outcome {
    /// Wrong usage: exit 2.
    Usage(String),
    /// Something failed: exit 1.
    Failure(anyhow::Error),
    /// Something failed that may succeed at the next interval. Without an interval: exit 1.
    Transient(Transient, anyhow::Error),
    /// Something failed, and was reported then: exit 1.
    Reported,
    /// The timeout is over: exit 124, like timeout(1).
    Timeout(String),
    /// This signal arrived. The program ends by it, so that its parent can see that.
    Signal(usize),
}

/// The kinds of failures that may pass, by themselves or because somebody fixes the cause. With `--interval`, each kind
/// is reported once, and the run continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transient {
    /// An old file could not be removed.
    Retention,
    /// The file's lock did not come free in time.
    Lock,
    /// The disk is full, or a quota is reached.
    NoSpace,
    /// The file's directory is missing.
    Directory,
    /// The file cannot be written to for another reason.
    File,
    /// A process that exists could not be read.
    Process,
    /// A receiver did not acknowledge records.
    Forward,
    /// Records were dropped, because a receiver did not acknowledge for long. This is reported each time.
    Dropped,
    /// Another program failed that procline asks.
    Program,
}

impl Transient {
    /// The kind of a failure to open or write a file.
    pub fn of_file(error: &anyhow::Error) -> Self {
        let errno = error.chain().find_map(|cause| {
            let io = cause.downcast_ref::<io::Error>().and_then(Errno::from_io_error);
            io.or_else(|| cause.downcast_ref::<Errno>().copied())
        });
        match errno {
            Some(Errno::NOSPC | Errno::DQUOT) => Transient::NoSpace,
            Some(Errno::NOENT) => Transient::Directory,
            Some(Errno::WOULDBLOCK) => Transient::Lock,
            _ => Transient::File,
        }
    }
}

impl From<anyhow::Error> for Outcome {
    fn from(error: anyhow::Error) -> Self {
        Outcome::Failure(error)
    }
}

/// Reports the reason of a result on standard error, and returns the exit code.
pub fn code(result: Result<(), Outcome>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Outcome::Usage(sentence)) => {
            say(&sentence);
            ExitCode::from(2)
        }
        Err(Outcome::Failure(error) | Outcome::Transient(_, error)) => {
            report(&error);
            ExitCode::from(1)
        }
        Err(Outcome::Reported) => ExitCode::from(1),
        Err(Outcome::Timeout(sentence)) => {
            say(&sentence);
            ExitCode::from(124)
        }
        Err(Outcome::Signal(number)) => {
            let _ = signal_hook::low_level::emulate_default_handler(number as i32);
            // The signal does not end the first process of a PID namespace. Use the code that a shell would use.
            ExitCode::from(u8::try_from(128 + number).unwrap_or(1))
        }
    }
}

/// Reports a failure on standard error.
pub fn report(error: &anyhow::Error) {
    say(&format!("{error:#}"));
}

/// Writes one line on standard error, for a person to read, unless that would block. It may be the same full pipe.
pub fn say(sentence: &str) {
    let mut descriptors = [PollFd::from_borrowed_fd(stderr(), PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    if poll(&mut descriptors, Some(&now)).is_ok_and(|ready| ready > 0) {
        let _ = io::stderr().write_all(line(sentence).as_bytes());
    }
}

/// What a writable pipe accepts in one piece: `PIPE_BUF` of pipe(7).
const LINE_MAX: usize = 4096;

/// The sentence as one line, whatever names and values it quotes. Control characters are escaped, and a line that is
/// too long loses its middle.
fn line(sentence: &str) -> String {
    const MARK: &str = " … ";
    let mut line = String::from("procline: ");
    for c in sentence.chars() {
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
    let room = LINE_MAX - 1;
    if line.len() > room {
        let half = (room - MARK.len()) / 2;
        let is_boundary = |place: &usize| line.is_char_boundary(*place);
        let (head, tail) = ((0..=half).rfind(is_boundary), (line.len() - half..line.len()).find(is_boundary));
        line.replace_range(head.unwrap_or(0)..tail.unwrap_or(line.len()), MARK);
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_nothing_else_is() {
        assert_eq!(line("a\nb\r\t\x1b[31m\x7f\u{9b} é\\n"), "procline: a\\nb\\r\\t\\u{1b}[31m\\u{7f}\\u{9b} é\\n\n");
    }

    #[test]
    fn a_long_sentence_keeps_both_ends() {
        for text in ["x", "é", "\n"] {
            let long = line(&format!("begin {} end", text.repeat(9000)));
            assert!(long.len() <= LINE_MAX && long.len() > LINE_MAX - 16, "{}", long.len());
            assert!(long.starts_with("procline: begin ") && long.ends_with(" end\n"));
        }
    }
}
