//! Once, or at an interval: when snapshots are taken, and how signals end that.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::thread::{NanosleepRelativeResult, nanosleep};
use rustix::time::Timespec;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::skip::StuckWorkers;
use super::{Request, watch};
use crate::exit::{self, Stop};
use crate::sink::Target;
use crate::sys;

/// A snapshot at every beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// From one beat to the next.
    pub interval: Duration,
    /// After how many snapshots it ends.
    pub count: Option<u64>,
}

/// Writes one record per process to where they are to go, once or at every interval of `repeat`.
///
/// Intervals are counted from the start, so that they do not drift. Those that pass while a snapshot is still taken, or
/// its reader does not read, are skipped.
///
/// # Errors
/// What ended a snapshot other than its own end: a failure, a signal, or `timeout`. With repetition, a failure that may
/// pass is reported when it happens, and a signal that left no line unwritten is the end.
pub fn run(mut request: Request, timeout: Duration, repeat: Option<Repeat>) -> Result<(), Stop> {
    let signals = Signals::register()?;
    let mut stuck = StuckWorkers::default();
    let Some(repeat) = repeat else {
        let end = watch::snapshot(request, timeout, &signals, &mut stuck)?;
        let failure = end.failures.into_iter().next().map(|(kind, error)| Stop::MayPass(kind, error));
        return failure.or(end.signal.map(Stop::Signal)).map_or(Ok(()), Err);
    };
    request.repeats = true;
    let mut reported = Vec::new();
    let mut report = |kind, error: &anyhow::Error| {
        if !reported.contains(&kind) {
            exit::report(error);
            reported.push(kind);
        }
    };
    let start = Instant::now();
    for done in 1.. {
        match watch::snapshot(request.clone(), timeout, &signals, &mut stuck) {
            Ok(end) => {
                end.failures.iter().for_each(|(kind, error)| report(*kind, error));
                if end.reader_gone || end.signal.is_some() {
                    break;
                }
                request.earlier = end.sample.map(Arc::new);
                // A file says for itself whether it has its header.
                if let Target::Stdout = request.target {
                    request.encoding = request.encoding.continued();
                }
            }
            Err(Stop::MayPass(kind, error)) => report(kind, &error),
            Err(stop) => return Err(stop),
        }
        if repeat.count == Some(done) || !signals.sleep(until_next(start.elapsed(), repeat.interval)) {
            break;
        }
    }
    if reported.is_empty() { Ok(()) } else { Err(Stop::Reported) }
}

/// From `elapsed` to the next whole multiple of `interval`.
fn until_next(elapsed: Duration, interval: Duration) -> Duration {
    let interval = interval.as_nanos().max(1);
    let left = interval - elapsed.as_nanos() % interval;
    Duration::from_nanos(u64::try_from(left).unwrap_or(u64::MAX))
}

/// The signals that end the program in good order.
pub struct Signals(Arc<AtomicUsize>);

impl Signals {
    /// Those that whoever started this program had it ignore stay ignored.
    fn register() -> anyhow::Result<Self> {
        let arrived = Arc::new(AtomicUsize::new(0));
        for number in [SIGTERM, SIGINT, SIGHUP].into_iter().filter(|number| !sys::is_ignored(*number)) {
            signal_hook::flag::register_usize(number, Arc::clone(&arrived), number.unsigned_abs() as usize)
                .context("cannot handle signals")?;
        }
        Ok(Signals(arrived))
    }

    /// The signal that has arrived.
    pub fn arrived(&self) -> Option<usize> {
        Some(self.0.load(Ordering::Relaxed)).filter(|number| *number != 0)
    }

    /// Sleeps so long, or until a signal; false says that one arrived.
    fn sleep(&self, time: Duration) -> bool {
        /// A signal that comes between the look and the sleep is seen after this long.
        const LONGEST: Duration = Duration::from_secs(1);
        let start = Instant::now();
        while self.arrived().is_none() {
            let left = time.saturating_sub(start.elapsed());
            if left.is_zero() {
                return true;
            }
            let Ok(step) = Timespec::try_from(left.min(LONGEST)) else {
                return true;
            };
            // A signal interrupts it, unlike a sleep of std.
            if let NanosleepRelativeResult::Err(_) = nanosleep(&step) {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_are_multiples_and_missed_ones_are_left_out() {
        let ms = Duration::from_millis;
        for (elapsed, left) in [(0, 1000), (1, 999), (999, 1), (1000, 1000), (3400, 600)] {
            assert_eq!(until_next(ms(elapsed), ms(1000)), ms(left), "{elapsed}");
        }
        assert_eq!(until_next(ms(1), Duration::MAX), Duration::from_nanos(u64::MAX));
    }
}
