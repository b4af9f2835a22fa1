//! The names in one directory, in their order. All of them are in one piece of memory: a directory may have very many.

use std::ffi::CString;
use std::os::fd::BorrowedFd;

use rustix::io::Errno;

use crate::fs::list::List;

/// Names that are taken one after the other.
#[derive(Default)]
pub struct Names {
    /// For each name: whether it is a directory, the name, a NUL.
    text: Vec<u8>,
    /// Where each begins. The last one comes next.
    places: Vec<usize>,
}

/// A name.
pub struct Name {
    /// Whether it is a directory. Some filesystems do not tell.
    pub is_directory: bool,
    pub name: CString,
}

impl Names {
    /// One name, without a look at the directory.
    pub fn one(name: &[u8]) -> Self {
        let mut names = Names::default();
        names.push(false, name);
        names
    }

    /// The names in a directory that are `wanted`.
    ///
    /// # Errors
    /// Those of getdents64(2).
    pub fn read(
        list: &mut List,
        directory: BorrowedFd<'_>,
        wanted: impl Fn(&[u8], bool) -> bool,
    ) -> Result<Self, Errno> {
        let mut names = Names::default();
        while list.read(directory)? {
            for entry in list.entries().filter(|entry| wanted(entry.name.to_bytes(), entry.is_directory)) {
                names.push(entry.is_directory, entry.name.to_bytes());
            }
        }
        let Names { text, places } = &mut names;
        let name = |place: &usize| text[*place + 1..].split(|byte| *byte == 0).next().unwrap_or_default();
        places.sort_unstable_by(|a, b| name(b).cmp(name(a)));
        Ok(names)
    }

    fn push(&mut self, is_directory: bool, name: &[u8]) {
        self.places.push(self.text.len());
        self.text.push(u8::from(is_directory));
        self.text.extend_from_slice(name);
        self.text.push(0);
    }

    /// Takes the next name.
    pub fn take(&mut self) -> Option<Name> {
        let entry = self.text.get(self.places.pop()?..)?;
        let (is_directory, rest) = entry.split_first()?;
        let name = rest.split(|byte| *byte == 0).next()?;
        Some(Name { is_directory: *is_directory != 0, name: CString::new(name).ok()? })
    }
}
