//! The CPU times of all processes at an earlier time. `cpu_now` is measured against them.

use std::collections::HashMap;
use std::time::Instant;

use crate::host::Host;
use crate::parse::{self, Stat};
use crate::procfs::Procfs;

/// The CPU time of each process, by pid.
#[derive(Debug, Default)]
pub struct CpuSample {
    earlier: HashMap<u32, Earlier>,
}

#[derive(Debug)]
struct Earlier {
    /// Distinguishes a process from a later one with the same pid.
    starttime: u64,
    cpu_ticks: u64,
    at: Instant,
}

impl CpuSample {
    /// Samples every process now.
    ///
    /// # Errors
    /// If the processes cannot be listed.
    pub fn take(procfs: &Procfs) -> anyhow::Result<Self> {
        let mut sample = CpuSample::default();
        let mut pids = procfs.pids()?;
        let mut text = Vec::with_capacity(4096);
        while let Some(pid) = pids.next()? {
            // A process that cannot be read counts as one that has not started yet.
            let read = procfs.process(pid).read("stat", &mut text, 4096);
            if let Some((_, stat)) = read.ok().and_then(|()| parse::stat(&text)) {
                sample.add(pid, &stat, Instant::now());
            }
        }
        Ok(sample)
    }

    /// Adds a process's CPU time, as read at a given time.
    pub fn add(&mut self, pid: u32, stat: &Stat, at: Instant) {
        self.earlier.insert(pid, Earlier { starttime: stat.starttime, cpu_ticks: stat.cpu_ticks(), at });
    }

    /// The CPU that the process used since the sample, in percent of one CPU, rounded to a tenth. If it is not in the
    /// sample, the CPU that it used since its start.
    pub fn cpu_since(&self, pid: u32, stat: &Stat, host: &Host) -> Option<f64> {
        let per_second = host.ticks_per_second as f64;
        let (ticks, seconds) = match self.earlier.get(&pid).filter(|earlier| earlier.starttime == stat.starttime) {
            Some(earlier) => (stat.cpu_ticks().saturating_sub(earlier.cpu_ticks), earlier.at.elapsed().as_secs_f64()),
            None => {
                let age = host.uptime_ticks.saturating_sub(stat.starttime);
                (stat.cpu_ticks(), age as f64 / per_second)
            }
        };
        // The CPU time of a process younger than a tick cannot be measured.
        let percent = if seconds > 0.0 { ticks as f64 / per_second / seconds * 100.0 } else { 0.0 };
        Some((percent * 10.0).round() / 10.0).filter(|percent| percent.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn host() -> Host {
        Host { ticks_per_second: 100, uptime_ticks: 1000, ..Host::default() }
    }

    fn sample(starttime: u64, cpu_ticks: u64, ago: Duration) -> CpuSample {
        let at = Instant::now().checked_sub(ago).unwrap();
        CpuSample { earlier: HashMap::from([(7, Earlier { starttime, cpu_ticks, at })]) }
    }

    #[test]
    fn cpu_is_measured_over_the_window_and_not_since_the_start() {
        let sample = sample(100, 5000, Duration::from_secs(1000));
        let stat = Stat { starttime: 100, utime: 30_000, stime: 25_000, ..Stat::default() };
        assert_eq!(sample.cpu_since(7, &stat, &host()), Some(50.0));
    }

    #[test]
    fn a_recycled_pid_is_another_process() {
        let sample = sample(100, 5000, Duration::from_secs(1000));
        let stat = Stat { starttime: 900, utime: 50, ..Stat::default() };
        assert_eq!(sample.cpu_since(7, &stat, &host()), Some(50.0));
        assert_eq!(sample.cpu_since(8, &stat, &host()), Some(50.0));
        assert_eq!(sample.cpu_since(8, &Stat { starttime: 1000, ..stat }, &host()), Some(0.0));
    }
}
