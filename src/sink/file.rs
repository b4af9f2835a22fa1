//! A file that is appended to, and nothing else: never cut, never written anew. One run at a time writes to it, under a
//! lock; what it writes are batches of whole lines, each of which has its room on the disk before its first byte.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use chrono::{DateTime, Utc};
use rustix::fs::{
    FallocateFlags, FileType, FlockOperation, Mode, OFlags, Stat, fallocate, fchmod, flock, fstat, lstat, mkdir, open,
    openat,
};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Resource, geteuid, getrlimit};

use super::line_format::LineFormat;
use super::pattern::Pattern;
use super::planted;
use super::stdout::write_all;

/// The most bytes of a batch: with the quote and the newline that may come before it, 256 KiB.
pub const BATCH: usize = 256 * 1024 - 2;

/// The files of a pattern: which, and what becomes of them.
#[derive(Clone, Debug)]
pub struct Files {
    /// Their names.
    pub pattern: Pattern,
    /// The permissions of one that is made.
    pub mode: u32,
    /// How old one may become.
    pub keep: Option<Duration>,
}

impl Files {
    /// Opens the file for the time of `clock`, once nobody else writes to it. `waits` is told of a file whose lock is
    /// waited for; after that it is another time, and may be another file. `format` is what its lines are like.
    ///
    /// # Errors
    /// If there is no such file that can be appended to; if it has another header.
    pub fn open(
        &self,
        format: LineFormat,
        clock: impl Fn() -> DateTime<Utc>,
        waits: impl Fn(&Path),
    ) -> anyhow::Result<(DateTime<Utc>, Appender)> {
        /// Far more often than files are moved away while their lock is waited for.
        const MAX: usize = 100;
        for _ in 0..MAX {
            let mut now = clock();
            let path = self.pattern.path(now);
            let file = self.open_or_make(&path)?;
            let cannot_lock = || format!("cannot lock {}, to write to it alone", path.display());
            match retry_on_intr(|| flock(&file, FlockOperation::NonBlockingLockExclusive)) {
                Err(Errno::WOULDBLOCK) => {
                    waits(&path);
                    retry_on_intr(|| flock(&file, FlockOperation::LockExclusive)).with_context(cannot_lock)?;
                    now = clock();
                }
                locked => locked.with_context(cannot_lock)?,
            }
            // Who had the lock may have moved the file away, or removed it.
            let stat = fstat(&file).with_context(|| cannot_open(&path))?;
            let is_there = lstat(&path).is_ok_and(|there| (there.st_dev, there.st_ino) == (stat.st_dev, stat.st_ino));
            if is_there && self.pattern.path(now) == path {
                let is_new = stat.st_size == 0;
                if !is_new {
                    check_header(&format, &file, &path)?;
                }
                return Ok((now, Appender { file, path, format, is_new, is_closed: false }));
            }
        }
        bail!("the file {} is moved away again and again", self.pattern)
    }

    fn open_or_make(&self, path: &Path) -> anyhow::Result<OwnedFd> {
        // Read, for its last byte; without waiting for the other end of a FIFO, nor becoming a terminal's owner.
        const FLAGS: OFlags = OFlags::RDWR
            .union(OFlags::APPEND)
            .union(OFlags::NOFOLLOW)
            .union(OFlags::NONBLOCK)
            .union(OFlags::NOCTTY)
            .union(OFlags::CLOEXEC);
        let directory = self.open_directory(path)?;
        let name = path.file_name().unwrap_or(OsStr::new(""));
        loop {
            match retry_on_intr(|| openat(&directory, name, FLAGS, Mode::empty())) {
                Err(Errno::NOENT) => {}
                opened => {
                    let file = regular(path, opened)?;
                    check_owner(&directory, &file, path)?;
                    return Ok(file);
                }
            }
            // Only who makes it gives it its permissions.
            let make = FLAGS | OFlags::CREATE | OFlags::EXCL;
            match retry_on_intr(|| openat(&directory, name, make, Mode::from_raw_mode(self.mode))) {
                Ok(file) => {
                    set_mode(&file, self.mode)
                        .with_context(|| format!("cannot give {} the mode {:04o}", path.display(), self.mode))?;
                    return Ok(file);
                }
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error).with_context(|| cannot_open(path)),
            }
        }
    }

    /// Opens the directory, which need not be readable for that, and makes it first if it is missing.
    fn open_directory(&self, path: &Path) -> anyhow::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = || retry_on_intr(|| open(self.pattern.directory(), flags, Mode::empty()));
        let opened = match open() {
            Err(Errno::NOENT) => {
                self.make_directory()?;
                open()
            }
            opened => opened,
        };
        opened.with_context(|| cannot_open(path))
    }

    /// Makes the directory: one level, as a mistyped path should not become a tree.
    fn make_directory(&self) -> anyhow::Result<()> {
        let path = self.pattern.directory();
        let cannot = || format!("cannot make the directory {}, of which only the last level is made", path.display());
        // Who may read it may enter it.
        let mode = self.mode | (self.mode & 0o444) >> 2;
        match mkdir(path, Mode::from_raw_mode(mode)) {
            // Another run was faster; but a link to nothing is there, too.
            Err(Errno::EXIST) if path.is_dir() => Ok(()),
            made => {
                made.with_context(cannot)?;
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let directory = open(path, flags, Mode::empty()).with_context(cannot)?;
                set_mode(&directory, mode).with_context(cannot)
            }
        }
    }
}

