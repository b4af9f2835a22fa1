//! The skip list: what a worker must not wait for, because an earlier one is still stuck in it. It outlives a snapshot,
//! so that with `--interval` a stuck process, or a file that stays locked, costs one thread in all, not one per snapshot.

use std::thread::JoinHandle;
use std::time::Duration;

/// What a worker can be stuck in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocking {
    /// Reading a process's command line.
    Command,
    /// Reading the other files of a process that may block.
    Files,
    /// Asking the system's name services.
    Names,
}

/// A process: a pid alone may come again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessId {
    /// Process id.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub starttime: u64,
}

/// What one worker skips.
#[derive(Clone, Debug, Default)]
pub struct SkipList {
    entries: Vec<(Blocking, ProcessId)>,
    /// Whether it reads no command line of a process in uninterruptible sleep.
    pub commands_in_disk_sleep: bool,
}

impl SkipList {
    /// Whether a worker is stuck in reading this of that process.
    pub fn has(&self, blocking: Blocking, process: ProcessId) -> bool {
        self.entries.contains(&(blocking, process))
    }

    /// Whether a worker is stuck in asking the name services: they are the same for every process.
    pub fn has_names(&self) -> bool {
        self.entries.iter().any(|(blocking, _)| *blocking == Blocking::Names)
    }
}

/// The workers that were abandoned. One that comes back is no longer stuck, and neither is its process.
#[derive(Default)]
pub struct StuckWorkers {
    reading: Vec<StuckWorker>,
    /// Those that wait for the lock of a file.
    locking: Vec<(String, JoinHandle<()>)>,
}

struct StuckWorker {
    blocking: Blocking,
    process: ProcessId,
    /// How long it was waited for.
    waited: Duration,
    thread: JoinHandle<()>,
}

impl StuckWorkers {
    /// Adds the thread of a worker that is stuck.
    pub fn add(&mut self, blocking: Blocking, process: ProcessId, waited: Duration, thread: JoinHandle<()>) {
        self.forget_those_back();
        self.reading.push(StuckWorker { blocking, process, waited, thread });
    }

    /// How long the command lines were waited for that are still stuck, in all.
    pub fn waited_for_commands(&mut self) -> Duration {
        self.forget_those_back();
        self.reading.iter().filter(|worker| worker.blocking == Blocking::Command).map(|worker| worker.waited).sum()
    }

    /// What the next worker skips.
    pub fn skip_list(&self, commands_in_disk_sleep: bool) -> SkipList {
        let entries = self.reading.iter().map(|worker| (worker.blocking, worker.process)).collect();
        SkipList { entries, commands_in_disk_sleep }
    }

    /// Adds the thread of a worker that waits for the lock of a file.
    pub fn add_locking(&mut self, file: String, thread: JoinHandle<()>) {
        self.locking.push((file, thread));
    }

    /// Whether a worker still waits for the lock of this file.
    pub fn has_locking(&mut self, file: &str) -> bool {
        self.forget_those_back();
        self.locking.iter().any(|(locked, _)| locked == file)
    }

    fn forget_those_back(&mut self) {
        self.reading.retain(|worker| !worker.thread.is_finished());
        self.locking.retain(|(_, thread)| !thread.is_finished());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    #[test]
    fn a_worker_is_on_the_list_until_it_comes_back() {
        let (release, blocked) = channel::<()>();
        let (back, came_back) = channel::<()>();
        let stuck = thread::spawn(move || blocked.iter().for_each(drop));
        let process = ProcessId { pid: 7, starttime: 100 };
        let recycled = ProcessId { starttime: 200, ..process };
        let mut workers = StuckWorkers::default();
        workers.add(Blocking::Command, process, Duration::from_millis(50), stuck);
        let list = workers.skip_list(false);
        assert!(list.has(Blocking::Command, process) && !list.has(Blocking::Files, process));
        assert!(!list.has(Blocking::Command, recycled) && !list.has_names());
        assert_eq!(workers.waited_for_commands(), Duration::from_millis(50));

        drop(release);
        while !workers.reading[0].thread.is_finished() {
            thread::yield_now();
        }
        assert_eq!(workers.waited_for_commands(), Duration::ZERO);
        assert!(!workers.skip_list(false).has(Blocking::Command, process));

        // Name services are the same for every process.
        workers.add(Blocking::Names, process, Duration::ZERO, thread::spawn(move || came_back.iter().for_each(drop)));
        assert!(workers.skip_list(false).has_names());
        drop(back);
    }
}
