//! What the kernel says of one file: statx(2).

use std::ffi::CStr;
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, FileType, Statx, StatxFlags, StatxTimestamp, statx};
use rustix::io::{Result, retry_on_intr};

/// What a file is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    #[default]
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A FIFO.
    Fifo,
    /// A socket.
    Socket,
    /// A block device.
    BlockDevice,
    /// A character device.
    CharDevice,
}

impl FileKind {
    /// Its name in a record.
    pub fn name(self) -> &'static str {
        match self {
            FileKind::File => "file",
            FileKind::Directory => "directory",
            FileKind::Link => "symlink",
            FileKind::Fifo => "fifo",
            FileKind::Socket => "socket",
            FileKind::BlockDevice => "block_device",
            FileKind::CharDevice => "char_device",
        }
    }
}

/// Seconds since 1970, and nanoseconds after them.
pub type Time = (i64, u32);

/// The times of a file. None if the filesystem does not have it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// When its content was last written.
    pub modified: Option<Time>,
    /// When it was last read.
    pub accessed: Option<Time>,
    /// When its content, name, owner or permissions last changed.
    pub changed: Option<Time>,
    /// When it was created.
    pub born: Option<Time>,
}

/// Where a file is: on which device, and in which mount. Kernels before Linux 5.8 do not tell the mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The device's number.
    pub device: u64,
    /// The mount's id in proc_pid_mountinfo(5).
    pub mount: Option<u64>,
}

impl Place {
    /// Whether a file at `other` is in another filesystem or mount. In overlayfs, a file may have another device than its
    /// directory. In btrfs, a subvolume is a directory with another device.
    pub fn is_left_for(self, other: Place, is_directory: bool) -> bool {
        match (self.mount, other.mount) {
            (Some(here), Some(there)) => here != there || is_directory && self.device != other.device,
            _ => self.device != other.device,
        }
    }
}

/// What a sum needs of a file.
const COUNTED: StatxFlags = StatxFlags::TYPE
    .union(StatxFlags::NLINK)
    .union(StatxFlags::INO)
    .union(StatxFlags::SIZE)
    .union(StatxFlags::BLOCKS)
    .union(StatxFlags::MNT_ID);
/// The same with the time for the newest and the oldest file.
const DATED: StatxFlags = COUNTED.union(StatxFlags::MTIME);
/// What a record needs of a file.
const WHOLE: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME).union(StatxFlags::MNT_ID);

/// What the kernel says of a file.
pub struct Stat(Statx);

/// How much is asked of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// What sums need.
    Counted,
    /// The same with the time of the last write.
    Dated,
    /// What a record needs.
    Whole,
    /// What the kernel knows without asking a server of files: only where the file is. This never blocks.
    Place,
}

impl Stat {
    /// Asks about `name` in this directory; about a link itself, not about its target.
    pub fn of(directory: BorrowedFd<'_>, name: &CStr, ask: Ask) -> Result<Self> {
        Self::ask(directory, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT, ask)
    }

    /// Asks about an open file.
    pub fn of_open(file: BorrowedFd<'_>, ask: Ask) -> Result<Self> {
        // The kernel takes longer with this flag, so names have none.
        Self::ask(file, c"", AtFlags::EMPTY_PATH, ask)
    }

    fn ask(file: BorrowedFd<'_>, name: &CStr, flags: AtFlags, ask: Ask) -> Result<Self> {
        let (flags, mask) = match ask {
            Ask::Counted => (flags, COUNTED),
            Ask::Dated => (flags, DATED),
            Ask::Whole => (flags, WHOLE),
            Ask::Place => (flags | AtFlags::STATX_DONT_SYNC, StatxFlags::TYPE | StatxFlags::MNT_ID),
        };
        retry_on_intr(|| statx(file, name, flags, mask)).map(Stat)
    }

    pub fn is_directory(&self) -> bool {
        self.file_type() == FileType::Directory
    }

    fn file_type(&self) -> FileType {
        FileType::from_raw_mode(u32::from(self.0.stx_mode))
    }

