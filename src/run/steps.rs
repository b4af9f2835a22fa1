//! What a worker is doing, for the watchdog to see: the steps that may block, and how long each may take.

use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::Duration;

/// What a worker may be doing.
#[derive(Debug)]
pub struct Step {
    /// In words, for what is said of a timeout.
    pub doing: &'static str,
    /// After how long the worker counts as stuck, and is replaced; none if it must not be.
    pub patience: Option<Duration>,
}

/// Waiting until nobody else writes there.
pub const LOCKING: usize = 0;
/// Opening the destination, and writing to it.
pub const WRITING: usize = 1;
/// The first step of a job's own list. That is what a worker begins with: it must not block.
pub const FIRST: usize = 2;

/// A power of two, greater than the number of steps that any job has.
const STEPS_MAX: u64 = 16;

/// The steps of one worker.
#[derive(Debug)]
pub struct Steps {
    /// How many were entered, times [`STEPS_MAX`], and which one the last was.
    entered: AtomicU64,
    /// Tells one subject from another of the same id.
    generation: AtomicU64,
    thread: AtomicI32,
}

impl Default for Steps {
    fn default() -> Self {
        Steps { entered: AtomicU64::new(FIRST as u64), generation: AtomicU64::new(0), thread: AtomicI32::new(0) }
    }
}

impl Steps {
    /// Says what is done from here on. Only the worker itself says so.
    pub fn enter(&self, step: usize) {
        let entered = self.entered.load(Ordering::Relaxed) | (STEPS_MAX - 1);
        self.entered.store((entered + 1) | (step as u64 & (STEPS_MAX - 1)), Ordering::Release);
    }

    /// Says which generation of the subject in hand is read: a process's start, as its id may come again.
    pub fn set_generation(&self, generation: u64) {
        self.generation.store(generation, Ordering::Relaxed);
    }

    /// The generation of the subject in hand.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// The step, and a number that no other step of this worker has.
    pub fn now(&self) -> (usize, u64) {
        let entered = self.entered.load(Ordering::Acquire);
        ((entered & (STEPS_MAX - 1)) as usize, entered)
    }

    /// Says which thread it is.
    pub(super) fn begin(&self) {
        self.thread.store(rustix::thread::gettid().as_raw_nonzero().get(), Ordering::Relaxed);
    }

    /// The worker's thread id; 0 before it began.
    pub(super) fn thread(&self) -> i32 {
        self.thread.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_is_entered_again_is_another() {
        let steps = Steps::default();
        assert_eq!(steps.now().0, FIRST);
        let mut numbers = vec![steps.now().1];
        for step in [WRITING, FIRST, FIRST, LOCKING] {
            steps.enter(step);
            let (now, number) = steps.now();
            assert_eq!(now, step);
            assert!(!numbers.contains(&number));
            numbers.push(number);
        }
    }
}
