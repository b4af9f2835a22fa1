//! One of the threads of a walk. It goes down as soon as it finds a directory, so it holds only the directories that it is in:
//! for each, what it has read of its list and not entered yet. It opens everything relative to an open directory, so that no
//! link leads elsewhere, and a path may be of any length. Deep in a tree it closes the upper directories, and opens them again
//! by `..`.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

use super::common::{Common, Directory};
use super::counter::{Counter, join};
use super::filesystem::Filesystem;
use crate::fs::list::List;
use crate::fs::pulse::lock;
use crate::fs::stat::{Ask, Place, Stat};
use crate::{fs, sys};

/// How many directories a walker keeps open.
const OPEN_MAX: usize = 64;

/// A directory that a walker is in.
struct Level {
    /// None while it is closed.
    file: Option<OwnedFd>,
    id: (u64, u64),
    place: Place,
    filesystem: Arc<Filesystem>,
    node: usize,
    depth: usize,
    /// The length of its path.
    length: usize,
    /// The position in its list.
    cookie: u64,
    is_read: bool,
    /// The names of the directories that were read and not entered yet. Each ends with a NUL.
    pending: Vec<u8>,
}

impl Level {
    /// Takes the last of the pending names, with its NUL.
    fn next(&mut self) -> Option<Vec<u8>> {
        let last = self.pending.len().checked_sub(1)?;
        let start = self.pending[..last].iter().rposition(|byte| *byte == 0).map_or(0, |place| place + 1);
        Some(self.pending.split_off(start))
    }
}

/// A thread of a walk.
pub struct Walker<'a> {
    common: &'a Common<'a>,
    /// The directories from the one that it was given to the one it is in.
    levels: Vec<Level>,
    path: Vec<u8>,
    list: List,
    found: Counter<'a>,
}

impl<'a> Walker<'a> {
    /// A walker without work.
    pub fn new(common: &'a Common<'a>) -> Self {
        Walker { common, levels: Vec::new(), path: Vec::new(), list: List::new(), found: Counter::new(common) }
    }

    /// Walks what it is given, until all is done.
    pub fn work(mut self) {
        while let Some(directory) = self.common.take() {
            self.push(directory);
            self.walk();
        }
        self.found.tell();
    }

    fn push(&mut self, directory: Directory) {
        let Directory { file, path, id, place, node, depth, filesystem } = directory;
        let length = path.len();
        self.path = path;
        let level = Level {
            file: Some(file),
            id,
            place,
            filesystem,
            node,
            depth,
            length,
            cookie: 0,
            is_read: false,
            pending: Vec::new(),
        };
        self.levels.push(level);
        if let Some(far) = self.levels.len().checked_sub(OPEN_MAX + 1) {
            close(self.levels[far].file.take());
        }
    }

    fn walk(&mut self) {
        while let Some(level) = self.levels.last_mut() {
            if level.pending.is_empty() {
                if level.is_read || !self.read() {
                    self.leave();
                }
                continue;
            }
            if self.common.is_wanted() {
                self.give();
            }
            if let Some(place) = self.levels.len().checked_sub(1)
                && let Some(directory) = self.enter(place)
            {
                self.push(directory);
            }
        }
    }

    /// Reads the next part of the list of the directory that it is in. Counts the files, and notes the directories.
    /// Returns whether to go on in this directory.
    fn read(&mut self) -> bool {
        let Walker { levels, path, list, found, .. } = self;
        let Some(level) = levels.last_mut() else {
            return false;
        };
        let Some(file) = level.file.take() else {
            return false;
        };
        match list.read(file.as_fd()) {
            Ok(more) => level.is_read = !more,
            Err(error) => {
                level.is_read = true;
                found.fail(level.node, path, b"", error);
            }
        }
        let ask = found.ask(level.depth, false);
        let mut goes_on = true;
        for entry in list.entries() {
            if entry.is_directory {
                level.pending.extend_from_slice(entry.name.to_bytes_with_nul());
            } else {
                measure(found, level, path, file.as_fd(), entry.name, ask);
            }
            goes_on = found.see();
            if !goes_on {
                break;
            }
        }
        level.cookie = list.next;
        level.file = Some(file);
        if !goes_on {
            // The walk was cancelled: leave every directory.
            levels.iter_mut().for_each(|level| (level.is_read, level.pending) = (true, Vec::new()));
        }
        goes_on
    }

