//! One walk: measures all that is in one path. It runs in threads of its own, because any of its reads may block forever, on a
//! server that does not answer.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{Errno, retry_on_intr};

use super::common::{Common, Directory, Extent, WALKERS};
use super::filesystem::Filesystem;
use super::tree::{Entry, Node, Sums, Tree};
use super::walker::Walker;
use crate::fs;
use crate::fs::pulse::{Pulse, lock};
use crate::fs::stat::{Ask, Stat};
use crate::paths::{Search, Wait, Watch};
use crate::rootfs::Rootfs;

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
    pulse: Pulse,
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
            pulse: Pulse::default(),
        });
        let (walk, root) = (Arc::clone(&walk), root.map(Path::to_owned));
        let (path, own) = (path.as_os_str().as_bytes().to_vec(), Arc::clone(&walk));
        let work = move || {
            let found = measure(path, root.as_deref(), extent, &own.pulse);
            *lock(&own.result) = Some(found);
            own.has_ended.store(true, Ordering::Release);
            own.ended.notify_all();
        };
        thread::Builder::new().stack_size(STACK).spawn(work).context("cannot start a thread")?;
        Ok(walk)
    }

    /// Waits until the walk has ended, or has seen no file for the watch's patience, or the watch stops it.
    pub fn wait(&self, watch: &mut Watch<'_>) -> Wait<Result<Found, Errno>> {
        const TICK: Duration = Duration::from_millis(20);
        let mut last = (self.pulse.seen(), Instant::now());
        let mut result = lock(&self.result);
        loop {
            if let Some(found) = result.take() {
                return Wait::Ended(found);
            }
            if self.pulse.seen() != last.0 {
                last = (self.pulse.seen(), Instant::now());
            }
            if watch.stops(last.0) {
                return Wait::Stopped;
            }
            if last.1.elapsed() >= watch.patience {
                return Wait::Stuck;
            }
            result = self.ended.wait_timeout(result, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Search for Walk {
    fn cancel(&self) {
        self.pulse.cancel();
    }

    fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }
}

/// Buffers are on the heap, and no function calls itself.
const STACK: usize = 256 * 1024;

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

fn measure(path: Vec<u8>, root: Option<&Path>, extent: Extent, pulse: &Pulse) -> Result<Found, Errno> {
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
    let common = Common::new(pulse, extent, place, tree);
    if stat.is_directory() {
        match fs::open_directory(file.as_fd(), c".") {
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
    let (tree, complaints) = common.finish();
    Ok(Found { entries: tree.finish(), complaints })
}

/// Walks a directory with all walkers.
fn share(common: &Common<'_>, directory: Directory) {
    common.give(directory);
    thread::scope(|scope| {
        let others: Vec<_> = (1..WALKERS)
            .filter_map(|_| {
                let work = || Walker::new(common).work();
                thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).ok()
            })
            .collect();
        common.miss(WALKERS - 1 - others.len());
        Walker::new(common).work();
    });
}
