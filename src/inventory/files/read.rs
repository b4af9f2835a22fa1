//! What is read of one file: what the kernel says of it, the target of a link, and the checksum of a regular file's content.
//! Nothing but a regular file is ever opened.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::readlinkat;
use rustix::io::{Errno, read, retry_on_intr};
use sha2::{Digest, Sha256};

use crate::fs;
use crate::fs::pulse::Pulse;
use crate::fs::stat::{Ask, FileKind, Stat};

/// A file and what was read of it.
pub struct Found {
    /// Its path, beginning as on the command line.
    pub path: Vec<u8>,
    /// What the kernel says of it.
    pub stat: Stat,
    /// Where it leads, if it is a link.
    pub target: Option<Vec<u8>>,
    /// The checksum of a regular file, if it is wanted.
    pub checksum: Option<Result<Checksum, Missing>>,
}

/// A SHA-256.
pub type Checksum = [u8; 32];

/// Why a regular file has no checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It is larger than the user allows.
    TooLarge,
    /// It cannot be read, or is gone.
    Unreadable,
    /// It was written to meanwhile.
    Changed,
}

impl Missing {
    /// Its name in a record.
    pub fn name(self) -> &'static str {
        match self {
            Missing::TooLarge => "too_large",
            Missing::Unreadable => "unreadable",
            Missing::Changed => "changed_while_read",
        }
    }
}

/// How much is read at once.
const BUFFER: usize = 128 * 1024;

/// Reads files, one after the other.
pub struct Reader<'a> {
    /// The largest file that is read, in bytes. None if no content is wanted.
    max: Option<u64>,
    pulse: &'a Pulse,
    buffer: Vec<u8>,
}

impl<'a> Reader<'a> {
    pub fn new(max: Option<u64>, pulse: &'a Pulse) -> Self {
        Reader { max, pulse, buffer: vec![0; if max.is_some() { BUFFER } else { 0 }] }
    }

    /// Reads the file with this name in a directory.
    pub fn read(&mut self, directory: BorrowedFd<'_>, name: &CStr, path: Vec<u8>, stat: Stat) -> Found {
        let mut found = Found { path, stat, target: None, checksum: None };
        match (found.stat.kind(), self.max) {
            (FileKind::Link, _) => {
                found.target =
                    retry_on_intr(|| readlinkat(directory, name, Vec::new())).ok().map(std::ffi::CString::into_bytes);
            }
            (FileKind::File, Some(max)) => {
                found.checksum = Some(self.checksum(directory, name, &mut found.stat, max));
            }
            _ => {}
        }
        found
    }

    /// The checksum. `stat` becomes what the kernel says of the file that was opened.
    fn checksum(
        &mut self,
        directory: BorrowedFd<'_>,
        name: &CStr,
        stat: &mut Stat,
        max: u64,
    ) -> Result<Checksum, Missing> {
        if stat.size() > max {
            return Err(Missing::TooLarge);
        }
        let file = fs::open_file(directory, name).map_err(|_| Missing::Unreadable)?;
        let opened = Stat::of_open(file.as_fd(), Ask::Whole).map_err(|_| Missing::Unreadable)?;
        if opened.kind() != FileKind::File {
            return Err(Missing::Unreadable);
        }
        *stat = opened;
        let content = self.content(&file, max);
        let after = Stat::of_open(file.as_fd(), Ask::Whole);
        crate::sys::close(file);
        match after {
            Ok(after) if !after.is_changed_since(stat) => content,
            Ok(_) => Err(Missing::Changed),
            Err(_) => Err(Missing::Unreadable),
        }
    }

    fn content(&mut self, file: &OwnedFd, max: u64) -> Result<Checksum, Missing> {
        let (mut hash, mut left) = (Sha256::new(), max);
        loop {
            match retry_on_intr(|| read(file, &mut self.buffer[..])) {
                Ok(0) => return Ok(hash.finalize().into()),
                Ok(length) => {
                    left = left.checked_sub(length as u64).ok_or(Missing::TooLarge)?;
                    hash.update(&self.buffer[..length]);
                }
                Err(_) => return Err(Missing::Unreadable),
            }
            self.pulse.touch();
            if self.pulse.is_cancelled() {
                return Err(Missing::Unreadable);
            }
        }
    }
}

/// Whether an error says that there is no such file.
pub fn is_gone(error: Errno) -> bool {
    [Errno::NOENT, Errno::NOTDIR, Errno::LOOP].contains(&error)
}
