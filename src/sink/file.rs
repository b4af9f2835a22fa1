//! A file that records are appended to. It is never truncated or rewritten. One run at a time writes to it, under a
//! lock. It writes batches of whole lines, and reserves the disk space for each batch first.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use chrono::{DateTime, Utc};
use rustix::fs::{
    FallocateFlags, FileType, FlockOperation, Mode, OFlags, Stat, fallocate, fchmod, flock, fstat, fsync, lstat, mkdir,
    open, openat,
};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Resource, geteuid, getrlimit};

use super::line_format::LineFormat;
use super::pattern::Pattern;
use super::planted;
use super::retention::Keep;
use super::stdout::write_all;

/// The maximum size of a batch: 256 KiB, less the quote and the newline that may precede it.
pub const BATCH: usize = 256 * 1024 - 2;

/// The files of a pattern, their permissions and their retention.
#[derive(Clone, Debug)]
pub struct Files {
    /// The pattern of their names.
    pub pattern: Pattern,
    /// The permissions of a new file.
    pub mode: u32,
    /// Which of them are kept.
    pub keep: Keep,
}

impl Files {
    /// Opens and locks the file for the time of `clock`. Before it waits for the lock, it asks `waits` with the file's path
    /// whether to wait. After the wait, a later time may need another file. `format` is the format of the lines to append.
    ///
    /// # Errors
    /// If the file cannot be opened, locked or appended to, or if it has another header. `EWOULDBLOCK` if `waits` says no.
    pub fn open(
        &self,
        format: LineFormat,
        clock: impl Fn() -> DateTime<Utc>,
        waits: impl Fn(&Path) -> bool,
    ) -> anyhow::Result<(DateTime<Utc>, Appender)> {
        /// Far more often than a file is moved away during the wait for its lock.
        const MAX_ATTEMPTS: usize = 100;
        for _ in 0..MAX_ATTEMPTS {
            let mut now = clock();
            let path = self.pattern.path(now);
            let file = self.open_or_create(&path)?;
            let cannot_lock = || format!("cannot lock {}, to write to it alone", path.display());
            match retry_on_intr(|| flock(&file, FlockOperation::NonBlockingLockExclusive)) {
                Err(Errno::WOULDBLOCK) => {
                    if !waits(&path) {
                        let owner = "end the process that holds it (fuser shows it)";
                        return Err(Errno::WOULDBLOCK).with_context(|| format!("{}: {owner}", cannot_lock()));
                    }
                    retry_on_intr(|| flock(&file, FlockOperation::LockExclusive)).with_context(cannot_lock)?;
                    now = clock();
                }
                locked => locked.with_context(cannot_lock)?,
            }
            // The previous owner of the lock may have moved or removed the file.
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
        bail!("another process keeps moving the file {} away", self.pattern)
    }

    fn open_or_create(&self, path: &Path) -> anyhow::Result<OwnedFd> {
        // Reading is for the last byte. NONBLOCK does not wait for the other end of a FIFO, and NOCTTY does not acquire
        // a controlling terminal.
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
            // Only the run that creates the file sets its permissions.
            let create = FLAGS | OFlags::CREATE | OFlags::EXCL;
            match retry_on_intr(|| openat(&directory, name, create, Mode::from_raw_mode(self.mode))) {
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

    /// Opens the directory, and creates it if it is missing. O_PATH does not need permission to read it.
    fn open_directory(&self, path: &Path) -> anyhow::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = || retry_on_intr(|| open(self.pattern.directory(), flags, Mode::empty()));
        let opened = match open() {
            Err(Errno::NOENT) => {
                self.create_directory()?;
                open()
            }
            opened => opened,
        };
        opened.with_context(|| cannot_open(path))
    }

    /// Creates the directory. It creates only one level, so that a mistyped path does not become a tree.
    fn create_directory(&self) -> anyhow::Result<()> {
        let path = self.pattern.directory();
        let cannot = || {
            format!("cannot create the directory {} (procline creates only the last level of a path)", path.display())
        };
        // A user who may read the directory may also enter it.
        let mode = self.mode | (self.mode & 0o444) >> 2;
        match mkdir(path, Mode::from_raw_mode(mode)) {
            // Another run was faster. A dangling link also gives EEXIST, but it is not a directory.
            Err(Errno::EXIST) if path.is_dir() => Ok(()),
            created => {
                created.with_context(cannot)?;
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let directory = open(path, flags, Mode::empty()).with_context(cannot)?;
                set_mode(&directory, mode).with_context(cannot)
            }
        }
    }
}

/// Sets the mode of a new file or directory, from which the umask may have removed bits.
fn set_mode(created: &OwnedFd, mode: u32) -> Result<(), Errno> {
    let current = fstat(created)?.st_mode;
    if current & 0o777 == mode {
        return Ok(());
    }
    // A directory may have inherited its set-group-ID bit.
    fchmod(created, Mode::from_raw_mode(current & 0o7000 | mode))
}

/// Returns the file if it is a regular one. Lines that are appended to other files may be lost.
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
        Ok(_) => Err(anyhow!("{shown} is not a regular file; use standard output instead")),
    }
}

