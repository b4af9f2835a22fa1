//! The only file that opens /proc: it reads files and classifies errors. It knows paths, but not what the files
//! contain.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rustix::buffer::spare_capacity;
use rustix::fs::{AtFlags, Mode, OFlags, PROC_SUPER_MAGIC, RawDir, StatxFlags};
use rustix::io::{Errno, retry_on_intr};

use crate::sys;

/// A /proc, or a copied tree that looks like one. Paths are opened relative to its directory: that saves the kernel a
/// path lookup.
pub struct Procfs {
    root: OwnedFd,
    path: PathBuf,
    /// Whether it is the kernel's /proc and not a copy. In the kernel's, the effective user owns a process's directory.
    is_kernels: bool,
}

impl Procfs {
    /// Opens the tree at `path`, or this machine's /proc.
    ///
    /// # Errors
    /// If the path is not a directory, or cannot be opened.
    pub fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let path = path.unwrap_or(Path::new("/proc"));
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty())
            .with_context(|| format!("cannot open {} as a proc filesystem", path.display()))?;
        let is_kernels = rustix::fs::fstatfs(&root).is_ok_and(|fs| fs.f_type == PROC_SUPER_MAGIC);
        Ok(Procfs { root, path: path.to_owned(), is_kernels })
    }

    /// The path where it is mounted, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a file about the machine: `uptime`, `meminfo`, `tty/drivers` …
    ///
    /// # Errors
    /// If the file cannot be read: the tree is then not a proc filesystem, or an incomplete one.
    pub fn read_host(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        /// This is generous, because /proc/stat grows with CPUs and interrupts.
        const MAX: u64 = 16 << 20;
        // More than most of them hold, so that one read is enough.
        let mut text = Vec::with_capacity(8 * 1024);
        open(&self.root, name.as_bytes())
            .and_then(|file| File::from(file).take(MAX).read_to_end(&mut text))
            .with_context(|| {
                format!("cannot read {}, which every proc filesystem has", self.path.join(name).display())
            })?;
        Ok(text)
    }

    /// Whether there is any process. A directory without one is not a proc filesystem.
    ///
    /// # Errors
    /// If the directory cannot be listed.
    pub fn has_processes(&self) -> anyhow::Result<bool> {
        Ok(self.is_kernels || self.pids()?.next()?.is_some())
    }

    /// The files of one process.
    pub fn process(&self, pid: u32) -> ProcessFiles<'_> {
        let mut path = [0; PATH_MAX];
        // Write the digits backwards, then move them to the beginning. `write!` would double the cost of opening a file
        // outside the kernel.
        let (mut start, mut left) = (DIGITS_MAX, pid);
        path[start] = b'/';
        while left > 0 || start == DIGITS_MAX {
            start -= 1;
            path[start] = b'0' + (left % 10) as u8;
            left /= 10;
        }
        path.copy_within(start..=DIGITS_MAX, 0);
        let stem = DIGITS_MAX + 1 - start;
        ProcessFiles { procfs: self, path, stem }
    }

    /// Starts listing the processes.
    ///
    /// # Errors
    /// If the directory cannot be opened a second time.
    pub fn pids(&self) -> anyhow::Result<Pids> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::openat(&self.root, ".", flags, Mode::empty())
            .with_context(|| format!("cannot list {}", self.path.display()))?;
        Ok(Pids { root, entries: Vec::with_capacity(32 * 1024), chunk: Vec::new(), listed: false })
    }
}

/// The largest number of digits in a pid.
const DIGITS_MAX: usize = 10;

/// The size of a path's buffer: enough for a pid with the longest file name used here.
const PATH_MAX: usize = 32;

/// The files of one process: `PID/…`. Each file is opened by its path, because a descriptor of the directory would cost
/// more than it saves. The path is safe: the kernel reuses a pid only after all others, so the pid still belongs to the
/// same process at the next read.
pub struct ProcessFiles<'a> {
    procfs: &'a Procfs,
    path: [u8; PATH_MAX],
    stem: usize,
}

