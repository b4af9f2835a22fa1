//! Runs a job: once, or at an interval until it is stopped. It knows neither what a snapshot is about nor where records
//! go. `interval` says when the next one is due, `signals` when to stop, `watchdog` sees to it that nothing hangs a
//! snapshot, and `steps`, `stuck` and `shared` are what it has to do so.

mod interval;
mod shared;
mod signals;
pub mod steps;
pub mod stuck;
mod watchdog;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::exit::{self, Outcome, Transient};
pub use interval::Interval;
pub use shared::{Held, Shared};
use signals::Signals;
use steps::{Step, Steps};
use stuck::{SkipList, StuckWorkers};

/// One snapshot of a kind of record. A worker takes it; one that is stuck is replaced, and the next goes on.
pub trait Job: Send + Sync + 'static {
    /// What a snapshot leaves for the next one.
    type Carry: Default + Send + 'static;

    /// What a worker may be doing, beside the first few of [`steps`].
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
    fn new(destination: String) -> Self {
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

    fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn destination(&self) -> String {
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

/// When snapshots are taken, and how long one may take.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// Once, or again and again.
    pub interval: Option<Interval>,
    /// How long a snapshot may take; with an interval, how long it may wait for a lock.
    pub timeout: Duration,
}

/// Takes one snapshot, or one at every interval. `job` makes a snapshot's job of what the last one left; `destination`
/// says where records go now, in words.
///
/// # Errors
/// What ended a snapshot other than its own end: a failure, a signal, or the timeout. With an interval, a failure that
/// may pass is reported when it happens, and a signal that left no line unwritten is the end.
pub fn run<J: Job>(
    schedule: Schedule,
    destination: impl Fn() -> String,
    job: impl Fn(Turn, &J::Carry) -> J,
) -> Result<(), Outcome> {
    let signals = Signals::register()?;
    let mut stuck = StuckWorkers::default();
    let mut carry = J::Carry::default();
    let mut snapshot = |turn, carry: &J::Carry| {
        watchdog::watch(job(turn, carry), turn, destination(), schedule.timeout, &signals, &mut stuck)
    };
    let Some(interval) = schedule.interval else {
        let end = snapshot(Turn { is_first: true, repeats: false }, &carry)?;
        let failure = end.failures.into_iter().next().map(|(kind, error)| Outcome::Transient(kind, error));
        return failure.or(end.signal.map(Outcome::Signal)).map_or(Ok(()), Err);
    };
    let mut failures = Failures::default();
    let start = Instant::now();
    for done in 1.. {
        match snapshot(Turn { is_first: done == 1, repeats: true }, &carry) {
            Ok(end) => {
                end.failures.iter().for_each(|(kind, error)| failures.report(*kind, error));
                if end.reader_gone || end.signal.is_some() {
                    break;
                }
                carry = end.carry;
            }
            Err(Outcome::Transient(kind, error)) => failures.report(kind, &error),
            Err(outcome) => return Err(outcome),
        }
        if interval.count == Some(done) || !signals.sleep(interval.until_next(start.elapsed())) {
            break;
        }
    }
    if failures.reported.is_empty() { Ok(()) } else { Err(Outcome::Reported) }
}

/// The failures of a run that goes on.
#[derive(Default)]
struct Failures {
    reported: Vec<Transient>,
}

impl Failures {
    /// Reports the first of its kind.
    fn report(&mut self, kind: Transient, error: &anyhow::Error) {
        if !self.reported.contains(&kind) {
            exit::report(error);
            self.reported.push(kind);
        }
    }
}