/// Refuses a file that another user may have put there. Both descriptors are open, so nobody can replace the file or
/// the directory between this check and the write.
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

/// Refuses a file whose header is not the header of the lines to append.
fn check_header(format: &LineFormat, file: impl AsFd, path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    if !format.has_header(file).with_context(|| format!("cannot read the header of {shown}"))? {
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

/// A locked file to append to.
pub struct Appender {
    file: OwnedFd,
    path: PathBuf,
    format: LineFormat,
    is_new: bool,
    /// Whether it is known to end with a newline.
    is_closed: bool,
}

impl Appender {
    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it was empty when it was opened.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Appends a batch of whole lines. If a killed run left the last line open, this closes it first.
    ///
    /// # Errors
    /// If there is no space for the batch: then nothing was written. If writing fails.
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
        self.reserve(size, batch.len() as u64)?;
        write_all(&self.file, &batch).with_context(cannot)?;
        self.is_closed = true;
        Ok(())
    }

    /// Reserves space for `more` bytes, so that no write ends in the middle of a line.
    fn reserve(&self, size: u64, more: u64) -> anyhow::Result<()> {
        let path = self.path.display();
        // The first write past this limit is cut short, and the next one ends the program with SIGXFSZ.
        if let Some(limit) = getrlimit(Resource::Fsize).current.filter(|limit| size.saturating_add(more) > *limit) {
            bail!("cannot append to {path}: files may not exceed {limit} bytes (ulimit -f); raise that limit");
        }
        match retry_on_intr(|| fallocate(&self.file, FallocateFlags::KEEP_SIZE, size, more)) {
            // Some filesystems cannot reserve space.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(error @ (Errno::NOSPC | Errno::DQUOT)) => {
                Err(error).context(format!("no space for more lines in {path}, and none was written; free some space"))
            }
            allocated => allocated.with_context(|| format!("cannot append to {path}")),
        }
    }

    /// Waits until what was appended is on the disk.
    ///
    /// # Errors
    /// If that fails.
    pub fn sync(&self) -> anyhow::Result<()> {
        let cannot = || format!("cannot secure {} on the disk", self.path.display());
        retry_on_intr(|| fsync(&self.file)).with_context(cannot)?;
        if self.is_new
            && let Some(directory) = self.path.parent()
        {
            // Its name is new, too. A directory that this user cannot read is left to the kernel.
            let above = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
            if let Ok(above) = open(above, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
                fsync(&above).with_context(cannot)?;
            }
        }
        Ok(())
    }

    /// Releases the lock, even if an abandoned worker still has the file open.
    pub fn unlock(&self) {
        // If this fails, closing the file releases the lock.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}
