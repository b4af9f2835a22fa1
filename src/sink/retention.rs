//! Retention: removes the old files of a pattern. These are regular files in its directory whose name matches and whose
//! last line is old enough.

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use rustix::fs::{
    AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, Stat, flock, fstat, open, openat, statat, unlinkat,
};
use rustix::io::Errno;

use super::pattern::Pattern;

/// Removes the files of `pattern` that were last written more than `keep` before `now`. Never removes the file for
/// `now`, or a file that another run writes to.
///
/// # Errors
/// If a file cannot be removed. The others are removed even so.
pub fn remove_old(pattern: &Pattern, keep: Duration, now: DateTime<Utc>) -> anyhow::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let path = pattern.directory().display();
    let cannot_list = || format!("cannot look for old files in {path}");
    let directory = open(pattern.directory(), flags, Mode::empty()).with_context(cannot_list)?;
    let current = pattern.name(now);
    let is_old = |stat: &Stat| {
        let age = now.timestamp().saturating_sub(stat.st_mtime);
        FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
            && u64::try_from(age).is_ok_and(|age| age > keep.as_secs())
    };
    let mut result = Ok(());
    for entry in Dir::read_from(&directory).with_context(cannot_list)? {
        let entry = entry.with_context(cannot_list)?;
        let name = entry.file_name();
        // Check the age first, because that is cheap and most files are young.
        let is_ours = |name: &str| name != current && pattern.matches(name);
        if statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| is_old(&stat))
            && name.to_str().is_ok_and(is_ours)
            && let Err(error) = remove(&directory, name, is_old)
        {
            result =
                Err(error).with_context(|| format!("cannot remove the old file {path}/{}", name.to_string_lossy()));
        }
    }
    result
}

fn remove(directory: &OwnedFd, name: &CStr, is_old: impl Fn(&Stat) -> bool) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    // Hold the lock while removing, so that a run that waits for it finds the file gone. A file that cannot be read can
    // still be removed.
    if let Ok(file) = openat(directory, name, flags, Mode::empty()) {
        let is_free = flock(&file, FlockOperation::NonBlockingLockExclusive) != Err(Errno::WOULDBLOCK);
        if !is_free || !fstat(&file).is_ok_and(|stat| is_old(&stat)) {
            return Ok(());
        }
    }
    match unlinkat(directory, name, AtFlags::empty()) {
        // Another run was faster.
        Err(Errno::NOENT) => Ok(()),
        removed => removed,
    }
}
