//! How the program ends: why, with which exit code, and with which words.

use std::io::Write;
use std::process::ExitCode;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::stderr;

/// Why the program ends before its work is done.
#[derive(Debug)]
pub enum Stop {
    /// What the user typed cannot be done: exit 2.
    Usage(String),
    /// Something failed: exit 1.
    Failure(anyhow::Error),
    /// The time that the user allows is over: exit 124, as timeout(1).
    Timeout(String),
    /// This signal came: the program ends by it, so that its parent sees what happened.
    Signal(usize),
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Stop::Failure(error)
    }
}

/// The exit code for a result, once its reason is said on standard error.
pub fn code(result: Result<(), Stop>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop::Usage(sentence)) => {
            say(&sentence);
            ExitCode::from(2)
        }
        Err(Stop::Failure(error)) => {
            say(&format!("{error:#}"));
            ExitCode::from(1)
        }
        Err(Stop::Timeout(sentence)) => {
            say(&sentence);
            ExitCode::from(124)
        }
        Err(Stop::Signal(number)) => {
            let _ = signal_hook::low_level::emulate_default_handler(number as i32);
            // Where the signal does not end it, as in a PID namespace's first process: what a shell would say.
            ExitCode::from(u8::try_from(128 + number).unwrap_or(1))
        }
    }
}

/// One line on standard error, unless that would block: it may be the very pipe that is full.
fn say(sentence: &str) {
    let mut descriptors = [PollFd::from_borrowed_fd(stderr(), PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    if poll(&mut descriptors, Some(&now)).is_ok_and(|ready| ready > 0) {
        let _ = writeln!(std::io::stderr(), "procline: {sentence}");
    }
}
