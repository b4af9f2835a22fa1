//! Runs another program to its end, and returns what it printed. The program never outlives procline, or its deadline.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;

use crate::sys;
use crate::text::lossy;

/// More output than a program writes that works.
const MAX: usize = 256 << 20;

/// How often an end is looked for that must be near.
const TICK: Duration = Duration::from_millis(2);

/// What a program printed, and how it ended.
pub struct Output {
    /// Its standard output.
    pub text: Vec<u8>,
    /// Its standard error.
    pub errors: Vec<u8>,
    /// How it ended.
    pub status: ExitStatus,
}

impl Output {
    /// The reason of a failure, for a message: the first line on standard error that says something, else how it ended.
    pub fn reason(&self) -> String {
        let errors = lossy(&self.errors);
        let line = errors.lines().map(str::trim).find(|line| !line.is_empty());
        line.map_or_else(|| self.status.to_string(), str::to_owned)
    }
}

/// Ends the program if it is dropped before it was seen to end.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the program.
///
/// # Errors
/// If it cannot be started, prints too much, or has not ended at the deadline ([`io::ErrorKind::TimedOut`]).
pub fn run(command: &mut Command, deadline: Instant) -> io::Result<Output> {
    sys::kill_with_this_thread(command);
    let mut running = Running(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?);
    let pipes = [running.0.stdout.take().map(OwnedFd::from), running.0.stderr.take().map(OwnedFd::from)];
    let [text, errors] = read(pipes, deadline)?;
    let status = loop {
        match running.0.try_wait()? {
            Some(status) => break status,
            None => thread::sleep(left(deadline)?.min(TICK)),
        }
    };
    Ok(Output { text, errors, status })
}

/// Reads both pipes to their ends. A program that waits for a reader of one must not block the reader of the other.
fn read(mut pipes: [Option<OwnedFd>; 2], deadline: Instant) -> io::Result<[Vec<u8>; 2]> {
    let mut texts = [Vec::new(), Vec::new()];
    let mut buffer = vec![0; 64 * 1024];
    while pipes.iter().any(Option::is_some) {
        let left = left(deadline)?;
        let timeout = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        let mut descriptors: Vec<_> =
            pipes.iter().flatten().map(|pipe| PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)).collect();
        retry_on_intr(|| poll(&mut descriptors, Some(&timeout)))?;
        let mut ready = descriptors.iter().map(|descriptor| !descriptor.revents().is_empty()).collect::<Vec<_>>();
        for (pipe, text) in pipes.iter_mut().zip(&mut texts) {
            let Some(descriptor) = pipe.as_ref() else { continue };
            if !ready.remove(0) {
                continue;
            }
            let count = retry_on_intr(|| rustix::io::read(descriptor, &mut buffer[..]))?;
            text.extend_from_slice(&buffer[..count]);
            if text.len() > MAX {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            if count == 0 {
                *pipe = None;
            }
        }
    }
    Ok(texts)
}

/// The time that is left.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, time: Duration) -> io::Result<Output> {
        run(Command::new("sh").args(["-c", script]), Instant::now() + time)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn both_outputs_and_the_status() {
        // More than a pipe holds, on both.
        let output = shell("seq 100000; seq 100000 >&2; exit 3", LONG).unwrap();
        assert_eq!((output.text.len(), output.errors.len()), (588_895, 588_895));
        assert_eq!(output.status.code(), Some(3));
        assert_eq!(output.reason(), "1");
        assert_eq!(shell("exit 3", LONG).unwrap().reason(), "exit status: 3");
    }

    #[test]
    fn what_hangs_is_killed_even_if_it_closed_its_outputs() {
        for script in ["exec sleep 1000", "exec >&- 2>&-; exec sleep 1000", "trap '' TERM; exec sleep 1000"] {
            let begun = Instant::now();
            let error = shell(script, Duration::from_millis(300)).err().unwrap();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{script}");
            assert!(begun.elapsed() < LONG, "{script}");
        }
    }
}
