//! The list of a directory, getdents64(2), one part after the other. The entries of a part come by inode: a filesystem lists
//! them in the order of a hash, but keeps what statx(2) reads by inode, on the disk and often in memory.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;

use rustix::io::{Errno, retry_on_intr};

use crate::sys;

/// How many bytes of a list are read at once. The place of an entry must fit into [`PLACE_BITS`].
const BUFFER: usize = 1 << PLACE_BITS;
const PLACE_BITS: u32 = 16;
/// The bytes of a `linux_dirent64` before its name.
const HEAD: usize = 19;

/// A part of a list.
pub struct List {
    /// The part, and a NUL after it.
    buffer: Vec<u8>,
    /// The inode and the place of each entry, in one number. The highest bits of an inode are lost: only the order
    /// depends on them.
    order: Vec<u64>,
    /// The position after this part, for seek(2).
    pub next: u64,
}

/// An entry of a directory.
pub struct Entry<'a> {
    /// Whether it is a directory. Some filesystems do not tell.
    pub is_directory: bool,
    /// Its name.
    pub name: &'a CStr,
}

impl List {
    /// A list that is empty until it is read.
    pub fn new() -> Self {
        List { buffer: vec![0; BUFFER + 1], order: Vec::new(), next: 0 }
    }

    /// Reads the next part of this directory's list. Returns whether there is one.
    ///
    /// # Errors
    /// Those of getdents64(2).
    pub fn read(&mut self, directory: BorrowedFd<'_>) -> Result<bool, Errno> {
        self.order.clear();
        let length = retry_on_intr(|| sys::list(directory, &mut self.buffer[..BUFFER]))?;
        let mut place = 0;
        while let Some(head) = head(&self.buffer[..length], place) {
            let [inode, next] = [0, 8].map(|start| number(head, start));
            self.order.push(inode << PLACE_BITS | place as u64);
            self.next = next;
            place += size(head).max(HEAD);
        }
        self.order.sort_unstable();
        Ok(length > 0)
    }

    /// The entries, without the directory itself and the one above it.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let places = self.order.iter().map(|key| *key as usize & (BUFFER - 1));
        let entries = places.filter_map(|place| {
            let head = head(&self.buffer, place)?;
            let name = sys::text_until_nul(self.buffer.get(place + HEAD..)?)?;
            Some(Entry { is_directory: head[HEAD - 1] == libc::DT_DIR, name })
        });
        entries.filter(|entry| !matches!(entry.name.to_bytes(), b"." | b".."))
    }
}

fn head(list: &[u8], place: usize) -> Option<&[u8; HEAD]> {
    list.get(place..)?.first_chunk()
}

/// A number of 8 bytes.
fn number(head: &[u8; HEAD], start: usize) -> u64 {
    head[start..].first_chunk().map_or(0, |bytes| u64::from_ne_bytes(*bytes))
}

/// The size of the whole entry.
fn size(head: &[u8; HEAD]) -> usize {
    usize::from(u16::from_ne_bytes([head[16], head[17]]))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn every_entry_by_inode() {
        let folder = tempfile::tempdir().unwrap();
        for place in 0..3000 {
            File::create(folder.path().join(format!("{place:0>100}"))).unwrap();
        }
        fs::create_dir(folder.path().join("..a directory")).unwrap();
        let directory = File::open(folder.path()).unwrap();
        let (mut list, mut parts, mut names) = (List::new(), 0, Vec::new());
        while list.read(directory.as_fd()).unwrap() {
            parts += 1;
            let found: Vec<_> = list
                .entries()
                .map(|entry| {
                    let name = entry.name.to_str().unwrap().to_owned();
                    assert_eq!(entry.is_directory, name == "..a directory");
                    (fs::symlink_metadata(folder.path().join(&name)).unwrap().ino(), name)
                })
                .collect();
            assert!(found.is_sorted());
            names.extend(found.into_iter().map(|(_, name)| name));
        }
        names.sort();
        let mut expected: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        expected.sort();
        assert!(parts > 1 && names == expected);
    }
}
