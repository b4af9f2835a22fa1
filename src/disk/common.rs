//! What the walkers of one walk share: what to walk, what they have found, and the directory that one gives to the other when
//! that has nothing to do. There is no list of what is still to do, so memory does not grow with the number of files.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rustix::io::Errno;

use super::filesystem::Filesystem;
use super::tree::Tree;
use crate::fs::complaint;
use crate::fs::pulse::{Pulse, lock};
use crate::fs::stat::Place;

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
    pub pulse: &'a Pulse,
    pub extent: Extent,
    /// Where PATH is.
    pub place: Place,
    pub tree: Mutex<Tree>,
    complaints: Mutex<Vec<String>>,
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
pub const WALKERS: usize = 2;

impl<'a> Common<'a> {
    /// What the walkers share when they begin.
    pub fn new(pulse: &'a Pulse, extent: Extent, place: Place, tree: Tree) -> Self {
        Common {
            pulse,
            extent,
            place,
            tree: Mutex::new(tree),
            complaints: Mutex::default(),
            work: Mutex::default(),
            changed: Condvar::new(),
            is_wanted: AtomicBool::new(false),
        }
    }

    /// What they have found, and sentences about what they could not read.
    pub fn finish(self) -> (Tree, Vec<String>) {
        (
            self.tree.into_inner().unwrap_or_else(PoisonError::into_inner),
            self.complaints.into_inner().unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Counts walkers that could not be started: they have nothing to do.
    pub fn miss(&self, walkers: usize) {
        lock(&self.work).idle += walkers;
    }

    /// Whether there is no directory for a walker that has nothing to do. Only one walker is told, which gives one or
    /// [`declines`](Self::decline).
    pub fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Relaxed) && self.is_wanted.swap(false, Ordering::Relaxed)
    }

    /// Says that this walker has no directory to give.
    pub fn decline(&self) {
        self.is_wanted.store(true, Ordering::Relaxed);
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
                // The next one is ready before a walker needs it, so that none waits until the other has read a directory.
                self.is_wanted.store(true, Ordering::Relaxed);
                return Some(directory);
            }
            if work.idle == WALKERS {
                self.changed.notify_all();
                return None;
            }
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
