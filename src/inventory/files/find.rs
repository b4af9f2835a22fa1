//! Finds the files of one path, one after the other, in an order that does not change: each directory before what is in it, and
//! names by their bytes. It holds the names of the directories that it is in, and nothing of other files.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{Errno, retry_on_intr};

use super::names::{Name, Names};
use super::pattern::{PathPattern, Step};
use super::read::is_gone;
use super::request::Extent;
use crate::fs::list::List;
use crate::fs::open_directory;
use crate::fs::stat::{Ask, Place, Stat};
use crate::rootfs::Rootfs;

/// A file that was found, with the directory that it is in.
pub struct Candidate {
    pub directory: Arc<OwnedFd>,
    pub name: CString,
    pub path: Vec<u8>,
    pub stat: Stat,
}

/// What could not be found out.
#[derive(Default)]
pub struct Failures {
    /// The first parts that cannot be read, and why.
    pub complaints: Vec<(Vec<u8>, Errno)>,
    /// Paths below which there may be files that were not found.
    pub unknown: BTreeSet<Vec<u8>>,
    /// Whether no file has this path, or matches.
    pub is_missing: bool,
}

impl Failures {
    fn add(&mut self, path: &[u8], error: Errno) {
        /// More do not help to find the reason.
        const MAX: usize = 5;
        if self.complaints.len() < MAX {
            self.complaints.push((path.to_vec(), error));
        }
        self.unknown.insert(path.to_vec());
    }
}

/// A directory that the search is in.
struct Level {
    directory: Arc<OwnedFd>,
    /// Its path, up to where names are added.
    path: Vec<u8>,
    names: Names,
    search: Search,
}

/// What to do with the names of a level.
#[derive(Clone, Copy)]
enum Search {
    /// They match this step of the pattern.
    Step(usize),
    /// They are in a directory that was found. So many levels remain below them.
    Below { depth: usize, place: Place },
}

/// A directory: the one around it, its name there, its path, how many levels remain below it, and where it is.
type Next = (Arc<OwnedFd>, CString, Vec<u8>, usize, Place);

/// The search for the files of one path.
pub struct Finder {
    rootfs: Option<Arc<Rootfs>>,
    extent: Extent,
    steps: Vec<Step>,
    levels: Vec<Level>,
    list: List,
    /// A directory that was found last. What is in it comes next.
    next: Option<Next>,
    pub failures: Failures,
}

impl Finder {
    /// Begins to search for what `path` names.
    pub fn new(path: &[u8], root: Option<&PathBuf>, extent: Extent) -> Self {
        let mut finder = Finder {
            rootfs: None,
            extent,
            steps: Vec::new(),
            levels: Vec::new(),
            list: List::new(),
            next: None,
            failures: Failures { is_missing: true, ..Failures::default() },
        };
        match root.map(|root| Rootfs::open(root)).transpose() {
            Ok(rootfs) => {
                finder.rootfs = rootfs.map(Arc::new);
                finder.begin(path);
            }
            Err(error) => {
                let error = error.downcast_ref().copied().unwrap_or(Errno::IO);
                finder.failures.add(&PathPattern::base_of(path), error);
            }
        }
        finder
    }

    fn begin(&mut self, path: &[u8]) {
        // A path in `/` is what its links lead to. Any other is a name in a directory.
        let slash = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let (above, name) = match &path[slash..] {
            b"" | b"." | b".." => (path, &b"."[..]),
            name => (&path[..slash], name),
        };
        let named = match self.open(above) {
            _ if path.is_empty() => Err(Errno::NOENT),
            Ok(directory) => Stat::of(directory.as_fd(), &text(name), Ask::Place).map(|_| directory),
            Err(error) => Err(error),
        };
        match (named, PathPattern::parse(path)) {
            (Ok(directory), _) => {
                let level = Level { directory, path: path.to_vec(), names: Names::one(name), search: Search::Step(0) };
                self.steps = vec![Step::Name(name.to_vec())];
                self.levels.push(level);
            }
            (Err(_), Some(pattern)) => {
                self.steps = pattern.steps;
                match self.open(&pattern.base) {
                    Ok(directory) => self.search(directory, pattern.base, 0),
                    Err(error) if is_gone(error) => {}
                    Err(error) => self.failures.add(&pattern.base, error),
                }
            }
            (Err(error), None) if is_gone(error) => {}
            (Err(error), None) => self.failures.add(path, error),
        }
    }

    /// Opens a directory by its path, whatever links are in it.
    fn open(&self, path: &[u8]) -> Result<Arc<OwnedFd>, Errno> {
        let path = if path.is_empty() { b"." } else { path };
        let opened = match &self.rootfs {
            Some(root) => root.locate(Path::new(OsStr::from_bytes(&[path, b"/"].concat()))),
            None => {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                retry_on_intr(|| openat(CWD, path, flags, Mode::empty()))
            }
        };
        opened.map(Arc::new)
    }

    /// The next file.
    pub fn next(&mut self) -> Option<Candidate> {
        loop {
            if let Some((above, name, path, depth, place)) = self.next.take() {
                self.enter(above.as_fd(), &name, path, depth, place);
            }
            let level = self.levels.last_mut()?;
            let Some(name) = level.names.take() else {
                self.levels.pop();
                continue;
            };
            let found = match level.search {
                Search::Below { depth, place } => self.below(name, depth, place),
                Search::Step(step) => self.step(name, step),
            };
            if found.is_some() {
                self.failures.is_missing = false;
                return found;
            }
        }
    }

