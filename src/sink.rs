//! Where lines go. Nothing here knows their content. `stdout`, `file` and `forward` write batches of whole lines. `pattern` makes
//! a file's name from the time, and `retention` removes old files. `line_format` knows headers and incomplete lines,
//! and `planted` detects files that other users created.

pub mod file;
pub mod forward;
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
use forward::{Receiver, Sender, Unsent};
use line_format::LineFormat;
use retention::Keep;

/// Where lines go.
#[derive(Clone, Debug)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// The end of a file.
    File(Files),
    /// A receiver of the Fluent Forward protocol. Its lines are entries.
    Forward(Box<Receiver>),
}

impl Destination {
    /// Opens the destination. Returns the time by `clock` at which it has the lock. Before it waits for a lock, it
    /// asks `waits` with the file. `format` describes the lines of a file.
    ///
    /// # Errors
    /// A file that cannot be appended to.
    pub fn open(
        &self,
        format: LineFormat,
        clock: impl Fn() -> DateTime<Utc>,
        waits: impl Fn(&Path) -> bool,
    ) -> anyhow::Result<(DateTime<Utc>, Lines)> {
        let (time, to, max) = match self {
            Destination::Stdout => (clock(), To::Stdout(io::stdout()), stdout::BATCH),
            Destination::File(files) => {
                let (time, file) = files.open(format, clock, waits)?;
                (time, To::File(file), file::BATCH)
            }
            Destination::Forward(receiver) => (clock(), To::Forward(Sender::new(receiver.clone())), forward::BATCH),
        };
        Ok((time, Lines { to, max, batch: Vec::with_capacity(max), count: 0, is_secure: false, unsent: None }))
    }

    /// Which files of the same pattern are kept.
    pub fn keep(&self) -> Keep {
        match self {
            Destination::Stdout | Destination::Forward(_) => Keep::default(),
            Destination::File(files) => files.keep,
        }
    }

    /// What the end of the run loses.
    pub fn lost(&self) -> Option<anyhow::Error> {
        match self {
            Destination::Forward(receiver) => receiver.lost(),
            Destination::Stdout | Destination::File(_) => None,
        }
    }

    /// Removes the files of the same pattern that are not kept.
    ///
    /// # Errors
    /// If one of them cannot be removed.
    pub fn remove_old(&self, now: DateTime<Utc>) -> anyhow::Result<()> {
        match self {
            Destination::File(Files { pattern, keep, .. }) if *keep != Keep::default() => {
                retention::remove_old(pattern, *keep, now)
            }
            _ => Ok(()),
        }
    }
}

/// Collects lines into batches, and writes the batches.
pub struct Lines {
    to: To,
    /// The longest batch in bytes, unless one line is longer.
    max: usize,
    batch: Vec<u8>,
    /// How many lines the batch has.
    count: usize,
    /// Whether the last lines must be on the disk in the end.
    is_secure: bool,
    /// What the receiver has not acknowledged.
    unsent: Option<Unsent>,
}

enum To {
    Stdout(io::Stdout),
    File(file::Appender),
    Forward(Sender),
    /// Nothing more is written.
    Closed,
}

impl Lines {
    /// The file, if the lines go to one.
    pub fn file(&self) -> Option<&file::Appender> {
        match &self.to {
            To::File(file) => Some(file),
            To::Stdout(_) | To::Forward(_) | To::Closed => None,
        }
    }

    /// Whether the lines are entries of the Fluent Forward protocol.
    pub fn are_entries(&self) -> bool {
        matches!(self.to, To::Forward(_))
    }

    /// Writes no batch before it is asked to: what one batch has is written whole, or not at all.
    pub fn hold(&mut self) {
        self.max = usize::MAX;
    }

    /// Makes [`finish`](Self::finish) wait until all lines are on the disk, if they go to a file.
    pub fn secure(&mut self) {
        self.is_secure = true;
    }

    /// How many bytes are not yet written.
    pub fn held(&self) -> usize {
        self.batch.len()
    }

    /// What a receiver had not acknowledged when this was finished.
    pub fn unsent(&mut self) -> Option<Unsent> {
        self.unsent.take()
    }

    /// Adds one whole line. Writes the batch first if it would become too long.
    ///
    /// # Errors
    /// Those of [`flush`](Self::flush).
    pub fn push(&mut self, line: &[u8]) -> anyhow::Result<()> {
        if self.batch.len().saturating_add(line.len()) > self.max {
            self.flush()?;
        }
        self.batch.extend_from_slice(line);
        self.count += usize::from(!line.is_empty());
        Ok(())
    }

    /// Writes the batch.
    ///
    /// # Errors
    /// If that fails. The error is `EPIPE` if the reader is gone.
    pub fn flush(&mut self) -> anyhow::Result<()> {
        match &mut self.to {
            To::Stdout(stdout) => stdout::write_all(stdout, &self.batch).context("cannot write to standard output")?,
            To::File(file) => file.append(&self.batch)?,
            To::Forward(sender) if self.count > 0 => sender.send(&self.batch, self.count)?,
            To::Forward(_) => {}
            To::Closed => {}
        }
        self.batch.clear();
        self.count = 0;
        Ok(())
    }

    /// Writes the batch, releases the lock, and closes the file. A stuck worker may keep this value for days. If the
    /// file stayed open, removing it would free no space.
    ///
    /// # Errors
    /// Those of [`flush`](Self::flush).
    pub fn finish(&mut self) -> anyhow::Result<()> {
        self.flush()?;
        match &mut self.to {
            To::File(file) => {
                if self.is_secure {
                    file.sync()?;
                }
                file.unlock();
            }
            To::Forward(sender) => self.unsent = sender.finish(),
            To::Stdout(_) | To::Closed => {}
        }
        self.to = To::Closed;
        Ok(())
    }
}

/// Prints help or a table on standard output.
///
/// # Errors
/// If that fails. A closed pipe is no error.
pub fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}
