//! Standard output: whole lines in few writes.

use std::io;
use std::os::fd::AsFd;

use rustix::io::{retry_on_intr, write};

/// Lines are written in batches of about this many bytes: a pipe's own size, see pipe(7).
const BATCH: usize = 64 * 1024;

/// Collects lines and writes them to standard output, or to any other descriptor.
pub struct Lines<F> {
    to: F,
    batch: Vec<u8>,
}

impl<F: AsFd> Lines<F> {
    /// A sink that writes to `to`.
    pub fn new(to: F) -> Self {
        Lines { to, batch: Vec::with_capacity(BATCH) }
    }

    /// Takes one whole line, and writes those it holds if the batch would grow too long.
    ///
    /// # Errors
    /// Those of [`flush`](Self::flush).
    pub fn push(&mut self, line: &[u8]) -> io::Result<()> {
        if self.batch.len() + line.len() > BATCH {
            self.flush()?;
        }
        self.batch.extend_from_slice(line);
        Ok(())
    }

    /// Writes every line that was taken.
    ///
    /// # Errors
    /// Those of write(2); `EPIPE` where the reader is gone.
    pub fn flush(&mut self) -> io::Result<()> {
        let mut rest = self.batch.as_slice();
        while !rest.is_empty() {
            let written = retry_on_intr(|| write(&self.to, rest))?;
            rest = &rest[written..];
        }
        self.batch.clear();
        Ok(())
    }
}
