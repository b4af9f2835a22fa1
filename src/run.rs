//! Runs a job once, or at an interval until it is stopped. It knows neither the content of a snapshot nor the
//! destination. `job` is the trait that a kind of record implements. `interval` tells when the next snapshot is due,
//! and `signals` when to stop. `watchdog` ensures that nothing hangs a snapshot: it watches a worker's `steps`, and
//! remembers the `stuck` workers. `shared` is a value that only the current worker may change.

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
use job::{AnyJob, Carry};
pub use job::{Control, End, Job, Turn, Worker};
pub use shared::Shared;
pub use signals::Signals;
use stuck::StuckWorkers;

/// When to take snapshots, and how long each may take.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// The interval between snapshots. None for a single snapshot.
    pub interval: Option<Interval>,
    /// How long a snapshot may take. With an interval, how long it may wait for a lock.
    pub timeout: Duration,
}

/// Where records go, as far as a run knows it.
pub trait Destination {
    /// What it is called now, in messages.
    fn name(&self) -> String;
    /// What the end of the run loses.
    fn lost(&self) -> Option<anyhow::Error>;
}

/// Takes one snapshot, or one at every interval. `job` creates the job of a snapshot from the values that the last one
/// left.
///
/// # Errors
/// If a failure, a signal or the timeout ends a snapshot, or if a snapshot says that it was the last. With an interval, a failure that may pass is reported when it
/// happens, and the run continues. A signal that leaves no line unwritten ends the run without an error.
pub fn run<J: Job>(
    schedule: Schedule,
    destination: &dyn Destination,
    job: impl Fn(Turn, &J::Carry) -> J,
) -> Result<(), Outcome> {
    let first = J::Carry::default();
    run_any(schedule, destination, &|turn, earlier| {
        let earlier = earlier.as_ref().and_then(|earlier| earlier.downcast_ref());
        Box::new(job(turn, earlier.unwrap_or(&first)))
    })
}

/// The same for any kind of job.
fn run_any(
    schedule: Schedule,
    destination: &dyn Destination,
    job: &dyn Fn(Turn, &Carry) -> Box<dyn AnyJob>,
) -> Result<(), Outcome> {
    let signals = Signals::register()?;
    let mut stuck = StuckWorkers::default();
    let mut carry = Carry::default();
    let mut snapshot = |turn, carry: &Carry| {
        watchdog::watch(job(turn, carry), turn, destination.name(), schedule.timeout, &signals, &mut stuck)
    };
    let Some(interval) = schedule.interval else {
        let end = snapshot(Turn { is_first: true, repeats: false }, &carry)?;
        let failure = end.failures.into_iter().next().map(|(kind, error)| Outcome::Transient(kind, error));
        let reported = end.has_reported.then_some(Outcome::Reported);
        return failure.or(end.signal.map(Outcome::Signal)).or(reported).map_or(Ok(()), Err);
    };
    let mut failures = Failures::default();
    let start = Instant::now();
    for done in 1.. {
        match snapshot(Turn { is_first: done == 1, repeats: true }, &carry) {
            Ok(end) => {
                failures.has_others |= end.has_reported;
                end.failures.iter().for_each(|(kind, error)| failures.report(*kind, error));
                end.notices.iter().for_each(|sentence| exit::say(sentence));
                if let Some(error) = end.last {
                    failures.report_lost(destination);
                    return Err(Outcome::Failure(error));
                }
                if end.reader_gone || end.signal.is_some() {
                    break;
                }
                carry = end.carry;
            }
            Err(Outcome::Transient(kind, error)) => failures.report(kind, &error),
            Err(outcome) => {
                failures.report_lost(destination);
                return Err(outcome);
            }
        }
        if interval.count == Some(done) || !signals.sleep(interval.until_next(start.elapsed())) {
            break;
        }
    }
    failures.report_lost(destination);
    if failures.reported.is_empty() && !failures.has_others { Ok(()) } else { Err(Outcome::Reported) }
}

/// The failures of a run that continues.
#[derive(Default)]
struct Failures {
    reported: Vec<Transient>,
    /// Whether a snapshot has reported others.
    has_others: bool,
}

impl Failures {
    /// Reports a failure if it is the first of its kind, or if each of them counts.
    fn report(&mut self, kind: Transient, error: &anyhow::Error) {
        if kind == Transient::Dropped || !self.reported.contains(&kind) {
            exit::report(error);
            self.reported.push(kind);
        }
    }

    /// Reports what the end of the run loses.
    fn report_lost(&mut self, destination: &dyn Destination) {
        if let Some(error) = destination.lost() {
            self.report(Transient::Dropped, &error);
        }
    }
}
