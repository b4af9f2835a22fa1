//! What the threads of a walk share with whoever waits for it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What whoever waits for a walk knows of it meanwhile.
#[derive(Default)]
pub struct Pulse {
    is_cancelled: AtomicBool,
    /// How many files it has seen, about.
    seen: AtomicU64,
    /// How many parts of files it has read.
    read: AtomicU64,
}

impl Pulse {
    /// Asks the walk to end soon.
    pub fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to.
    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }

    /// Counts files that a walker has seen.
    pub fn see(&self, files: u64) {
        self.seen.fetch_add(files, Ordering::Relaxed);
    }

    /// Counts a part of a file that was read.
    pub fn touch(&self) {
        self.read.fetch_add(1, Ordering::Relaxed);
    }

    /// A number that changes as long as the walk goes on.
    pub fn progress(&self) -> u64 {
        self.seen().wrapping_add(self.read.load(Ordering::Relaxed))
    }

    /// How many files the walk has seen, about.
    pub fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }
}

/// The content of a lock. Nothing that holds one can fail halfway.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