    /// A name in a directory that was found.
    fn below(&mut self, Name { name, is_directory }: Name, depth: usize, here: Place) -> Option<Candidate> {
        let level = self.levels.last()?;
        let (directory, path) = (Arc::clone(&level.directory), join(&level.path, name.to_bytes()));
        let is_outside = |place| !self.extent.crosses && here.is_left_for(place, is_directory);
        // A server of files may not answer. So it is not asked about a directory that is mounted here.
        if is_directory && Stat::of(directory.as_fd(), &name, Ask::Place).is_ok_and(|stat| is_outside(stat.place())) {
            return None;
        }
        let found = self.stat(directory, name, path, depth)?;
        let place = found.stat.place();
        if !self.extent.crosses && here.is_left_for(place, found.stat.is_directory()) {
            self.next = None;
            return None;
        }
        Some(found)
    }

    /// A name that matches a step of the pattern.
    fn step(&mut self, Name { name, .. }: Name, step: usize) -> Option<Candidate> {
        let level = self.levels.last()?;
        let (directory, is_last) = (Arc::clone(&level.directory), step + 1 == self.steps.len());
        let path = match self.steps.get(step)? {
            Step::Name(own) if step == 0 && own == name.to_bytes() && is_last => level.path.clone(),
            _ => join(&level.path, name.to_bytes()),
        };
        let is_deep = self.steps.get(step) == Some(&Step::Deep);
        if is_last && !is_deep {
            return self.stat(directory, name, path, self.extent.depth);
        }
        if is_deep {
            self.deep(&directory, &name, path, step);
            return None;
        }
        match self.open(&path) {
            Ok(directory) => self.search(directory, path, step + 1),
            Err(error) if is_gone(error) => {}
            Err(error) => self.failures.add(&path, error),
        }
        None
    }

    /// A directory that `**` leads to. No link does, and no other filesystem.
    fn deep(&mut self, above: &OwnedFd, name: &CStr, path: Vec<u8>, step: usize) {
        let place = |file: BorrowedFd<'_>, name: &CStr| Stat::of(file, name, Ask::Place).map(|stat| stat.place());
        let is_outside = match (place(above.as_fd(), c"."), place(above.as_fd(), name)) {
            (Ok(here), Ok(there)) => !self.extent.crosses && here.is_left_for(there, true),
            _ => false,
        };
        match open_directory(above.as_fd(), name) {
            _ if is_outside => {}
            Ok(directory) => self.search(Arc::new(directory), path, step),
            Err(error) if is_gone(error) => {}
            Err(error) => self.failures.add(&path, error),
        }
    }

    /// Searches a directory for names that match a step.
    fn search(&mut self, directory: Arc<OwnedFd>, path: Vec<u8>, step: usize) {
        let Some(wanted) = self.steps.get(step) else { return };
        let names = match wanted {
            // The directory itself, which is what a path in `/` is.
            Step::Name(name) if name.is_empty() && path.is_empty() => Ok(Names::default()),
            Step::Name(name) if name.is_empty() => Ok(Names::one(b"")),
            Step::Name(name) => Ok(Names::one(name)),
            Step::Matching(_) => self.names(&directory, |name, _| wanted.matches(name)),
            Step::Deep => self.names(&directory, |name, is_directory| is_directory && wanted.matches(name)),
        };
        let is_deep = *wanted == Step::Deep;
        match names {
            Ok(names) => {
                let (directory, path) = (Arc::clone(&directory), path.clone());
                self.levels.push(Level { directory, path, names, search: Search::Step(step) });
            }
            Err(error) => return self.failures.add(&path, error),
        }
        if is_deep {
            self.search(directory, path, step + 1);
        }
    }

    fn names(&self, directory: &OwnedFd, wanted: impl Fn(&[u8], bool) -> bool) -> Result<Names, Errno> {
        let file = open_directory(directory.as_fd(), c".")?;
        Names::read(&mut List::new(), file.as_fd(), wanted)
    }

    /// What the kernel says of a file. If it is a directory, what is in it comes next.
    fn stat(&mut self, directory: Arc<OwnedFd>, name: CString, path: Vec<u8>, depth: usize) -> Option<Candidate> {
        let name = if name.is_empty() { c".".to_owned() } else { name };
        match Stat::of(directory.as_fd(), &name, Ask::Whole) {
            Ok(stat) => {
                if stat.is_directory() && depth > 0 {
                    self.next = Some((Arc::clone(&directory), name.clone(), path.clone(), depth, stat.place()));
                }
                Some(Candidate { directory, name, path, stat })
            }
            // It is no error that files come and go.
            Err(error) if is_gone(error) => None,
            Err(error) => {
                self.failures.add(&path, error);
                None
            }
        }
    }

    /// Begins with what is in a directory that was found.
    fn enter(&mut self, above: BorrowedFd<'_>, name: &CStr, path: Vec<u8>, depth: usize, place: Place) {
        let names = open_directory(above, name)
            .and_then(|directory| Ok((Names::read(&mut self.list, directory.as_fd(), |_, _| true)?, directory)));
        match names {
            Ok((names, directory)) => {
                let search = Search::Below { depth: depth - 1, place };
                self.levels.push(Level { directory: Arc::new(directory), path, names, search });
            }
            Err(error) if is_gone(error) => {}
            Err(error) => self.failures.add(&path, error),
        }
    }
}

/// A path and a name in it.
fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    let slash: &[u8] = if path.is_empty() || path.ends_with(b"/") { b"" } else { b"/" };
    [path, slash, name].concat()
}

fn text(name: &[u8]) -> CString {
    CString::new(name).unwrap_or_default()
}