    pub fn kind(&self) -> FileKind {
        match self.file_type() {
            FileType::Directory => FileKind::Directory,
            FileType::Symlink => FileKind::Link,
            FileType::Fifo => FileKind::Fifo,
            FileType::Socket => FileKind::Socket,
            FileType::BlockDevice => FileKind::BlockDevice,
            FileType::CharacterDevice => FileKind::CharDevice,
            _ => FileKind::File,
        }
    }

    /// Device and inode, which no other file has at the same time.
    pub fn id(&self) -> (u64, u64) {
        (self.place().device, self.0.stx_ino)
    }

    pub fn place(&self) -> Place {
        let device = u64::from(self.0.stx_dev_major) << 32 | u64::from(self.0.stx_dev_minor);
        Place { device, mount: self.known(StatxFlags::MNT_ID, self.0.stx_mnt_id) }
    }

    /// The number of its inode.
    pub fn inode(&self) -> u64 {
        self.0.stx_ino
    }

    /// The number of its device: major, minor.
    pub fn device(&self) -> (u32, u32) {
        (self.0.stx_dev_major, self.0.stx_dev_minor)
    }

    /// How many names it has.
    pub fn links(&self) -> u32 {
        self.0.stx_nlink
    }

    /// Its permissions, with the set-user-ID, set-group-ID and sticky bits.
    pub fn permissions(&self) -> u16 {
        self.0.stx_mode & 0o7777
    }

    /// The ids of its owner and its group.
    pub fn owners(&self) -> (u32, u32) {
        (self.0.stx_uid, self.0.stx_gid)
    }

    /// Its size as stat(2) has it, in bytes. What it means depends on the kind of file.
    pub fn size(&self) -> u64 {
        self.0.stx_size
    }

    /// Whether it may have been written to since `earlier`.
    pub fn is_changed_since(&self, earlier: &Stat) -> bool {
        let of = |stat: &Stat| (stat.size(), time(stat.0.stx_mtime), time(stat.0.stx_ctime));
        of(self) != of(earlier)
    }

    /// Whether the file has another name, too. Directories have one name only; their count is of what is in them.
    pub fn is_hard_link(&self) -> bool {
        self.0.stx_nlink > 1 && !self.is_directory()
    }

    /// The space that it takes, in bytes. `st_blocks` of stat(2) counts 512 bytes each, whatever the filesystem's blocks.
    pub fn allocated(&self) -> i64 {
        i64::try_from(self.0.stx_blocks.saturating_mul(512)).unwrap_or(i64::MAX)
    }

    /// The bytes of its content. POSIX defines a size only for files and links; du(1) ignores others since coreutils 9.2.
    pub fn apparent(&self) -> i64 {
        match self.file_type() {
            FileType::RegularFile | FileType::Symlink => i64::try_from(self.0.stx_size).unwrap_or(i64::MAX),
            _ => 0,
        }
    }

    /// When a regular file was last written.
    pub fn dated(&self) -> Option<Time> {
        (self.file_type() == FileType::RegularFile).then(|| time(self.0.stx_mtime))
    }

    pub fn times(&self) -> Times {
        Times {
            modified: self.known(StatxFlags::MTIME, time(self.0.stx_mtime)),
            accessed: self.known(StatxFlags::ATIME, time(self.0.stx_atime)),
            changed: self.known(StatxFlags::CTIME, time(self.0.stx_ctime)),
            born: self.known(StatxFlags::BTIME, time(self.0.stx_btime)),
        }
    }

    fn known<T>(&self, flag: StatxFlags, value: T) -> Option<T> {
        (self.0.stx_mask & flag.bits() != 0).then_some(value)
    }
}

fn time(time: StatxTimestamp) -> Time {
    (time.tv_sec, time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_filesystem_or_mount() {
        let here = Place { device: 1, mount: Some(7) };
        // A bind mount; a file of another layer of an overlay; a subvolume.
        assert!(here.is_left_for(Place { mount: Some(8), ..here }, true));
        assert!(!here.is_left_for(Place { device: 2, ..here }, false));
        assert!(here.is_left_for(Place { device: 2, ..here }, true));
        // Before Linux 5.8.
        let old = Place { device: 1, mount: None };
        assert!(!old.is_left_for(old, true) && old.is_left_for(Place { device: 2, ..old }, false));
    }
}
