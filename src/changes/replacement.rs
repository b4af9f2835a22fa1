//! Puts a new file in the place of an old one: a reader finds either of them, whole, whatever happens meanwhile. The new file is
//! written beside the old one, as FILE.new. It is locked meanwhile, so that one run at a time replaces FILE.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use rustix::fs::{
    AtFlags, FileType, FlockOperation, Gid, Mode, OFlags, Stat, Uid, fchmod, fchown, flock, fstat, fsync, ftruncate,
    open, openat, renameat, statat, unlinkat,
};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::geteuid;

use crate::sink::planted;

/// The permissions of a file that has no earlier one. Its records may be for few eyes.
const MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// A new file that is not yet in its place.
pub struct Replacement {
    directory: OwnedFd,
    name: OsString,
    new_name: OsString,
    path: PathBuf,
    /// The file that was there when the lock was taken: its device and inode.
    old: Option<(u64, u64)>,
    new: BufWriter<File>,
    /// The first failure to write.
    error: Option<std::io::Error>,
    is_done: bool,
}

impl Replacement {
    /// Begins a new file, and takes the lock. While another run has it, this asks `waits` with the locked file whether to go on.
    /// None if not. A killed run may have left a new file: it has `begin` at its beginning, if it has anything.
    ///
    /// # Errors
    /// If there can be no new file at that path, or if another program's file is there.
    pub fn lock(path: &Path, begin: &[u8], mut waits: impl FnMut(&Path) -> bool) -> anyhow::Result<Option<Self>> {
        /// A lock has no waiting list of its own that a signal could end.
        const PAUSE: Duration = Duration::from_millis(20);
        let Some(name) = path.file_name() else { bail!("{} is a directory: name a file in it", path.display()) };
        let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let directory = open(above, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .with_context(|| format!("cannot open the directory {} for --changes", above.display()))?;
        let new_name: OsString = [name, OsStr::new(".new")].into_iter().collect();
        let new_path = above.join(&new_name);
        let cannot = || format!("cannot write {}, which becomes {}", new_path.display(), path.display());
        loop {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let file = retry_on_intr(|| openat(&directory, &new_name, flags, MODE)).with_context(cannot)?;
            check(&file, &directory, &new_path)?;
            match retry_on_intr(|| flock(&file, FlockOperation::NonBlockingLockExclusive)) {
                Err(Errno::WOULDBLOCK) if waits(&new_path) => {
                    thread::sleep(PAUSE);
                    continue;
                }
                Err(Errno::WOULDBLOCK) => return Ok(None),
                locked => locked.with_context(|| format!("cannot lock {}", new_path.display()))?,
            }
            // The run that had the lock has put this file in its place, or removed it.
            let own = fstat(&file).with_context(cannot)?;
            if there(&directory, &new_name) != Some(id(&own)) {
                continue;
            }
            let file = File::from(file);
            let mut left = vec![0; begin.len()];
            if own.st_size > 0 && (file.read_exact_at(&mut left, 0).is_err() || left != begin) {
                bail!("{}: it is not a file that --changes wrote; move it away, or name another file", cannot());
            }
            ftruncate(&file, 0).with_context(cannot)?;
            let old = there(&directory, name);
            let new = BufWriter::with_capacity(64 * 1024, file);
            let (name, path) = (name.to_owned(), path.to_owned());
            return Ok(Some(Replacement { directory, name, new_name, path, old, new, error: None, is_done: false }));
        }
    }

    /// Opens the old file, if there is one, and gives the new one its owner and permissions.
    ///
    /// # Errors
    /// If it cannot be read, or is no regular file.
    pub fn old(&mut self) -> anyhow::Result<Option<File>> {
        let shown = self.path.display();
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let new = self.new.get_ref();
        let file = match retry_on_intr(|| openat(&self.directory, &self.name, flags, Mode::empty())) {
            Err(Errno::NOENT) => {
                fchmod(new, MODE).with_context(|| format!("cannot set the permissions of {shown}"))?;
                return Ok(None);
            }
            Err(Errno::LOOP) => bail!("{shown} is a symbolic link: name the file that it points to"),
            opened => opened.with_context(|| format!("cannot read {shown}"))?,
        };
        let old = check(&file, &self.directory, &self.path)?;
        let own = fstat(new).with_context(|| format!("cannot read {shown}"))?;
        if (old.st_uid, old.st_gid) != (own.st_uid, own.st_gid) {
            fchown(new, Some(Uid::from_raw(old.st_uid)), Some(Gid::from_raw(old.st_gid))).with_context(|| {
                format!("cannot give the new {shown} the owner and group of the old one: run procline as its owner")
            })?;
        }
        fchmod(new, Mode::from_raw_mode(old.st_mode & 0o777))
            .with_context(|| format!("cannot give the new {shown} the permissions of the old one"))?;
        Ok(Some(file.into()))
    }

    /// Appends to the new file. [`commit`](Self::commit) reports a failure: the records are to be written in any case.
    pub fn push(&mut self, line: &[u8]) {
        if self.error.is_none() {
            self.error = self.new.write_all(line).err();
        }
    }

    /// Replaces the first line by one of the same length, and puts the new file in the place of the old one.
    ///
    /// # Errors
    /// If that fails. The old file is then still there.
    pub fn commit(mut self, first: &[u8]) -> anyhow::Result<()> {
        let path = self.path.clone();
        let cannot = || format!("cannot replace {}, so the next run reports these changes again", path.display());
        if let Some(error) = self.error.take() {
            return Err(error).with_context(cannot);
        }
        self.new.flush().with_context(cannot)?;
        self.new.get_ref().write_all_at(first, 0).with_context(cannot)?;
        fsync(self.new.get_ref()).with_context(cannot)?;
        // Somebody may have named the same file for the records.
        if there(&self.directory, &self.name) != self.old {
            return Err(anyhow!("another program has replaced it").context(cannot()));
        }
        renameat(&self.directory, &self.new_name, &self.directory, &self.name).with_context(cannot)?;
        self.is_done = true;
        fsync(&self.directory).with_context(|| format!("cannot secure {} on the disk", path.display()))
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.is_done {
            // What stays there is overwritten by the next run.
            let _ = unlinkat(&self.directory, &self.new_name, AtFlags::empty());
        }
    }
}

/// Refuses what is no regular file, and what another user may have put there.
fn check(file: &OwnedFd, directory: &OwnedFd, path: &Path) -> anyhow::Result<Stat> {
    let shown = path.display();
    let stat = |file| fstat(file).with_context(|| format!("cannot read {shown}"));
    let (file, directory) = (stat(file.as_fd())?, stat(directory.as_fd())?);
    if FileType::from_raw_mode(file.st_mode) != FileType::RegularFile {
        bail!("{shown} is not a regular file: name one for --changes, or one that does not exist");
    }
    match planted::objection(&file, &directory, geteuid().as_raw()) {
        None => Ok(file),
        Some(why) => bail!("cannot use {shown}: {why}; name a file in a directory that only you may write to"),
    }
}

/// The device and inode of the file with this name.
fn there(directory: &OwnedFd, name: &OsStr) -> Option<(u64, u64)> {
    statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).ok().map(|stat| id(&stat))
}

fn id(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}
