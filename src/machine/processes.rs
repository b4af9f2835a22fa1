//! How many processes there are, and in which states.

use anyhow::{Context, anyhow};

use crate::parse;
use crate::procfs::{Procfs, is_out_of_sight};

/// How many processes there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Processes {
    /// All of them.
    pub total: u64,
    /// `R`.
    pub running: u64,
    /// `S`.
    pub sleeping: u64,
    /// `D`.
    pub disk_sleep: u64,
    /// `I`: threads of the kernel that wait for work.
    pub idle: u64,
    /// `T` and `t`.
    pub stopped: u64,
    /// `Z`.
    pub zombie: u64,
    /// The threads of all.
    pub threads: u64,
}

impl Processes {
    fn add(&mut self, stat: &parse::Stat) {
        self.total += 1;
        self.threads += u64::try_from(stat.num_threads).unwrap_or(0);
        match stat.state {
            b'R' => self.running += 1,
            b'S' => self.sleeping += 1,
            b'D' => self.disk_sleep += 1,
            b'I' => self.idle += 1,
            b'T' | b't' => self.stopped += 1,
            b'Z' => self.zombie += 1,
            // Dead or parked, which lasts for a moment.
            _ => {}
        }
    }
}

/// Counts the processes that this user may see.
///
/// # Errors
/// If one that is there cannot be read: what is counted without it would be wrong.
pub fn count(procfs: &Procfs) -> anyhow::Result<Processes> {
    /// Far more than the kernel's longest.
    const STAT_MAX: usize = 4096;
    let mut pids = procfs.pids()?;
    let mut processes = Processes::default();
    let mut text = Vec::with_capacity(STAT_MAX);
    while let Some(pid) = pids.next().context("cannot list the processes")? {
        match procfs.process(pid).read("stat", &mut text, STAT_MAX) {
            Err(error) if is_out_of_sight(&error) => continue,
            read => read?,
        }
        let (_, stat) = parse::stat(&text).ok_or_else(|| anyhow!("{pid}/stat is not of the kernel's form"))?;
        processes.add(&stat);
    }
    Ok(processes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::Stat;

    #[test]
    fn each_state_counts_where_it_belongs() {
        let mut processes = Processes::default();
        for state in *b"RSSDDDITtZXP" {
            processes.add(&Stat { state, num_threads: 2, ..Stat::default() });
        }
        let expected = Processes {
            total: 12,
            running: 1,
            sleeping: 2,
            disk_sleep: 3,
            idle: 1,
            stopped: 2,
            zombie: 1,
            threads: 24,
        };
        assert_eq!(processes, expected);
    }
}
