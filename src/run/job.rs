//! What a kind of record implements to be run, and what it is given.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::steps::{Step, Steps};
use super::stuck::SkipList;
use crate::exit::{Outcome, Transient};

/// One snapshot of a kind of record. A worker takes it; one that is stuck is replaced, and the next goes on.
pub trait Job: Send + Sync + 'static {
    /// What a snapshot leaves for the next one.
    type Carry: Default + Send + 'static;

    /// What a worker may be doing, beside the first few of [`steps`](super::steps).
    const STEPS: &'static [Step];

    /// Takes the snapshot, from where an earlier worker left it to its end. None says that another worker took over.
    fn work(&self, worker: &Worker<'_>) -> Option<Result<End<Self::Carry>, Outcome>>;

    /// Lets worker number `next` go on, if `is_stuck` still holds of the present one: the id of what that is stuck with.
    fn take_over(&self, next: usize, is_stuck: &dyn Fn() -> bool) -> Option<u64>;
}

/// What a worker is given.
pub struct Worker<'a> {
    /// Its number, from 0.
    pub number: usize,
    /// Where it says what it does.
    pub steps: &'a Steps,
    /// What it must not wait for.
    pub skip: &'a SkipList,
    /// What it shares with the watchdog.
    pub control: &'a Control,
}

/// What the watchdog and the workers of a snapshot tell each other.
pub struct Control {
    stop: AtomicBool,
    destination: Mutex<String>,
}

impl Control {
    pub(super) fn new(destination: String) -> Self {
        Control { stop: AtomicBool::new(false), destination: Mutex::new(destination) }
    }

    /// Whether the worker is to write the lines that it has, and to end. One that has no lines yet writes nothing.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Says where the records go, in words.
    pub fn set_destination(&self, destination: String) {
        *self.destination.lock().unwrap_or_else(PoisonError::into_inner) = destination;
    }

    /// Asks for that.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Where the records go, in words.
    pub(super) fn destination(&self) -> String {
        self.destination.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Which of the snapshots of a run one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Whether it is the first.
    pub is_first: bool,
    /// Whether others may follow.
    pub repeats: bool,
}

/// How a snapshot ended.
#[derive(Default)]
pub struct End<C> {
    /// Whether nobody reads what is written any more.
    pub reader_gone: bool,
    /// What failed beside the lines that were written.
    pub failures: Vec<(Transient, anyhow::Error)>,
    /// What it leaves for the next.
    pub carry: C,
    /// The signal that ended it, every line that it had written: the watchdog says so.
    pub signal: Option<usize>,
}
