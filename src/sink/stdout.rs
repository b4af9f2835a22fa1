//! Standard output: batches, written whole.

use std::io;
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, retry_on_intr, write};

/// Lines are written in batches of about this many bytes: a pipe's own size, see pipe(7).
pub const BATCH: usize = 64 * 1024;

/// Writes all of it to standard output, or to any other descriptor. One that does not block, as whoever started this
/// program may have made it, is waited for: a line that was begun must be ended.
///
/// # Errors
/// Those of write(2); `EPIPE` where the reader is gone.
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
