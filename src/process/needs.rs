//! What must be read for a field: the bits of [`Field::needs`](crate::record::Field::needs), and the table of files
//! that are read only if a field needs them. `stat` has no bit, because it is read for every process.

pub use crate::host::needs::{BOOT_ID, BOOT_TIME, CPUS, MEM_TOTAL, UPTIME};

use crate::host::needs::FIRST_OWN;

/// The effective user's id.
pub const UID: u32 = FIRST_OWN;
/// The effective user's name.
pub const USER: u32 = FIRST_OWN << 1;
/// `status`, for values that no other file has: real user, group, context switches.
pub const STATUS: u32 = FIRST_OWN << 2;
/// The effective group's name, which needs [`STATUS`] too.
pub const GROUP: u32 = FIRST_OWN << 3;
/// Resident memory.
pub const RSS: u32 = FIRST_OWN << 4;
/// Whether memory is locked.
pub const LOCKED: u32 = FIRST_OWN << 5;
/// `statm`.
pub const STATM: u32 = FIRST_OWN << 6;
/// The command line.
pub const COMMAND: u32 = FIRST_OWN << 7;
/// The command line of processes whose name the kernel cut.
pub const NAME: u32 = FIRST_OWN << 8;
/// The terminal's name.
pub const TTY: u32 = FIRST_OWN << 9;
/// The CPU time in an earlier sample.
pub const SAMPLE: u32 = FIRST_OWN << 10;

/// The files in /proc/PID that are read only if a field needs them. [`file()`] gives the bit of each.
pub const FILES: &[File] = &[
    link("exe").with_memory(),
    link("cwd"),
    text("smaps_rollup").with_memory(),
    text("io"),
    entries("fd"),
    text("cgroup"),
    text("oom_score"),
];

/// One row of [`FILES`].
pub struct File {
    /// The file's name.
    pub name: &'static str,
    /// What to read of it.
    pub content: Content,
    /// Whether the file is missing or empty for processes without their own memory: kernel threads, zombies.
    pub needs_memory: bool,
}

impl File {
    /// Whether its content is a path, or names one. A path may repeat what a command line hides.
    pub fn is_path(&self) -> bool {
        self.content == Content::Link || self.name == "cgroup"
    }
}

/// What to read of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// The text.
    Text,
    /// The target of the link.
    Link,
    /// The number of entries, in digits.
    Entries,
}

const fn text(name: &'static str) -> File {
    File { name, content: Content::Text, needs_memory: false }
}

const fn link(name: &'static str) -> File {
    File { content: Content::Link, ..text(name) }
}

const fn entries(name: &'static str) -> File {
    File { content: Content::Entries, ..text(name) }
}

impl File {
    const fn with_memory(self) -> Self {
        File { needs_memory: true, ..self }
    }
}

/// The bit of the first of [`FILES`].
const FIRST_FILE: u32 = FIRST_OWN << 11;

/// The bits of all [`FILES`].
pub const ANY_FILE: u32 = !(FIRST_FILE - 1);

/// The bit of the file at this index in [`FILES`].
pub const fn of_place(index: usize) -> u32 {
    FIRST_FILE << index
}

/// The bit of the file with this name in [`FILES`]. In a constant, an unknown name does not compile.
pub const fn file(name: &str) -> u32 {
    let mut index = 0;
    while !is_same(FILES[index].name.as_bytes(), name.as_bytes()) {
        index += 1;
    }
    of_place(index)
}

/// Like `==`, which is not a const function.
pub const fn is_same(one: &[u8], other: &[u8]) -> bool {
    match (one, other) {
        ([a, one @ ..], [b, other @ ..]) => *a == *b && is_same(one, other),
        _ => one.is_empty() && other.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_unique_bit() {
        const CORE: u32 = UID | USER | STATUS | GROUP | RSS | LOCKED | STATM | COMMAND | NAME | TTY | SAMPLE | UPTIME;
        const MACHINE: u32 = BOOT_TIME | BOOT_ID | MEM_TOTAL | CPUS;
        assert_eq!(ANY_FILE & (CORE | MACHINE), 0);
        for (index, row) in FILES.iter().enumerate() {
            assert_eq!(file(row.name), of_place(index), "{} is in the table once", row.name);
            assert_eq!(of_place(index) & ANY_FILE, of_place(index));
        }
        const { assert!(file("io") != file("exe")) };
    }
}
