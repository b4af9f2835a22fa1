//! The workers that are stuck, and the skip list: the reads that a worker must not try, because an earlier worker is
//! stuck in them. The list outlives a snapshot. So with `--interval`, a stuck process costs one thread in total, and
//! not one per snapshot.

use std::thread::JoinHandle;
use std::time::Duration;

/// A thing that a worker reads, such as a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The id.
    pub id: u64,
    /// Distinguishes it from a later subject with the same id: a process's start time, in clock ticks.
    pub generation: u64,
}

/// The steps and subjects that a worker skips.
#[derive(Clone, Debug, Default)]
pub struct SkipList {
    entries: Vec<(usize, Subject)>,
    waited: Vec<(usize, Duration)>,
}

impl SkipList {
    /// Whether a worker is stuck in this step with that subject.
    pub fn has(&self, step: usize, subject: Subject) -> bool {
        self.entries.contains(&(step, subject))
    }

    /// Whether a worker is stuck in this step with any subject.
    pub fn has_step(&self, step: usize) -> bool {
        self.entries.iter().any(|(stuck, _)| *stuck == step)
    }

    /// The time lost in this step: by workers of this snapshot, and by earlier ones that are still stuck.
    pub fn waited(&self, step: usize) -> Duration {
        self.waited.iter().filter(|(stuck, _)| *stuck == step).map(|(_, time)| *time).sum()
    }
}

/// The workers that were abandoned. A worker whose thread has finished is no longer stuck.
#[derive(Default)]
pub struct StuckWorkers {
    reading: Vec<StuckWorker>,
    /// The workers that wait for the lock of a file.
    locking: Vec<(String, JoinHandle<()>)>,
    /// The time that each worker lost, by step: workers of this snapshot, and those that were stuck before it.
    waited: Vec<(usize, Duration)>,
}

struct StuckWorker {
    step: usize,
    subject: Subject,
    waited: Duration,
    thread: JoinHandle<()>,
}

impl StuckWorkers {
    /// Begins a snapshot: forgets the workers that are no longer stuck.
    pub(super) fn begin(&mut self) {
        self.forget_finished();
        self.waited = self.reading.iter().map(|worker| (worker.step, worker.waited)).collect();
    }

    /// Adds the thread of a worker that is stuck.
    pub(super) fn add(&mut self, step: usize, subject: Subject, waited: Duration, thread: JoinHandle<()>) {
        self.forget_finished();
        self.waited.push((step, waited));
        self.reading.push(StuckWorker { step, subject, waited, thread });
    }

    /// The skip list of the next worker.
    pub(super) fn skip_list(&self) -> SkipList {
        let entries = self.reading.iter().map(|worker| (worker.step, worker.subject)).collect();
        SkipList { entries, waited: self.waited.clone() }
    }

    /// Adds the thread of a worker that waits for the lock of a file.
    pub(super) fn add_locking(&mut self, file: String, thread: JoinHandle<()>) {
        self.locking.push((file, thread));
    }

    /// Whether a worker still waits for the lock of this file.
    pub(super) fn has_locking(&mut self, file: &str) -> bool {
        self.forget_finished();
        self.locking.iter().any(|(locked, _)| locked == file)
    }

    fn forget_finished(&mut self) {
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
    fn a_worker_is_on_the_list_until_it_returns() {
        const STEP: usize = 3;
        let (release, blocked) = channel::<()>();
        let stuck = thread::spawn(move || blocked.iter().for_each(drop));
        let subject = Subject { id: 7, generation: 100 };
        let recycled = Subject { generation: 200, ..subject };
        let mut workers = StuckWorkers::default();
        workers.begin();
        workers.add(STEP, subject, Duration::from_millis(50), stuck);
        let list = workers.skip_list();
        assert!(list.has(STEP, subject) && !list.has(STEP + 1, subject) && !list.has(STEP, recycled));
        assert!(list.has_step(STEP) && !list.has_step(STEP + 1));
        assert_eq!(list.waited(STEP), Duration::from_millis(50));
        // The worker is still stuck in the next snapshot.
        workers.begin();
        assert_eq!(workers.skip_list().waited(STEP), Duration::from_millis(50));

        drop(release);
        while !workers.reading[0].thread.is_finished() {
            thread::yield_now();
        }
        // The worker returned, but this snapshot has lost the time.
        workers.add(STEP + 1, recycled, Duration::ZERO, thread::spawn(|| ()));
        assert!(!workers.skip_list().has(STEP, subject));
        assert_eq!(workers.skip_list().waited(STEP), Duration::from_millis(50));
        workers.begin();
        assert_eq!(workers.skip_list().waited(STEP), Duration::ZERO);
    }
}
