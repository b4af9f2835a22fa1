//! Standard output: batches, written whole.

use std::io;
use std::os::fd::AsFd;

use rustix::io::{retry_on_intr, write};

/// Lines are written in batches of about this many bytes: a pipe's own size, see pipe(7).
pub const BATCH: usize = 64 * 1024;

/// Writes all of it to standard output, or to any other descriptor.
///
/// # Errors
/// Those of write(2); `EPIPE` where the reader is gone.
pub fn write_all(to: impl AsFd, mut rest: &[u8]) -> io::Result<()> {
    while !rest.is_empty() {
        let written = retry_on_intr(|| write(&to, rest))?;
        rest = &rest[written..];
    }
    Ok(())
}
