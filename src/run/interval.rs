//! When the next snapshot is due.

use std::time::Duration;

/// How often to take a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The time from the start of one snapshot to the start of the next.
    pub length: Duration,
    /// The number of snapshots after which the run ends.
    pub count: Option<u64>,
}

impl Interval {
    /// The time until the next snapshot, `elapsed` after the first one started. Intervals do not drift, and missed
    /// intervals are skipped.
    pub fn until_next(&self, elapsed: Duration) -> Duration {
        let length = self.length.as_nanos().max(1);
        let left = length - elapsed.as_nanos() % length;
        Duration::from_nanos(u64::try_from(left).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_do_not_drift_and_missed_ones_are_skipped() {
        let ms = Duration::from_millis;
        let every = |length| Interval { length, count: None };
        for (elapsed, left) in [(0, 1000), (1, 999), (999, 1), (1000, 1000), (3400, 600)] {
            assert_eq!(every(ms(1000)).until_next(ms(elapsed)), ms(left), "{elapsed}");
        }
        assert_eq!(every(Duration::MAX).until_next(ms(1)), Duration::from_nanos(u64::MAX));
    }
}
