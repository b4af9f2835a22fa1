//! The trait that a kind of record implements, and the values that its workers get.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::steps::{Step, Steps};
use super::stuck::SkipList;
use crate::exit::{Outcome, Transient};

/// One snapshot of a kind of record. A worker takes it. If the worker is stuck, another one replaces it and continues.
pub trait Job: Send + Sync + 'static {
    /// The values that a snapshot leaves for the next one.
    type Carry: Default + Send + 'static;

    /// The job's own steps, after the common ones of [`steps`](super::steps).
    const STEPS: &'static [Step];

    /// Takes the snapshot to its end, from where an earlier worker left it. None if another worker took over.
    fn work(&self, worker: &Worker<'_>) -> Option<Result<End<Self::Carry>, Outcome>>;

    /// Makes `next` the current worker if `is_stuck` is still true. Returns the id of the subject with which the
    /// earlier worker is stuck.
    fn take_over(&self, next: usize, is_stuck: &dyn Fn() -> bool) -> Option<u64>;
}

/// What a snapshot leaves for the next one, whatever its type. None if there was no snapshot.
pub(super) type Carry = Option<Box<dyn Any + Send>>;

/// A job whatever the type of what it leaves, so that the program has the code of the run once, not for each kind.
pub(super) trait AnyJob: Send + Sync {
    /// [`Job::STEPS`]
    fn steps(&self) -> &'static [Step];

    /// [`Job::work`]
    fn work(&self, worker: &Worker<'_>) -> Option<Result<End<Carry>, Outcome>>;

    /// [`Job::take_over`]
    fn take_over(&self, next: usize, is_stuck: &dyn Fn() -> bool) -> Option<u64>;
}

impl<J: Job> AnyJob for J {
    fn steps(&self) -> &'static [Step] {
        J::STEPS
    }

    fn work(&self, worker: &Worker<'_>) -> Option<Result<End<Carry>, Outcome>> {
        Some(Job::work(self, worker)?.map(End::boxed))
    }

    fn take_over(&self, next: usize, is_stuck: &dyn Fn() -> bool) -> Option<u64> {
        Job::take_over(self, next, is_stuck)
    }
}

/// The values that a worker gets.
pub struct Worker<'a> {
    /// The worker's number, from 0.
    pub number: usize,
    /// Where the worker reports its current step.
    pub steps: &'a Steps,
    /// The subjects and steps to skip.
    pub skip: &'a SkipList,
    /// The state that it shares with the watchdog.
    pub control: &'a Control,
}

/// The state that the watchdog and the workers of a snapshot share.
pub struct Control {
    stop: AtomicBool,
    destination: Mutex<String>,
    subject: Mutex<String>,
}

impl Control {
    pub(super) fn new(destination: String) -> Self {
        Control { stop: AtomicBool::new(false), destination: Mutex::new(destination), subject: Mutex::default() }
    }

    /// Whether the worker must write the lines that it has, and stop. A worker without lines writes nothing.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Sets the description of the destination, for messages.
    pub fn set_destination(&self, destination: String) {
        *self.destination.lock().unwrap_or_else(PoisonError::into_inner) = destination;
    }

    /// Sets what the worker's own step is about, for messages.
    pub fn set_subject(&self, subject: String) {
        *self.subject.lock().unwrap_or_else(PoisonError::into_inner) = subject;
    }

    /// What the worker's own step is about. Empty if it has not said.
    pub(super) fn subject(&self) -> String {
        self.subject.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the worker to stop.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// The description of the destination, for messages.
    pub(super) fn destination(&self) -> String {
        self.destination.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The position of a snapshot in its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Whether it is the first snapshot.
    pub is_first: bool,
    /// Whether more snapshots may follow.
    pub repeats: bool,
}

/// How a snapshot ended.
#[derive(Default)]
pub struct End<C> {
    /// Whether the reader of standard output is gone.
    pub reader_gone: bool,
    /// Failures that did not prevent writing, such as those of retention.
    pub failures: Vec<(Transient, anyhow::Error)>,
    /// Sentences for standard error about what is no failure.
    pub notices: Vec<String>,
    /// Why no snapshot follows, if a run that repeats must end.
    pub last: Option<anyhow::Error>,
    /// Whether it has reported a failure itself that did not prevent writing.
    pub has_reported: bool,
    /// The values for the next snapshot.
    pub carry: C,
    /// The signal that ended it after all its lines were written. The watchdog sets it.
    pub signal: Option<usize>,
}

impl<C: Send + 'static> End<C> {
    fn boxed(self) -> End<Carry> {
        let End { reader_gone, failures, notices, last, has_reported, carry, signal } = self;
        End { reader_gone, failures, notices, last, has_reported, carry: Some(Box::new(carry)), signal }
    }
}
