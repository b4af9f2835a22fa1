//! One walk: measures all that is in one path. It runs in threads of its own, because any of its reads may block forever, on a
//! server that does not answer. Two walkers share the work: one that has nothing to do is given a directory by the other. They
//! hold no list of what is still to do, so memory does not grow with the number of files.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{Errno, retry_on_intr};

use super::Entry;
use super::filesystem::Filesystem;
use super::stat::{Ask, Place, Stat};
use super::tree::{Node, Sums, Tree};
use super::walker::Walker;
use crate::rootfs::Rootfs;

/// Which parts of a path are walked, and which have a record.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// How many levels below PATH have records.
    pub depth: usize,
    /// Whether files below PATH have records, too.
    pub all: bool,
    /// Whether other filesystems are walked, too.
    pub crosses: bool,
    /// Whether the newest and the oldest file are wanted.
    pub is_dated: bool,
}

/// What a walk has found.
pub struct Found {
    /// The records.
    pub entries: Vec<Entry>,
    /// Sentences about the first parts that could not be read.
    pub complaints: Vec<String>,
}

/// A walk that may still be running.
pub struct Walk {
    result: Mutex<Option<Result<Found, Errno>>>,
    ended: Condvar,
    has_ended: AtomicBool,
    is_cancelled: AtomicBool,
    /// How many files it has seen, about.
    seen: AtomicU64,
}

/// Why nobody waits for a walk any more.
pub enum Wait {
    /// It has ended.
    Ended(Result<Found, Errno>),
    /// It has seen no file for some time.
    Stuck,
    /// The caller wants to stop.
    Stopped,
}

impl Walk {
    /// Starts to walk.
    ///
    /// # Errors
    /// If there can be no more threads.
    pub fn start(path: &Path, root: Option<&Path>, extent: Extent) -> anyhow::Result<Arc<Self>> {
        let walk = Arc::new(Walk {
            result: Mutex::default(),
            ended: Condvar::new(),
            has_ended: AtomicBool::new(false),
            is_cancelled: AtomicBool::new(false),
            seen: AtomicU64::new(0),
        });
        let (walk, root) = (Arc::clone(&walk), root.map(Path::to_owned));
        let (path, own) = (path.as_os_str().as_bytes().to_vec(), Arc::clone(&walk));
        let work = move || {
            let found = measure(path, root.as_deref(), extent, &own);
            *lock(&own.result) = Some(found);
            own.has_ended.store(true, Ordering::Release);
            own.ended.notify_all();
        };
        thread::Builder::new().stack_size(STACK).spawn(work).context("cannot start a thread")?;
        Ok(walk)
    }

    /// Waits until the walk has ended, or has seen no file for this time, or `stops` says so.
    pub fn wait(&self, patience: Duration, mut stops: impl FnMut(u64) -> bool) -> Wait {
        const TICK: Duration = Duration::from_millis(20);
        let mut last = (self.seen(), Instant::now());
        let mut result = lock(&self.result);
        loop {
            if let Some(found) = result.take() {
                return Wait::Ended(found);
            }
            if self.seen() != last.0 {
                last = (self.seen(), Instant::now());
            }
            if stops(last.0) {
                return Wait::Stopped;
            }
            if last.1.elapsed() >= patience {
                return Wait::Stuck;
            }
            result = self.ended.wait_timeout(result, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Asks the walk to end soon.
    pub fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to.
    pub(super) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }

    /// Whether its threads are gone.
    pub fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    /// Counts files that a walker has seen.
    pub(super) fn see(&self, files: u64) {
        self.seen.fetch_add(files, Ordering::Relaxed);
    }

    fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }
}

/// Buffers are on the heap, and no function calls itself.
const STACK: usize = 256 * 1024;

/// The content of a lock. Nothing that holds one can fail halfway.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A directory to walk.
pub struct Directory {
    pub file: OwnedFd,
    pub path: Vec<u8>,
    /// Device and inode.
    pub id: (u64, u64),
    pub place: Place,
    /// The node that it is in, or is.
    pub node: usize,
    /// How many levels it is below PATH.
    pub depth: usize,
    pub filesystem: Arc<Filesystem>,
}

/// What the walkers of a walk share.
pub struct Common<'a> {
    pub walk: &'a Walk,
    pub extent: Extent,
    /// Where PATH is.
    pub place: Place,
    pub tree: Mutex<Tree>,
    pub complaints: Mutex<Vec<String>>,
    work: Mutex<Work>,
    changed: Condvar,
    is_wanted: AtomicBool,
}