impl ProcessFiles<'_> {
    /// Replaces `text` with the content of a file, up to about `max` bytes.
    ///
    /// # Errors
    /// Those of open(2) and read(2); see [`is_out_of_sight`].
    pub fn read(&mut self, name: &str, text: &mut Vec<u8>, max: usize) -> io::Result<()> {
        let file = self.open(name)?;
        text.clear();
        let read = fill(&file, text, max);
        sys::close(file);
        read.map(|_| ())
    }

    /// Reads a file like [`read`](Self::read). If it is longer than `max`, keeps the first `head` bytes and the last
    /// `max - head`. Returns whether the text is complete.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub fn read_ends(&mut self, name: &str, text: &mut Vec<u8>, head: usize, max: usize) -> io::Result<bool> {
        let file = self.open(name)?;
        text.clear();
        let mut is_complete = true;
        let read = loop {
            let read = fill(&file, text, 2 * max);
            if let Some(surplus) = text.len().checked_sub(max).filter(|surplus| *surplus > 0) {
                text.drain(head..head + surplus);
                is_complete = false;
            }
            if !matches!(read, Ok(false)) {
                break read;
            }
        };
        sys::close(file);
        read.map(|_| is_complete)
    }

    /// The process's effective user, from the owner of its directory. That is right even if the process is not dumpable
    /// (`task_dump_owner` in the kernel's fs/proc/base.c). None in a copied tree, which belongs to whoever copied it.
    pub fn effective_uid(&self) -> Option<u32> {
        if !self.procfs.is_kernels {
            return None;
        }
        let directory = &self.path[..self.stem];
        let statx = rustix::fs::statx(&self.procfs.root, directory, AtFlags::empty(), StatxFlags::UID).ok()?;
        Some(statx.stx_uid)
    }

    /// The target of a link: `exe`, `cwd`.
    ///
    /// # Errors
    /// Those of readlink(2).
    pub fn link(&mut self, name: &str) -> io::Result<Vec<u8>> {
        let root = &self.procfs.root;
        Ok(rustix::fs::readlinkat(root, self.path_of(name)?, Vec::new())?.into_bytes())
    }

    /// The number of entries in a directory: `fd`.
    ///
    /// # Errors
    /// Those of open(2) and getdents64(2).
    pub fn count(&mut self, name: &str) -> io::Result<u64> {
        let directory = self.open(name)?;
        let mut entries = Vec::with_capacity(8 * 1024);
        let mut list = RawDir::new(&directory, entries.spare_capacity_mut());
        let mut count = 0;
        while let Some(entry) = list.next() {
            count += u64::from(!entry?.file_name().to_bytes().starts_with(b"."));
        }
        Ok(count)
    }

    fn open(&mut self, name: &str) -> io::Result<OwnedFd> {
        let root = &self.procfs.root;
        open(root, self.path_of(name)?)
    }

    fn path_of(&mut self, name: &str) -> io::Result<&[u8]> {
        let end = self.stem + name.len();
        let rest = self.path.get_mut(self.stem..end).ok_or(Errno::NAMETOOLONG)?;
        rest.copy_from_slice(name.as_bytes());
        Ok(&self.path[..end])
    }
}

/// The processes of a tree, by ascending pid. They are listed in chunks, so that memory does not grow with their
/// number.
pub struct Pids {
    root: OwnedFd,
    entries: Vec<u8>,
    /// The pids of one getdents64(2), in descending order: the next one is the last.
    chunk: Vec<u32>,
    /// Whether the directory is read to its end.
    listed: bool,
}

impl Pids {
    /// Continues with only these pids, in their order.
    pub fn only(&mut self, mut pids: Vec<u32>) {
        pids.reverse();
        self.chunk = pids;
        self.listed = true;
    }

    /// The next process, or none.
    ///
    /// # Errors
    /// Those of getdents64(2).
    pub fn next(&mut self) -> io::Result<Option<u32>> {
        while self.chunk.is_empty() && !self.listed {
            self.listed = !self.read_chunk()?;
        }
        Ok(self.chunk.pop())
    }

    fn read_chunk(&mut self) -> io::Result<bool> {
        let mut entries = RawDir::new(&self.root, self.entries.spare_capacity_mut());
        let mut any = false;
        while let Some(entry) = entries.next() {
            any = true;
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            // Accept only a number as the kernel writes it: a copied tree may have any names.
            if name.iter().all(u8::is_ascii_digit) && !name.starts_with(b"0") {
                self.chunk.extend(std::str::from_utf8(name).ok().and_then(|digits| digits.parse::<u32>().ok()));
            }
            if entries.is_buffer_empty() {
                break;
            }
        }
        // The kernel lists pids in ascending order, but the files of a copied tree come in any order.
        self.chunk.sort_unstable_by(|a, b| b.cmp(a));
        Ok(any)
    }
}

