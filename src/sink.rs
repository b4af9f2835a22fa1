//! Where lines go. Nothing here knows what is in them. `stdout` and `file` write batches of whole lines; `pattern` makes a
//! file's name of the time, and `retention` removes old files; `line_format` tells a file of headers and open lines,
//! `planted` of files that others put there.

pub mod file;
pub mod line_format;
pub mod pattern;
pub mod planted;
pub mod retention;
pub mod stdout;

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use chrono::{DateTime, Utc};

use file::Files;
use line_format::LineFormat;

/// Where lines are to go.
#[derive(Clone, Debug)]
pub enum Destination {
    /// To standard output.
    Stdout,
    /// To the end of a file.
    File(Files),
}

impl Destination {
    /// Opens it, and says for which time: that of `clock` once nobody else writes there. `waits` is told of the file
    /// whose lock is waited for; `format` is what a file must know of its lines.
    ///
    /// # Errors
    /// A file that cannot be appended to.
    pub fn open(
        &self,
        format: LineFormat,
        clock: impl Fn() -> DateTime<Utc>,
        waits: impl Fn(&Path),
    ) -> anyhow::Result<(DateTime<Utc>, Lines)> {
        let (time, to, max) = match self {
            Destination::Stdout => (clock(), To::Stdout(io::stdout()), stdout::BATCH),
            Destination::File(files) => {
                let (time, file) = files.open(format, clock, waits)?;
                (time, To::File(file), file::BATCH)
            }
        };
        Ok((time, Lines { to, max, batch: Vec::with_capacity(max) }))
    }

    /// Removes the files of the same pattern that are older than asked for.
    ///
    /// # Errors
    /// If one of them is still there.
    pub fn remove_old(&self, now: DateTime<Utc>) -> anyhow::Result<()> {
        match self {
            Destination::File(Files { pattern, keep: Some(keep), .. }) => retention::remove_old(pattern, *keep, now),
            _ => Ok(()),
        }
    }
}

/// Collects lines into batches, and writes those.
pub struct Lines {
    to: To,
    /// The longest batch in bytes, unless one line is longer.
    max: usize,
    batch: Vec<u8>,
}

enum To {
    Stdout(io::Stdout),
    File(file::Appender),
    /// Nothing more is written.
    Closed,
}

impl Lines {
    /// The file that they go to.
    pub fn file(&self) -> Option<&file::Appender> {
        match &self.to {
            To::File(file) => Some(file),
            To::Stdout(_) | To::Closed => None,
        }
    }

    /// Takes one whole line, and writes those it holds if the batch would grow too long.
    ///
    /// # Errors
    /// Those of [`flush`](Self::flush).
    pub fn push(&mut self, line: &[u8]) -> anyhow::Result<()> {
        if self.batch.len() + line.len() > self.max {
            self.flush()?;
        }
        self.batch.extend_from_slice(line);
        Ok(())
    }

    /// Writes every line that was taken.
    ///
    /// # Errors
    /// If that fails; `EPIPE` where the reader is gone.
    pub fn flush(&mut self) -> anyhow::Result<()> {
        match &mut self.to {
            To::Stdout(stdout) => stdout::write_all(stdout, &self.batch).context("cannot write to standard output")?,
            To::File(file) => file.append(&self.batch)?,
            To::Closed => {}
        }
        self.batch.clear();
        Ok(())
    }

    /// Writes every line that was taken, lets others write, and closes the file: a worker that is stuck may keep this
    /// for days, and a file that was removed would fill the disk as long.
    ///
    /// # Errors
    /// Those of [`flush`](Self::flush).
    pub fn finish(&mut self) -> anyhow::Result<()> {
        self.flush()?;
        if let To::File(file) = &self.to {
            file.unlock();
        }
        self.to = To::Closed;
        Ok(())
    }
}

/// Prints what is no record on standard output: help, tables.
///
/// # Errors
/// If that cannot be written; a closed pipe is no error.
pub fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}
