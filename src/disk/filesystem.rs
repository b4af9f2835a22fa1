//! The filesystem that a file is in: its figures, statvfs(3), and its mount, by the mount's id in proc_pid_mountinfo(5). A path
//! would not do: mounts can be stacked, and bind mounts share a device.

use std::os::fd::BorrowedFd;

use rustix::fs::fstatvfs;

use crate::fs::stat::Place;

/// A filesystem.
#[derive(Debug, Default)]
pub struct Filesystem {
    /// The id of the mount, unless the kernel does not tell.
    pub mount_id: Option<u64>,
    /// Its figures, if the kernel tells them.
    pub space: Option<Space>,
    /// Its mount, if it is found.
    pub mount: Option<Mount>,
}

/// The size of a filesystem, in bytes and inodes, and what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// All of it.
    pub size: u64,
    /// What is free, with the part that only root may use.
    pub free: u64,
    /// What is free for every user.
    pub available: u64,
    /// How many files it can have. 0 for no limit.
    pub inodes: u64,
    /// How many more it can have.
    pub inodes_free: u64,
}

/// One line of mountinfo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where it is mounted.
    pub point: Vec<u8>,
    /// The type of the filesystem.
    pub kind: Vec<u8>,
    /// The device, or another name of what is mounted.
    pub source: Vec<u8>,
}

impl Filesystem {
    /// The filesystem of an open file at this place, without its mount.
    pub fn of(file: BorrowedFd<'_>, place: Place) -> Self {
        let space = fstatvfs(file).ok().map(|stat| Space {
            size: stat.f_blocks.saturating_mul(stat.f_frsize),
            free: stat.f_bfree.saturating_mul(stat.f_frsize),
            available: stat.f_bavail.saturating_mul(stat.f_frsize),
            inodes: stat.f_files,
            inodes_free: stat.f_ffree,
        });
        Filesystem { mount_id: place.mount, space, mount: None }
    }
}

/// The mount with this id in the text of /proc/self/mountinfo.
pub fn mount(mountinfo: &[u8], id: u64) -> Option<Mount> {
    let id = id.to_string();
    mountinfo.split(|byte| *byte == b'\n').find_map(|line| {
        // 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
        let mut words = line.split(|byte| *byte == b' ');
        if words.next()? != id.as_bytes() {
            return None;
        }
        let point = words.nth(3)?;
        let mut after = words.skip_while(|word| *word != b"-").skip(1);
        Some(Mount { point: unescape(point), kind: unescape(after.next()?), source: unescape(after.next()?) })
    })
}

/// The kernel writes blanks, newlines and backslashes as `\` and three octal digits.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        let octal = match after {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] if *byte == b'\\' => {
                Some((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'))
            }
            _ => None,
        };
        plain.push(octal.unwrap_or(*byte));
        rest = if octal.is_some() { &after[3..] } else { after };
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_of_an_id() {
        let text = b"36 35 98:0 / / rw shared:1 - ext4 /dev/root rw\n\
                     3 36 98:0 /in\\040side /a\\040b\\134\\012 rw,noatime master:1 propagate_from:2 - tmpfs a\\011b rw\n\
                     37 36 0:5 / /c rw - fuse.sshfs  rw\nbroken";
        let found = |id| {
            let Mount { point, kind, source } = mount(text, id)?;
            Some([point, kind, source].map(|text| String::from_utf8(text).unwrap()))
        };
        assert_eq!(found(36), Some(["/", "ext4", "/dev/root"].map(String::from)));
        assert_eq!(found(3), Some(["/a b\\\n", "tmpfs", "a\tb"].map(String::from)));
        assert_eq!(found(37), Some(["/c", "fuse.sshfs", ""].map(String::from)));
        assert_eq!(found(7), None);
    }

    #[test]
    fn escapes() {
        for (text, plain) in [("", ""), ("a\\", "a\\"), ("\\04", "\\04"), ("\\040\\0400", "  0"), ("\\777", "\\777")] {
            assert_eq!(unescape(text.as_bytes()), plain.as_bytes(), "{text}");
        }
    }
}
