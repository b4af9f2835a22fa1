//! The share of the events that one reader gets: those of one CPU, or those of all other CPUs.
//!
//! A program runs on the CPU that its event comes from. A reader that runs there too, and comes first, reads the command line
//! before the program executes its first instruction. A reader on another CPU races with it.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The kernel offers each event to each reader, which takes about a microsecond. Other CPUs share one reader.
const READERS_MAX: usize = 128;

/// The CPUs whose events a reader gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Share {
    /// One CPU.
    Cpu(u32),
    /// All but these.
    Others(Vec<u32>),
}

impl Share {
    /// The shares of all readers. Together they are all events, also of CPUs that are added later.
    pub fn all() -> Vec<Self> {
        // Without the list there is one reader.
        let allowed = sched_getaffinity(None).unwrap_or_default();
        let numbers = (0_u32..).zip(0..CpuSet::MAX_CPU).filter(|(_, cpu)| allowed.is_set(*cpu));
        let cpus: Vec<u32> = numbers.map(|(number, _)| number).take(READERS_MAX).collect();
        cpus.iter().map(|cpu| Share::Cpu(*cpu)).chain([Share::Others(cpus.clone())]).collect()
    }

    /// Moves the calling thread to its CPU.
    pub fn move_there(&self) {
        if let Share::Cpu(cpu) = self {
            let mut cpus = CpuSet::new();
            cpus.set(*cpu as usize);
            // The CPU may be gone. Another one is as good as none.
            let _ = sched_setaffinity(None, &cpus);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cpu_has_one_reader() {
        let shares = Share::all();
        let (last, first) = shares.split_last().unwrap();
        let cpus: Vec<u32> =
            first.iter().filter_map(|share| if let Share::Cpu(cpu) = share { Some(*cpu) } else { None }).collect();
        assert_eq!((cpus.len(), last), (first.len(), &Share::Others(cpus)));
        assert!(!first.is_empty());
    }
}