/// A directory that a walker gives to the other one, and how many of them have nothing to do.
#[derive(Default)]
struct Work {
    given: Option<Directory>,
    idle: usize,
}

/// How many walk.
const WALKERS: usize = 2;

impl Common<'_> {
    /// Whether a walker has nothing to do.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Relaxed)
    }

    /// Gives a directory to the walker that has nothing to do.
    pub fn give(&self, directory: Directory) {
        let mut work = lock(&self.work);
        self.is_wanted.store(false, Ordering::Relaxed);
        work.given = Some(directory);
        self.changed.notify_one();
    }

    /// Waits for a directory. None if all is done.
    pub fn take(&self) -> Option<Directory> {
        let mut work = lock(&self.work);
        work.idle += 1;
        loop {
            if let Some(directory) = work.given.take() {
                work.idle -= 1;
                return Some(directory);
            }
            if work.idle == WALKERS {
                self.changed.notify_all();
                return None;
            }
            self.is_wanted.store(true, Ordering::Relaxed);
            work = self.changed.wait(work).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Reports a part that cannot be read. Only the first few are named.
    pub fn complain(&self, path: &[u8], error: Errno) {
        /// More do not help to find the reason.
        const MAX: usize = 5;
        let mut complaints = lock(&self.complaints);
        if complaints.len() < MAX {
            complaints.push(complaint(path, error));
        }
    }
}

/// The sentence for a path that cannot be read.
pub fn complaint(path: &[u8], error: Errno) -> String {
    let reason = std::io::Error::from(error);
    format!("cannot read {}: {reason}", OsStr::from_bytes(path).display())
}

/// Opens the path itself, not the target of a link. A path that ends in `/` is the target.
fn open(path: &[u8], root: Option<&Path>) -> Result<OwnedFd, Errno> {
    let path = OsStr::from_bytes(path);
    match root {
        Some(root) => Rootfs::open(root).map_err(|_| Errno::NOENT)?.locate(Path::new(path)),
        None => {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            retry_on_intr(|| openat(CWD, path, flags, Mode::empty()))
        }
    }
}

fn measure(path: Vec<u8>, root: Option<&Path>, extent: Extent, walk: &Walk) -> Result<Found, Errno> {
    let file = open(&path, root)?;
    let stat = Stat::of_open(file.as_fd(), Ask::Whole)?;
    let place = stat.place();
    let filesystem = Arc::new(Filesystem::of(file.as_fd(), place));
    let mut tree = Tree::default();
    let mut sums = Sums { allocated: stat.allocated(), apparent: stat.apparent(), ..Sums::default() };
    if stat.is_directory() {
        sums.directories = 1;
        tree.enters(stat.id());
    } else {
        sums.files = 1;
        if let Some(time) = stat.dated() {
            sums.date(time, || path.clone());
        }
    }
    let (kind, times) = (stat.kind(), stat.times());
    let node =
        tree.insert(Node { parent: None, path: path.clone(), kind, times, filesystem: Arc::clone(&filesystem), sums });
    let common = Common {
        walk,
        extent,
        place,
        tree: Mutex::new(tree),
        complaints: Mutex::default(),
        work: Mutex::default(),
        changed: Condvar::new(),
        is_wanted: AtomicBool::new(false),
    };
    if stat.is_directory() {
        match Walker::open(file.as_fd(), c".") {
            Ok(file) => {
                let directory = Directory { file, path, id: stat.id(), place, node, depth: 0, filesystem };
                share(&common, directory);
            }
            Err(error) => {
                lock(&common.tree).add(node, Sums { errors: 1, ..Sums::default() });
                common.complain(&path, error);
            }
        }
    }
    let (tree, complaints) = (common.tree, common.complaints);
    let entries = tree.into_inner().unwrap_or_else(PoisonError::into_inner).finish();
    Ok(Found { entries, complaints: complaints.into_inner().unwrap_or_else(PoisonError::into_inner) })
}

/// Walks a directory with all walkers.
fn share(common: &Common<'_>, directory: Directory) {
    lock(&common.work).given = Some(directory);
    thread::scope(|scope| {
        let others: Vec<_> = (1..WALKERS)
            .filter_map(|_| {
                let work = || Walker::new(common).work();
                thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).ok()
            })
            .collect();
        // A walker that cannot be started has nothing to do.
        lock(&common.work).idle += WALKERS - 1 - others.len();
        Walker::new(common).work();
    });
}
