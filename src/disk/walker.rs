//! One of the threads of a walk. It goes down as soon as it finds a directory, so it holds only the directories that it is in:
//! for each, what it has read of its list and not entered yet. It opens everything relative to an open directory, so that no
//! link leads elsewhere, and a path may be of any length. Deep in a tree it closes the upper directories, and opens them again
//! by `..`.

use std::ffi::CStr;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, SeekFrom, openat, seek};
use rustix::io::{Errno, retry_on_intr};

use super::common::{Common, Directory, lock};
use super::filesystem::Filesystem;
use super::list::List;
use super::stat::{Ask, Place, Stat};
use super::tree::{Node, Sums};

use crate::sys;

/// How many directories a walker keeps open.
const OPEN_MAX: usize = 64;
/// After how many files the walk hears of them.
const SEEN: u64 = 16;

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

/// What a walker has found and not told yet.
struct Counter<'a> {
    common: &'a Common<'a>,
    node: usize,
    sums: Sums,
    seen: u64,
}

impl Counter<'_> {
    /// The sums of this node.
    fn of(&mut self, node: usize) -> &mut Sums {
        if self.node != node {
            self.tell();
            self.node = node;
        }
        &mut self.sums
    }

    /// Tells the tree.
    fn tell(&mut self) {
        let sums = mem::take(&mut self.sums);
        lock(&self.common.tree).add(self.node, sums);
    }

    /// Counts for whoever waits. Returns whether the walk goes on.
    fn see(&mut self) -> bool {
        self.seen += 1;
        if self.seen < SEEN {
            return true;
        }
        self.common.pulse.see(mem::take(&mut self.seen));
        !self.common.pulse.is_cancelled()
    }

    fn fail(&mut self, node: usize, path: &[u8], name: &[u8], error: Errno) {
        // It is no error that a tree changes while it is walked.
        if [Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::STALE].contains(&error) {
            return;
        }
        self.of(node).errors += 1;
        self.common.complain(&join(path, name), error);
    }

    fn count(&mut self, node: usize, stat: &Stat) {
        if stat.is_hard_link() {
            lock(&self.common.tree).add_link(node, stat.id(), stat.allocated(), stat.apparent());
            return;
        }
        let sums = self.of(node);
        sums.allocated = sums.allocated.saturating_add(stat.allocated());
        sums.apparent = sums.apparent.saturating_add(stat.apparent());
        if stat.is_directory() { sums.directories += 1 } else { sums.files += 1 }
    }

    fn date(&mut self, node: usize, stat: &Stat, path: &[u8], name: &[u8]) {
        let Some(time) = stat.dated().filter(|_| self.common.extent.is_dated) else {
            return;
        };
        self.of(node).date(time, || join(path, name));
    }

    /// A record for this file or directory, if it is to have one.
    fn node(&self, above: &Level, path: &[u8], name: &[u8], stat: &Stat, filesystem: &Arc<Filesystem>) -> usize {
        let extent = self.common.extent;
        if above.depth >= extent.depth || !(extent.all || stat.is_directory()) {
            return above.node;
        }
        lock(&self.common.tree).insert(Node {
            parent: Some(above.node),
            path: join(path, name),
            kind: stat.kind(),
            times: stat.times(),
            filesystem: Arc::clone(filesystem),
            sums: Sums::default(),
        })
    }

    /// What to ask about a file in a directory of this depth.
    fn ask(&self, depth: usize, is_directory: bool) -> Ask {
        let extent = self.common.extent;
        match extent {
            _ if depth < extent.depth && (extent.all || is_directory) => Ask::Whole,
            _ if extent.is_dated => Ask::Dated,
            _ => Ask::Counted,
        }
    }

    /// Whether this place is in another filesystem, and such are not walked.
    fn is_outside(&self, place: Place, is_directory: bool) -> bool {
        !self.common.extent.crosses && self.common.place.is_left_for(place, is_directory)
    }
}

/// A path and a name in it.
fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    let mut whole = path.to_vec();
    if !name.is_empty() {
        if !path.ends_with(b"/") {
            whole.push(b'/');
        }
        whole.extend_from_slice(name);
    }
    whole
}

impl<'a> Walker<'a> {
    /// Opens a directory. Reading it does not count as an access if its owner, or root, walks it.
    pub fn open(above: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
        const FLAGS: OFlags = OFlags::RDONLY
            .union(OFlags::DIRECTORY)
            .union(OFlags::NOFOLLOW)
            .union(OFlags::NONBLOCK)
            .union(OFlags::CLOEXEC);
        let open = |flags| retry_on_intr(|| openat(above, name, flags, Mode::empty()));
        match open(FLAGS | OFlags::NOATIME) {
            Err(Errno::PERM) => open(FLAGS),
            opened => opened,
        }
    }

    /// A walker without work.
    pub fn new(common: &'a Common<'a>) -> Self {
        Walker {
            common,
            levels: Vec::new(),
            path: Vec::new(),
            list: List::new(),
            found: Counter { common, node: 0, sums: Sums::default(), seen: 0 },
        }
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
        let node = found.node(level, path, bytes, &stat, &filesystem);
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
            Ask::Whole => found.node(level, path, name.to_bytes(), &stat, &level.filesystem),
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
    match Walker::open(above, name) {
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
    let file = Walker::open(below, c"..").ok()?;
    if Stat::of_open(file.as_fd(), Ask::Counted).ok()?.id() != level.id {
        return None;
    }
    seek(&file, SeekFrom::Start(level.cookie)).ok()?;
    Some(file)
}
