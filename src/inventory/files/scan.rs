//! Reads the files of one path, in threads of their own: any of their reads may block forever, on a server that does not answer.
//! The threads read different files, and what they read comes out in the order in which the files were found.

use std::collections::VecDeque;
use std::mem;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::find::{Failures, Finder};
use super::read::{Found, Reader};
use super::request::Extent;
use crate::fs::pulse::{Pulse, lock};

/// How many threads read.
const READERS: usize = 2;
/// How many files may be ahead of the first that is not read yet. This bounds the memory.
const WINDOW: usize = 256;
/// Buffers are on the heap, and no function calls itself more often than a path has parts.
const STACK: usize = 256 * 1024;

/// A scan that may still be running.
pub struct Scan {
    found: Mutex<Queue>,
    /// The queue has something for whoever waits for it.
    filled: Condvar,
    /// Signalled when the queue is no longer full.
    emptied: Condvar,
    pulse: Pulse,
}

/// What the threads have read, in order.
#[derive(Default)]
struct Queue {
    /// The number of the first file in the queue.
    first: usize,
    /// None for what is not read yet.
    files: VecDeque<Option<Found>>,
    /// How many threads still read.
    readers: usize,
    failures: Failures,
}

/// What a wait for a scan brings.
pub enum Wait {
    /// The next files, in order.
    Found(Vec<Found>),
    /// All files were read. These could not be found.
    Ended(Failures),
    /// It has read nothing for some time.
    Stuck,
    /// The caller wants to stop.
    Stopped,
}

/// Which files of a path are read, and how much of them.
pub struct Order {
    pub path: Vec<u8>,
    pub root: Option<PathBuf>,
    pub extent: Extent,
    /// The largest file whose checksum is wanted. None if no checksum is.
    pub max_hash_size: Option<u64>,
}

/// The search, and how many files it has found.
type Search = Mutex<Option<(Finder, usize)>>;

impl Scan {
    /// Starts to read.
    ///
    /// # Errors
    /// If there can be no more threads.
    pub fn start(order: Order) -> anyhow::Result<Arc<Self>> {
        let scan = Arc::new(Scan {
            found: Mutex::new(Queue { readers: READERS, ..Queue::default() }),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            pulse: Pulse::default(),
        });
        let (order, search) = (Arc::new(order), Arc::new(Search::default()));
        for number in 0..READERS {
            let (own, order, of_all) = (Arc::clone(&scan), Arc::clone(&order), Arc::clone(&search));
            let work = move || {
                own.work(&order, &of_all);
                own.end(&of_all);
            };
            match thread::Builder::new().stack_size(STACK).spawn(work) {
                // One thread does it, too.
                Err(_) if number > 0 => scan.end(&search),
                started => drop(started.context("cannot start a thread")?),
            }
        }
        Ok(scan)
    }

    fn work(&self, order: &Order, search: &Search) {
        let mut reader = Reader::new(order.max_hash_size, &self.pulse);
        while !self.pulse.is_cancelled() {
            let mut searching = lock(search);
            let begin = || (Finder::new(&order.path, order.root.as_ref(), order.extent), 0);
            let (finder, count) = searching.get_or_insert_with(begin);
            let Some(candidate) = finder.next() else { return };
            let number = *count;
            *count += 1;
            drop(searching);
            if !self.wait_for_room(number) {
                return;
            }
            let found = reader.read(candidate.directory.as_fd(), &candidate.name, candidate.path, candidate.stat);
            self.put(number, found);
        }
    }

    /// Waits until a file is not too far ahead. Returns whether the scan goes on.
    fn wait_for_room(&self, number: usize) -> bool {
        let mut queue = lock(&self.found);
        while number >= queue.first + WINDOW && !self.pulse.is_cancelled() {
            queue = self.emptied.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        !self.pulse.is_cancelled()
    }

    fn put(&self, number: usize, found: Found) {
        self.pulse.see(1);
        let mut queue = lock(&self.found);
        let place = number - queue.first;
        while queue.files.len() <= place {
            queue.files.push_back(None);
        }
        queue.files[place] = Some(found);
        if place == 0 {
            self.filled.notify_all();
        }
    }

    /// Notes that a thread has ended.
    fn end(&self, search: &Search) {
        let mut queue = lock(&self.found);
        queue.readers -= 1;
        if queue.readers == 0 {
            if let Some((finder, _)) = lock(search).take() {
                queue.failures = finder.failures;
            }
            self.filled.notify_all();
        }
    }

    /// Waits for the next files, unless it reads nothing for this time, or `stops` says so.
    pub fn wait(&self, patience: Duration, mut stops: impl FnMut(u64) -> bool) -> Wait {
        const TICK: Duration = Duration::from_millis(20);
        let mut last = (self.pulse.progress(), Instant::now());
        let mut queue = lock(&self.found);
        loop {
            if stops(self.pulse.seen()) {
                return Wait::Stopped;
            }
            let ready = queue.files.iter().take_while(|file| file.is_some()).count();
            let found: Vec<_> = queue.files.drain(..ready).flatten().collect();
            if !found.is_empty() {
                queue.first += found.len();
                self.emptied.notify_all();
                return Wait::Found(found);
            }
            if queue.readers == 0 {
                return Wait::Ended(mem::take(&mut queue.failures));
            }
            let progress = self.pulse.progress();
            if progress != last.0 {
                last = (progress, Instant::now());
            }
            if last.1.elapsed() >= patience {
                return Wait::Stuck;
            }
            queue = self.filled.wait_timeout(queue, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Asks the scan to end soon.
    pub fn cancel(&self) {
        self.pulse.cancel();
        self.emptied.notify_all();
    }

    /// Whether its threads are gone.
    pub fn has_ended(&self) -> bool {
        // A thread that is stuck holds no lock of the queue.
        lock(&self.found).readers == 0
    }
}
