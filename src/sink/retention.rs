//! Retention: removes the old files of a pattern. These are regular files in its directory whose name matches, and whose
//! last line is old enough, or which together take too much of the disk.

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use rustix::fs::{
    AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, Stat, flock, fstat, open, openat, statat, unlinkat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::pattern::Pattern;
use super::planted;

/// Which files of a pattern are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// How old a file may become.
    pub age: Option<Duration>,
    /// How many bytes of the disk the files may take together.
    pub size: Option<u64>,
}

/// A file that may be removed to free space.
struct Candidate {
    /// When it was last written.
    written: (i64, u64),
    name: CString,
    inode: u64,
    bytes: u64,
}

/// Removes the files of `pattern` that were last written longer before `now` than they are kept. Then removes the oldest
/// ones until the others fit. Never removes the file for `now`, or a file that another run writes to.
///
/// # Errors
/// If a file cannot be removed. The others are removed even so.
pub fn remove_old(pattern: &Pattern, keep: Keep, now: DateTime<Utc>) -> anyhow::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let path = pattern.directory().display();
    let cannot_list = || format!("cannot look for old files in {path}");
    let directory = open(pattern.directory(), flags, Mode::empty()).with_context(cannot_list)?;
    let of_directory = fstat(&directory).with_context(cannot_list)?;
    let (current, user) = (pattern.name(now), geteuid().as_raw());
    let is_old = |stat: &Stat| {
        let age = u64::try_from(now.timestamp().saturating_sub(stat.st_mtime));
        keep.age.is_some_and(|keep| age.is_ok_and(|age| age > keep.as_secs()))
    };
    let mut result = Ok(());
    let mut remove = |name: &CStr, is_it: &dyn Fn(&Stat) -> bool| {
        let removed = remove(&directory, name, is_it);
        removed.unwrap_or_else(|error| {
            let cannot = format!("cannot remove the old file {path}/{}", name.to_string_lossy());
            result = Err(error).context(cannot);
            false
        })
    };
    let (mut total, mut candidates) = (0_u64, Vec::new());
    for entry in Dir::read_from(&directory).with_context(cannot_list)? {
        let entry = entry.with_context(cannot_list)?;
        let name = entry.file_name();
        let Ok(stat) = statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        let is_regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        // Check the age first, because that is cheap and most files are young.
        if !is_regular || keep.size.is_none() && !is_old(&stat) {
            continue;
        }
        let Some(text) = name.to_str().ok().filter(|text| pattern.matches(text)) else { continue };
        let is_current = text == current;
        if !is_current && is_old(&stat) && remove(name, &is_old) {
            continue;
        }
        // What another user may have put here is not ours, so it does not displace our files.
        if keep.size.is_some() && planted::objection(&stat, &of_directory, user).is_none() {
            let candidate = Candidate::new(name, &stat);
            total = total.saturating_add(candidate.bytes);
            if !is_current {
                candidates.push(candidate);
            }
        }
    }
    let max = keep.size.unwrap_or(u64::MAX);
    candidates.sort_unstable_by(|one, other| (one.written, &one.name).cmp(&(other.written, &other.name)));
    for candidate in candidates {
        if total <= max {
            break;
        }
        if remove(&candidate.name, &|stat| candidate.is(stat)) {
            total = total.saturating_sub(candidate.bytes);
        }
    }
    result
}

impl Candidate {
    fn new(name: &CStr, stat: &Stat) -> Self {
        // The unit of st_blocks is 512 bytes, whatever the filesystem's own blocks are: stat(2).
        let bytes = u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512);
        Candidate { written: written(stat), name: name.to_owned(), inode: stat.st_ino, bytes }
    }

    /// Whether this is the file, and nobody has written to it since.
    fn is(&self, stat: &Stat) -> bool {
        (self.inode, self.written) == (stat.st_ino, written(stat))
    }
}

fn written(stat: &Stat) -> (i64, u64) {
    (stat.st_mtime, stat.st_mtime_nsec)
}

/// Removes a file if it is still the one to remove, and no other run writes to it. Returns whether it is gone.
fn remove(directory: &OwnedFd, name: &CStr, is_it: impl Fn(&Stat) -> bool) -> Result<bool, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    // Hold the lock while removing, so that a run that waits for it finds the file gone. A file that cannot be read can
    // still be removed.
    if let Ok(file) = openat(directory, name, flags, Mode::empty()) {
        let is_free = flock(&file, FlockOperation::NonBlockingLockExclusive) != Err(Errno::WOULDBLOCK);
        if !is_free || !fstat(&file).is_ok_and(|stat| is_it(&stat)) {
            return Ok(false);
        }
    }
    match unlinkat(directory, name, AtFlags::empty()) {
        // Another run was faster.
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(error) => Err(error),
    }
}