/// Takes the umask's part out of what was made.
fn set_mode(made: &OwnedFd, mode: u32) -> Result<(), Errno> {
    let has = fstat(made)?.st_mode;
    if has & 0o777 == mode {
        return Ok(());
    }
    // A directory may have inherited its set-group-ID bit.
    fchmod(made, Mode::from_raw_mode(has & 0o7000 | mode))
}

/// What was opened, if lines can be appended to such a file and be there afterwards.
fn regular(path: &Path, opened: Result<OwnedFd, Errno>) -> anyhow::Result<OwnedFd> {
    let kind = |stat: Stat| FileType::from_raw_mode(stat.st_mode);
    let found = match &opened {
        Ok(file) => fstat(file),
        Err(_) => lstat(path),
    };
    let shown = path.display();
    match found.map(kind) {
        Ok(FileType::RegularFile) | Err(_) => opened.with_context(|| cannot_open(path)),
        Ok(FileType::Directory) => Err(anyhow!("{shown} is a directory: name a file in it, such as %Y-%m-%d.jsonl")),
        Ok(FileType::Symlink) => Err(anyhow!("{shown} is a symbolic link: name the file that it points to")),
        Ok(_) => Err(anyhow!("{shown} is not a regular file: what is written to others, standard output can have")),
    }
}

/// Refuses a file that another user may have put there. Both descriptors are open, so that nothing can change places
/// between the look and the writing.
fn check_owner(directory: impl AsFd, file: impl AsFd, path: &Path) -> anyhow::Result<()> {
    let [directory, file] = [fstat(directory), fstat(file)].map(|stat| stat.with_context(|| cannot_open(path)));
    match planted::objection(&file?, &directory?, geteuid().as_raw()) {
        None => Ok(()),
        Some(why) => bail!(
            "cannot append to {}: {why}; remove it, or name a file in a directory that only you may write to",
            path.display()
        ),
    }
}

/// Refuses a file that has another header than the lines to be appended.
fn check_header(format: &LineFormat, file: impl AsFd, path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    if !format.begins(file).with_context(|| format!("cannot read the header of {shown}"))? {
        bail!(
            "cannot append to {shown}: its first line is not the header of these records, {}; request the fields that \
             it has, name another --output, or move the file away",
            String::from_utf8_lossy(&format.header).trim_end()
        );
    }
    Ok(())
}

fn cannot_open(path: &Path) -> String {
    format!("cannot open {} to append to it", path.display())
}

/// A file that nobody else writes to.
pub struct Appender {
    file: OwnedFd,
    path: PathBuf,
    format: LineFormat,
    is_new: bool,
    /// Whether it is known to end with a newline.
    is_closed: bool,
}

impl Appender {
    /// Which it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it was empty when it was opened.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Appends a batch of whole lines. A line before it that a run which was killed left open is closed with them.
    ///
    /// # Errors
    /// If there is no room for them: then nothing was written. If writing fails.
    pub fn append(&mut self, batch: &[u8]) -> anyhow::Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let cannot = || format!("cannot append to {}", self.path.display());
        let size = fstat(&self.file).with_context(cannot)?.st_size.unsigned_abs();
        let mut batch = Cow::Borrowed(batch);
        if !self.is_closed {
            let closing = self.format.closing(&self.file, size).with_context(cannot)?;
            if !closing.is_empty() {
                batch = Cow::Owned([&closing, &*batch].concat());
            }
        }
        self.has_room(size, batch.len() as u64)?;
        write_all(&self.file, &batch).with_context(cannot)?;
        self.is_closed = true;
        Ok(())
    }

    /// Sees to it that so much more fits, so that no write ends within a line.
    fn has_room(&self, size: u64, more: u64) -> anyhow::Result<()> {
        let path = self.path.display();
        // A write past this limit writes a part, and the next one ends the program: SIGXFSZ.
        if let Some(limit) = getrlimit(Resource::Fsize).current.filter(|limit| size.saturating_add(more) > *limit) {
            bail!("cannot append to {path}: no file of this process may pass {limit} bytes (ulimit -f); raise that");
        }
        match retry_on_intr(|| fallocate(&self.file, FallocateFlags::KEEP_SIZE, size, more)) {
            // Not every filesystem can do that.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(error @ (Errno::NOSPC | Errno::DQUOT)) => {
                Err(error).context(format!("no room for more lines in {path}, and no part of one written: make some"))
            }
            allocated => allocated.with_context(|| format!("cannot append to {path}")),
        }
    }

    /// Lets others write, also where something that was abandoned still holds it open.
    pub fn unlock(&self) {
        // Were this to fail, the file's end would do it.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}