    /// Opens the next directory that is pending in a level, and counts it. None if it is gone, cannot be read, or is in
    /// another filesystem.
    fn enter(&mut self, place: usize) -> Option<Directory> {
        let level = self.levels.get_mut(place)?;
        let name = level.next()?;
        let level = &self.levels[place];
        let (above, found) = (level.file.as_ref()?.as_fd(), &mut self.found);
        let path = &self.path[..level.length];
        let name = CStr::from_bytes_with_nul(&name).ok()?;
        let bytes = name.to_bytes();
        let result = open(found, level, above, name);
        let (file, stat) = match result {
            Ok(Some(opened)) => opened,
            Ok(None) => return None,
            Err(error) => {
                found.fail(level.node, path, bytes, error);
                return None;
            }
        };
        let (here, id) = (stat.place(), stat.id());
        let crosses = level.place.is_left_for(here, true);
        if crosses && !lock(&self.common.tree).enters(id) {
            return None;
        }
        let filesystem = match &file {
            Ok(file) if crosses => Arc::new(Filesystem::of(file.as_fd(), here)),
            _ => Arc::clone(&level.filesystem),
        };
        let node = found.node(level.node, level.depth, path, bytes, &stat, &filesystem);
        found.count(node, &stat);
        match file {
            Ok(file) => {
                let (path, depth) = (join(path, bytes), level.depth + 1);
                Some(Directory { file, path, id, place: here, node, depth, filesystem })
            }
            Err(error) => {
                found.fail(node, path, bytes, error);
                None
            }
        }
    }

    /// Gives whichever walker has nothing to do next the directory that is nearest to PATH: there is most in it.
    fn give(&mut self) {
        let near = |level: &Level| !level.pending.is_empty() && level.file.is_some();
        if let Some(place) = self.levels.iter().position(near)
            && let Some(directory) = self.enter(place)
        {
            self.common.give(directory);
        } else {
            self.common.decline();
        }
    }

    /// Goes back to the directory that this one is in.
    fn leave(&mut self) {
        let Some(Level { file, .. }) = self.levels.pop() else {
            return;
        };
        if let (Some(above), Some(below)) = (self.levels.last_mut(), &file)
            && above.file.is_none()
        {
            above.file = reopen(above, below.as_fd());
        }
        while let Some(level) = self.levels.last_mut() {
            self.path.truncate(level.length);
            if level.file.is_some() {
                break;
            }
            // It was moved meanwhile. What was left in it is not known.
            if !level.is_read || !level.pending.is_empty() {
                self.found.of(level.node).errors += 1;
                self.common.complain(&self.path, Errno::STALE);
            }
            self.levels.pop();
        }
        close(file);
    }
}

/// Measures a file in a directory. A filesystem that does not tell what its files are may have named a directory.
fn measure(found: &mut Counter<'_>, level: &mut Level, path: &[u8], directory: BorrowedFd<'_>, name: &CStr, ask: Ask) {
    let stat = match Stat::of(directory, name, ask) {
        Ok(stat) => stat,
        Err(error) => return found.fail(level.node, path, name.to_bytes(), error),
    };
    if stat.is_directory() {
        level.pending.extend_from_slice(name.to_bytes_with_nul());
    } else if !found.is_outside(stat.place(), false) {
        let node = match ask {
            Ask::Whole => found.node(level.node, level.depth, path, name.to_bytes(), &stat, &level.filesystem),
            _ => level.node,
        };
        found.count(node, &stat);
        found.date(node, &stat, path, name.to_bytes());
    }
}

/// A directory: open, or why not; and what the kernel says of it.
type Opened = (Result<OwnedFd, Errno>, Stat);

/// Opens a directory. None if it is in another filesystem, which is found without asking that filesystem.
fn open(found: &Counter<'_>, level: &Level, above: BorrowedFd<'_>, name: &CStr) -> Result<Option<Opened>, Errno> {
    let place = Stat::of(above, name, Ask::Place)?.place();
    if found.is_outside(place, true) {
        return Ok(None);
    }
    let ask = found.ask(level.depth, true);
    match fs::open_directory(above, name) {
        Ok(file) => {
            let stat = Stat::of_open(file.as_fd(), ask)?;
            Ok(Some((Ok(file), stat)))
        }
        Err(error) => {
            let stat = Stat::of(above, name, ask)?;
            Ok(stat.is_directory().then_some((Err(error), stat)))
        }
    }
}

/// Closes a directory, if it is open.
fn close(file: Option<OwnedFd>) {
    if let Some(file) = file {
        sys::close(file);
    }
}

/// Opens a directory again, from one in it, and goes to its position.
fn reopen(level: &Level, below: BorrowedFd<'_>) -> Option<OwnedFd> {
    let file = fs::open_directory(below, c"..").ok()?;
    if Stat::of_open(file.as_fd(), Ask::Counted).ok()?.id() != level.id {
        return None;
    }
    seek(&file, SeekFrom::Start(level.cookie)).ok()?;
    Some(file)
}
