//! Files, whatever a record says of them: `stat` is what the kernel says of one file, `list` what is in a directory, `pulse`
//! what is known of a walk meanwhile, and `progress` the line on a terminal while it takes long.

pub mod list;
pub mod progress;
pub mod pulse;
pub mod stat;

use std::ffi::{CStr, OsStr};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::{Errno, retry_on_intr};

/// Opens a directory to read its list, and no link. Reading it does not count as an access if its owner, or root, does it.
///
/// # Errors
/// Those of openat(2).
pub fn open_directory(above: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    open(above, name, OFlags::DIRECTORY)
}

/// Opens a regular file to read it, and no link. A FIFO that took its place meanwhile does not block.
///
/// # Errors
/// Those of openat(2).
pub fn open_file(above: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    open(above, name, OFlags::NOCTTY)
}

fn open(above: BorrowedFd<'_>, name: &CStr, more: OFlags) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | more;
    let open = |flags| retry_on_intr(|| openat(above, name, flags, Mode::empty()));
    match open(flags | OFlags::NOATIME) {
        Err(Errno::PERM) => open(flags),
        opened => opened,
    }
}

/// The sentence for a path that cannot be read.
pub fn complaint(path: &[u8], error: Errno) -> String {
    let reason = std::io::Error::from(error);
    format!("cannot read {}: {reason}", OsStr::from_bytes(path).display())
}
