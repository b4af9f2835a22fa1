//! CPU time some time ago, of every process: what `cpu_now` is measured against.

use std::collections::HashMap;
use std::time::Instant;

use crate::host::Host;
use crate::parse::{self, Stat};
use crate::procfs::Procfs;

/// What was seen then.
#[derive(Debug, Default)]
pub struct CpuSample {
    then: HashMap<u32, Then>,
}

#[derive(Debug)]
struct Then {
    /// With the pid, this tells a process from another one of the same number.
    starttime: u64,
    cpu_ticks: u64,
    at: Instant,
}

impl CpuSample {
    /// Looks at every process now.
    ///
    /// # Errors
    /// If the processes cannot be listed.
    pub fn take(procfs: &Procfs) -> anyhow::Result<Self> {
        let mut sample = CpuSample::default();
        let mut pids = procfs.pids()?;
        let mut text = Vec::with_capacity(4096);
        while let Some(pid) = pids.next()? {
            // What cannot be read here is like a process that is not there yet.
            let read = procfs.process(pid).read("stat", &mut text, 4096);
            if let Some((_, stat)) = read.ok().and_then(|()| parse::stat(&text)) {
                sample.add(pid, &stat, Instant::now());
            }
        }
        Ok(sample)
    }

    /// Adds what was read of a process at some time.
    pub fn add(&mut self, pid: u32, stat: &Stat, at: Instant) {
        self.then.insert(pid, Then { starttime: stat.starttime, cpu_ticks: stat.cpu_ticks(), at });
    }

    /// The process's CPU time since then in percent of one CPU, to a tenth; that of its life if it was not there then.
    pub fn cpu_since(&self, pid: u32, stat: &Stat, host: &Host) -> Option<f64> {
        let per_second = host.ticks_per_second as f64;
        let (ticks, seconds) = match self.then.get(&pid).filter(|then| then.starttime == stat.starttime) {
            Some(then) => (stat.cpu_ticks().saturating_sub(then.cpu_ticks), then.at.elapsed().as_secs_f64()),
            None => {
                let age = host.uptime_ticks.saturating_sub(stat.starttime);
                (stat.cpu_ticks(), age as f64 / per_second)
            }
        };
        // A process younger than a tick has used none that could be told.
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
        CpuSample { then: HashMap::from([(7, Then { starttime, cpu_ticks, at })]) }
    }

    #[test]
    fn over_the_window_and_not_over_its_life() {
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