/// Whether a process has ended, or has no such file.
pub fn is_gone(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::NOENT | Errno::SRCH))
}

/// Whether an error on a process's `stat` means that it has no record: it is gone (`ENOENT` from open, `ESRCH` from
/// read), or this user may not see it (`hidepid=1`, proc(5)).
pub fn is_out_of_sight(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    is_gone(error) || matches!(errno, Some(Errno::ACCESS | Errno::PERM))
}

/// Whether the thread `tid` of this program is running or waits for a CPU. Such a thread is slow, but not stuck.
pub fn is_running(tid: i32) -> bool {
    let Ok(text) = std::fs::read(format!("/proc/self/task/{tid}/stat")) else {
        return false;
    };
    crate::parse::stat(&text).is_some_and(|(_, stat)| stat.state == b'R')
}

fn open(root: &OwnedFd, path: &[u8]) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(retry_on_intr(|| rustix::fs::openat(root, path, flags, Mode::empty()))?)
}

/// Appends the content of `file` to `text`, until that has `max` bytes or a little more. Returns whether the file
/// ended.
///
/// The kernel generates a process's files for each reader. So a read that does not fill the buffer is the last one. One
/// more read to confirm that would be a tenth of the work.
fn fill(file: &OwnedFd, text: &mut Vec<u8>, max: usize) -> io::Result<bool> {
    while text.len() < max {
        if text.capacity() == text.len() {
            text.reserve(text.len().max(4096));
        }
        let free = text.capacity() - text.len();
        let read = retry_on_intr(|| rustix::io::read(file, spare_capacity(text)))?;
        if read < free {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_a_process_are_told_from_errors_of_the_machine() {
        // ENOENT, ESRCH, EACCES, EPERM; then EIO, ENOMEM, EISDIR, ENFILE, EMFILE.
        for (errno, out_of_sight) in [
            (2, true),
            (3, true),
            (13, true),
            (1, true),
            (5, false),
            (12, false),
            (21, false),
            (23, false),
            (24, false),
        ] {
            assert_eq!(is_out_of_sight(&io::Error::from_raw_os_error(errno)), out_of_sight, "{errno}");
        }
        assert!(!is_out_of_sight(&io::Error::other("no number")));
    }

    #[test]
    fn this_process_in_the_kernels_own_tree() {
        let procfs = Procfs::open(None).unwrap();
        let mut files = procfs.process(std::process::id());
        assert_eq!(files.effective_uid(), Some(rustix::process::geteuid().as_raw()));
        let mut text = Vec::new();
        files.read("stat", &mut text, 4096).unwrap();
        assert!(crate::parse::stat(&text).is_some());
        assert!(files.read("a-name-that-is-longer-than-any-of-ours", &mut text, 4096).is_err());
        assert!(is_running(rustix::thread::gettid().as_raw_nonzero().get()));
    }

    #[test]
    fn a_copied_tree_does_not_tell_owners() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("7")).unwrap();
        std::fs::create_dir(folder.path().join("007")).unwrap();
        std::fs::create_dir(folder.path().join("4294967296")).unwrap();
        let procfs = Procfs::open(Some(folder.path())).unwrap();
        assert_eq!(procfs.process(7).effective_uid(), None);
        for pid in [0, 7, 10, 4_194_304, u32::MAX] {
            let files = procfs.process(pid);
            assert_eq!(files.path[..files.stem], *format!("{pid}/").as_bytes());
        }
        let mut pids = procfs.pids().unwrap();
        assert_eq!([pids.next().unwrap(), pids.next().unwrap()], [Some(7), None]);
    }

    /// The capacity of the buffer does not change what is read.
    #[test]
    fn both_ends_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("7")).unwrap();
        let procfs = Procfs::open(Some(folder.path())).unwrap();
        for length in [0, 1, 99, 100, 101, 150, 199, 200, 201, 300, 5000] {
            let content: Vec<u8> = (0..length).map(|place| (place % 251) as u8).collect();
            std::fs::write(folder.path().join("7/file"), &content).unwrap();
            for capacity in [0, 10, 4096] {
                let mut text = Vec::with_capacity(capacity);
                let is_complete = procfs.process(7).read_ends("file", &mut text, 70, 100).unwrap();
                assert_eq!(is_complete, length <= 100, "{length}");
                let expected =
                    if is_complete { content.clone() } else { [&content[..70], &content[length - 30..]].concat() };
                assert_eq!(text, expected, "{length}");
            }
        }
    }
}
