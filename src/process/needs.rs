//! What has to be read for a field: the bits of [`Field::needs`](crate::record::Field::needs), and the table of the files
//! that only fields on request need. `stat` is read of every process and has no bit.

pub use crate::host::needs::{BOOT_ID, BOOT_TIME, CPUS, MEM_TOTAL, UPTIME};

use crate::host::needs::FIRST_OWN;

/// The effective user's id.
pub const UID: u32 = FIRST_OWN;
/// The effective user's name.
pub const USER: u32 = FIRST_OWN << 1;
/// `status`, for what it alone tells of every process: real user, group, context switches.
pub const STATUS: u32 = FIRST_OWN << 2;
/// The effective group's name, beside `status`.
pub const GROUP: u32 = FIRST_OWN << 3;
/// Resident memory.
pub const RSS: u32 = FIRST_OWN << 4;
/// Whether memory is locked.
pub const LOCKED: u32 = FIRST_OWN << 5;
/// `statm`.
pub const STATM: u32 = FIRST_OWN << 6;
/// The command line.
pub const COMMAND: u32 = FIRST_OWN << 7;
/// The command line, where the kernel cut the name.
pub const NAME: u32 = FIRST_OWN << 8;
/// The terminal's name.
pub const TTY: u32 = FIRST_OWN << 9;
/// CPU time some time before.
pub const SAMPLE: u32 = FIRST_OWN << 10;

/// The files in /proc/PID that are read only if a field needs them, each by the bit that [`file()`] gives.
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
    /// Its name.
    pub name: &'static str,
    /// What is read of it.
    pub content: Content,
    /// Whether a process without memory has none, or an empty one: kernel threads, zombies.
    pub needs_memory: bool,
}

/// What is read of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Its text.
    Text,
    /// The path that it links to.
    Link,
    /// How many entries it has, in digits.
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

/// The bit of the file at this place of [`FILES`].
pub const fn of_place(place: usize) -> u32 {
    FIRST_FILE << place
}

/// The bit of one of [`FILES`]. In a constant, a name that is not there does not compile.
pub const fn file(name: &str) -> u32 {
    let mut place = 0;
    while !is_same(FILES[place].name.as_bytes(), name.as_bytes()) {
        place += 1;
    }
    of_place(place)
}

/// `==`, which is not const.
const fn is_same(one: &[u8], other: &[u8]) -> bool {
    match (one, other) {
        ([a, one @ ..], [b, other @ ..]) => *a == *b && is_same(one, other),
        _ => one.is_empty() && other.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_bit_of_its_own() {
        const CORE: u32 = UID | USER | STATUS | GROUP | RSS | LOCKED | STATM | COMMAND | NAME | TTY | SAMPLE | UPTIME;
        const MACHINE: u32 = BOOT_TIME | BOOT_ID | MEM_TOTAL | CPUS;
        assert_eq!(ANY_FILE & (CORE | MACHINE), 0);
        for (place, row) in FILES.iter().enumerate() {
            assert_eq!(file(row.name), of_place(place), "{}: stands once", row.name);
            assert_eq!(of_place(place) & ANY_FILE, of_place(place));
        }
        const { assert!(file("io") != file("exe")) };
    }
}
