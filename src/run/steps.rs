//! The steps of a worker: what it is doing, and how long that may take. The worker enters steps, and the watchdog reads
//! them.

use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::Duration;

/// What a worker may be doing.
#[derive(Debug)]
pub struct Step {
    /// The description for the message of a timeout.
    pub doing: &'static str,
    /// How long the step may take before the worker counts as stuck and is replaced. None if it is never replaced.
    pub patience: Option<Duration>,
}

/// Waiting for the lock of the destination.
pub const LOCKING: usize = 0;
/// Opening the destination, or writing to it.
pub const WRITING: usize = 1;
/// The first of a job's own steps. A worker begins with it, so it must not block.
pub const FIRST: usize = 2;

/// A power of two that is greater than the number of steps of any job.
const STEPS_MAX: u64 = 16;

/// The steps of one worker.
#[derive(Debug)]
pub struct Steps {
    /// The number of steps entered, times [`STEPS_MAX`], plus the current step.
    entered: AtomicU64,
    /// Distinguishes a subject from a later one with the same id.
    generation: AtomicU64,
    thread: AtomicI32,
}

impl Default for Steps {
    fn default() -> Self {
        Steps { entered: AtomicU64::new(FIRST as u64), generation: AtomicU64::new(0), thread: AtomicI32::new(0) }
    }
}

impl Steps {
    /// Enters a step. Only the worker itself may call this.
    pub fn enter(&self, step: usize) {
        let entered = self.entered.load(Ordering::Relaxed) | (STEPS_MAX - 1);
        self.entered.store((entered + 1) | (step as u64 & (STEPS_MAX - 1)), Ordering::Release);
    }

    /// Sets the generation of the subject in hand: a process's start time, because its id may be reused.
    pub fn set_generation(&self, generation: u64) {
        self.generation.store(generation, Ordering::Relaxed);
    }

    /// The generation of the subject in hand.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// The current step, and a number that is different each time a step is entered.
    pub fn now(&self) -> (usize, u64) {
        let entered = self.entered.load(Ordering::Acquire);
        ((entered & (STEPS_MAX - 1)) as usize, entered)
    }

    /// Records the worker's thread id.
    pub(super) fn begin(&self) {
        self.thread.store(rustix::thread::gettid().as_raw_nonzero().get(), Ordering::Relaxed);
    }

    /// The worker's thread id. 0 before the worker began.
    pub(super) fn thread(&self) -> i32 {
        self.thread.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_a_new_number_each_time_it_is_entered() {
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
