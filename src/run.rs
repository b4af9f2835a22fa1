//! Runs a job: once, or at an interval until it is stopped. It knows neither what a snapshot is about nor where records
//! go. `job` is what a kind of record implements, `interval` says when the next snapshot is due, `signals` when to stop,
//! and `watchdog` sees to it that nothing hangs one: by its worker's `steps`, the `stuck` ones of before, and what workers
//! have `shared`.

mod interval;
mod job;
mod shared;
mod signals;
pub mod steps;
pub mod stuck;
mod watchdog;

use std::time::{Duration, Instant};

use crate::exit::{self, Outcome, Transient};
pub use interval::Interval;
pub use job::{End, Job, Turn, Worker};
pub use shared::Shared;
use signals::Signals;
use stuck::StuckWorkers;

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
