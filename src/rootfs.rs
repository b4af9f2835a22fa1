//! Another machine's root directory, mounted here. Paths are resolved as that machine would resolve them: a link,
//! whether absolute or with `..`, never leads outside the root.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::Context;
use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags, fstat, open, openat, openat2, readlinkat};
use rustix::io::{Errno, retry_on_intr};

/// The flags to open a file with. They do not wait for the other end of a FIFO, and do not acquire a controlling
/// terminal.
const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// The directory that stands for `/`.
#[derive(Debug)]
pub struct Rootfs {
    directory: OwnedFd,
    /// Whether it is this machine's own root, which no link leads out of.
    is_own: bool,
}

impl Rootfs {
    /// Opens the directory at `path`.
    ///
    /// # Errors
    /// If the path is not a directory, or cannot be opened.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = open(path, flags, Mode::empty())
            .with_context(|| format!("cannot open {} as a root directory", path.display()))?;
        Ok(Rootfs { directory, is_own: path == Path::new("/") })
    }

    /// The content of a regular file, by its path below the root.
    ///
    /// # Errors
    /// If the file is missing, is not a regular file, or is not readable for this user.
    pub fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        /// Far more than the users of a large site need.
        const MAX: u64 = 64 << 20;
        let mut text = Vec::new();
        self.file(path)?.take(MAX).read_to_end(&mut text)?;
        Ok(text)
    }

    /// A regular file, opened, by its path below the root.
    ///
    /// # Errors
    /// Those of [`Rootfs::read`].
    pub fn file(&self, path: &str) -> io::Result<File> {
        let file = self.open_at(Path::new(path), FLAGS)?;
        if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(File::from(file))
    }

    /// A directory, opened, by its path below the root.
    ///
    /// # Errors
    /// If it is missing, or is no directory that this user may read.
    pub fn directory(&self, path: &str) -> io::Result<OwnedFd> {
        Ok(self.open_at(Path::new(path), FLAGS | OFlags::DIRECTORY)?)
    }

    /// The names in a directory, in the order of their bytes. Those that are not UTF-8 are omitted.
    ///
    /// # Errors
    /// Those of [`Rootfs::directory`].
    pub fn names(&self, path: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::new(self.directory(path)?)? {
            names.extend(
                entry?.file_name().to_str().ok().filter(|name| !matches!(*name, "." | "..")).map(str::to_owned),
            );
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Where a symbolic link points, as it is written there. None if the file is no link, or the link is not UTF-8.
    pub fn link(&self, path: &str) -> Option<String> {
        let place = self.locate(Path::new(path)).ok()?;
        readlinkat(&place, c"", Vec::new()).ok()?.into_string().ok()
    }

    /// The place of a file, which may be of any kind, by its path on that machine. A link is the link itself, unless the
    /// path ends in `/`.
    ///
    /// # Errors
    /// If the file is missing, or is out of reach for this user.
    pub fn locate(&self, path: &Path) -> Result<OwnedFd, Errno> {
        self.open_at(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC)
    }

    fn open_at(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        match self.open_in_root(path, flags) {
            // The system call is missing before Linux 5.6, and some sandboxes refuse it: RestrictSUIDSGID= of systemd, for one.
            Err(Errno::NOSYS | Errno::PERM) if self.is_own => {
                retry_on_intr(|| openat(&self.directory, path, flags, Mode::empty()))
            }
            Err(Errno::NOSYS | Errno::PERM) => self.open_without_links(path, flags),
            opened => opened,
        }
    }

    fn open_in_root(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        /// EAGAIN means that a rename raced with resolving `..`, openat2(2). It passes.
        const ATTEMPTS: usize = 100;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let open = || retry_on_intr(|| openat2(&self.directory, path, flags, Mode::empty(), resolve));
        (1..ATTEMPTS).map(|_| open()).find(|opened| !matches!(opened, Err(Errno::AGAIN))).unwrap_or_else(open)
    }

    /// Opens one level after the other and refuses links: a link could lead outside the root.
    fn open_without_links(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let path = path.as_os_str().as_bytes();
        let (directories, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&b""[..], path),
        };
        let open = |directory: &OwnedFd, name: &[u8], flags| {
            retry_on_intr(|| openat(directory, name, flags | OFlags::NOFOLLOW, Mode::empty()))
        };
        let mut directory = open(&self.directory, b".", FLAGS | OFlags::DIRECTORY)?;
        for level in directories.split(|byte| *byte == b'/').filter(|level| !level.is_empty()) {
            if level == b".." {
                return Err(Errno::XDEV);
            }
            directory = open(&directory, level, FLAGS | OFlags::DIRECTORY)?;
        }
        open(&directory, if name.is_empty() { b"." } else { name }, flags)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_stay_inside_or_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let outside = folder.path().join("outside");
        fs::write(&outside, "outside").unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("etc/real")).unwrap();
        fs::create_dir_all(root.join("run")).unwrap();
        fs::write(root.join("run/passwd"), "inside").unwrap();
        fs::write(root.join("etc/plain"), "plain").unwrap();
        symlink("/run/passwd", root.join("etc/absolute")).unwrap();
        symlink("../../../../run/passwd", root.join("etc/upwards")).unwrap();
        symlink(&outside, root.join("etc/out")).unwrap();
        symlink("../outside", root.join("out")).unwrap();
        symlink("/run", root.join("linked")).unwrap();
        let rootfs = Rootfs::open(&root).unwrap();
        let inside = [
            ("etc/plain", Some("plain"), Some("plain")),
            ("etc/absolute", Some("inside"), None),
            ("etc/upwards", Some("inside"), None),
            ("linked/passwd", Some("inside"), None),
            ("etc/out", None, None),
            ("out", None, None),
            ("etc/real", None, None),
            ("etc/missing", None, None),
        ];
        for (path, resolved, without_links) in inside {
            let found = rootfs.read(path).ok().map(|text| String::from_utf8(text).unwrap());
            assert_eq!(found.as_deref(), resolved, "{path}");
            let found = rootfs
                .open_without_links(Path::new(path), FLAGS)
                .ok()
                .map(File::from)
                .and_then(|file| io::read_to_string(file).ok());
            assert_eq!(found.as_deref(), without_links, "{path} without links");
        }
    }
}
