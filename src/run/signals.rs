//! The signals that end the program after it has written its lines: SIGTERM, SIGINT, SIGHUP.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::thread::{NanosleepRelativeResult, nanosleep};
use rustix::time::Timespec;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::sys;

/// The number of the signal that arrived, or 0.
pub struct Signals(Arc<AtomicUsize>);

impl Signals {
    /// Registers the signals. A signal that was ignored when the program started stays ignored.
    pub fn register() -> anyhow::Result<Self> {
        let arrived = Arc::new(AtomicUsize::new(0));
        for number in [SIGTERM, SIGINT, SIGHUP].into_iter().filter(|number| !sys::is_ignored(*number)) {
            signal_hook::flag::register_usize(number, Arc::clone(&arrived), number.unsigned_abs() as usize)
                .context("cannot handle signals")?;
        }
        Ok(Signals(arrived))
    }

    /// The signal that arrived.
    pub fn arrived(&self) -> Option<usize> {
        Some(self.0.load(Ordering::Relaxed)).filter(|number| *number != 0)
    }

    /// Sleeps for this time, or until a signal arrives. Returns false if one arrived.
    pub fn sleep(&self, time: Duration) -> bool {
        /// A signal that arrives between the check and the sleep is noticed after this time.
        const MAX: Duration = Duration::from_secs(1);
        let start = Instant::now();
        while self.arrived().is_none() {
            let left = time.saturating_sub(start.elapsed());
            if left.is_zero() {
                return true;
            }
            let Ok(step) = Timespec::try_from(left.min(MAX)) else {
                return true;
            };
            // A signal interrupts nanosleep(2), but not a sleep of std.
            if let NanosleepRelativeResult::Err(_) = nanosleep(&step) {
                return true;
            }
        }
        false
    }
}
