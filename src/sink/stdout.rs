//! Standard output: writes whole batches.

use std::io;
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, retry_on_intr, write};

/// The approximate size of a batch of lines, in bytes: the capacity of a pipe, pipe(7).
pub const BATCH: usize = 64 * 1024;

/// Writes all bytes to a descriptor. The program's caller may have made standard output non-blocking. This then waits
/// until it can write, so that no line stays incomplete.
///
/// # Errors
/// Those of write(2). `EPIPE` if the reader is gone.
pub fn write_all(to: impl AsFd, mut rest: &[u8]) -> io::Result<()> {
    while !rest.is_empty() {
        match retry_on_intr(|| write(&to, rest)) {
            Err(Errno::AGAIN) => {
                let mut descriptors = [PollFd::new(&to, PollFlags::OUT)];
                retry_on_intr(|| poll(&mut descriptors, None))?;
            }
            written => rest = &rest[written?..],
        }
    }
    Ok(())
}
