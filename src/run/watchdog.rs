//! The watchdog: the main thread checks the worker's step, so that nothing hangs a snapshot. It replaces a worker that
//! is stuck, and gives the new one a skip list. This file reads and writes nothing itself.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};

use super::job::{AnyJob, Carry, Control, End, Turn, Worker};
use super::signals::Signals;
use super::steps::{FIRST, LOCKING, Step, Steps, WRITING};
use super::stuck::{StuckWorkers, Subject};
use crate::exit::{Outcome, Transient};
use crate::procfs;

/// How often the main thread checks the worker.
const TICK: Duration = Duration::from_millis(10);
/// How long writing the remaining lines may take after a signal.
const GRACE: Duration = Duration::from_secs(2);
/// The stack size of a worker. It is small, because buffers are on the heap: many abandoned workers cost little.
const STACK: usize = 256 * 1024;

type Finished = Result<End<Carry>, Outcome>;

/// Takes one snapshot.
///
/// # Errors
/// If a failure, the `timeout`, or a signal that leaves lines unwritten ends the snapshot. In a run that repeats,
/// `timeout` only limits the wait for a lock.
pub fn watch(
    job: Box<dyn AnyJob>,
    turn: Turn,
    destination: String,
    timeout: Duration,
    signals: &Signals,
    stuck: &mut StuckWorkers,
) -> Finished {
    let start = Instant::now();
    // In a run that repeats, a slow reader of the records is not a failure.
    let mut limit = if turn.repeats { Duration::MAX } else { timeout };
    let mut signal = None;
    if stuck.has_locking(&destination) {
        return Err(locked(&destination, timeout));
    }
    stuck.begin();
    let (send, finished) = channel();
    let mut watched = Watched::start(job, destination, send, stuck)?;
    loop {
        let left = limit.saturating_sub(start.elapsed());
        if let Some(result) = wait(&finished, TICK.min(left)) {
            return result.map(|end| End { signal, ..end });
        }
        let locked_out = watched.locked_out();
        match signal {
            // A worker that waits for the lock has no lines to write.
            Some(_) if locked_out.is_some() => return Ok(End { signal, ..End::default() }),
            Some(number) if left.is_zero() => return Err(Outcome::Signal(number)),
            None if turn.repeats && locked_out >= Some(timeout) => return Err(watched.abandon_lock(timeout)),
            None if left.is_zero() => return Err(watched.overdue(timeout)),
            _ => watched.replace_if_stuck()?,
        }
        if signal.is_none() && signals.arrived().is_some() {
            signal = signals.arrived();
            limit = limit.min(start.elapsed() + GRACE);
            watched.shared.control.stop();
        }
    }
}

/// The outcome when the lock of a file does not come free in time.
fn locked(file: &str, timeout: Duration) -> Outcome {
    let time = humantime::format_duration(timeout);
    let error = anyhow!(
        "{file} is locked by another process, and did not come free within --timeout {time}: end that process \
         (fuser shows it) or raise --timeout"
    );
    Outcome::Transient(Transient::Lock, error)
}

/// The result of the snapshot, if it arrives within `time`.
fn wait(finished: &Receiver<Finished>, time: Duration) -> Option<Finished> {
    match finished.recv_timeout(time) {
        Ok(result) => Some(result),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => Some(Err(anyhow!("the snapshot ended without a result").into())),
    }
}

/// The state that the workers of a snapshot and the watchdog share.
struct SharedState {
    job: Box<dyn AnyJob>,
    control: Control,
}

/// The current worker, and what the watchdog knows about it.
struct Watched<'a> {
    shared: Arc<SharedState>,
    finish: Sender<Finished>,
    number: usize,
    steps: Arc<Steps>,
    thread: Option<JoinHandle<()>>,
    /// The number of the step last seen, and when it was first seen.
    seen: (u64, Instant),
    stuck: &'a mut StuckWorkers,
}

impl<'a> Watched<'a> {
    fn start(
        job: Box<dyn AnyJob>,
        destination: String,
        finish: Sender<Finished>,
        stuck: &'a mut StuckWorkers,
    ) -> anyhow::Result<Self> {
        let shared = Arc::new(SharedState { job, control: Control::new(destination) });
        let (steps, seen) = (Arc::default(), (0, Instant::now()));
        let mut watched = Watched { shared, finish, number: 0, steps, thread: None, seen, stuck };
        watched.spawn()?;
        Ok(watched)
    }

    fn spawn(&mut self) -> anyhow::Result<()> {
        self.steps = Arc::default();
        self.seen = (0, Instant::now());
        let (shared, steps, finish) = (Arc::clone(&self.shared), Arc::clone(&self.steps), self.finish.clone());
        let (number, skip) = (self.number, self.stuck.skip_list());
        let work = move || {
            steps.begin();
            let worker = Worker { number, steps: &steps, skip: &skip, control: &shared.control };
            if let Some(result) = shared.job.work(&worker) {
                // Sending cannot fail: the main thread lives as long as the process.
                let _ = finish.send(result);
            }
        };
        self.thread = Some(thread::Builder::new().stack_size(STACK).spawn(work).context("cannot start a thread")?);
        Ok(())
    }

    /// Returns the worker's current step, and remembers when it was first seen.
    fn look(&mut self) -> usize {
        let (step, number) = self.steps.now();
        if self.seen.0 != number {
            self.seen = (number, Instant::now());
        }
        step
    }

    /// Replaces the worker if it is stuck.
    fn replace_if_stuck(&mut self) -> anyhow::Result<()> {
        let step = self.look();
        let Some(patience) = self.own_step(step).and_then(|step| step.patience) else {
            return Ok(());
        };
        let (seen, since) = self.seen;
        let waited = since.elapsed();
        // On a busy machine, a worker may wait this long for a CPU. Such a worker is not stuck.
        if waited < patience || procfs::is_running(self.steps.thread()) {
            return Ok(());
        }
        let steps = &self.steps;
        let Some(id) = self.shared.job.take_over(self.number + 1, &|| steps.now().1 == seen) else {
            return Ok(());
        };
        self.number += 1;
        let subject = Subject { id, generation: steps.generation() };
        if let Some(thread) = self.thread.take() {
            self.stuck.add(step, subject, waited, thread);
        }
        self.spawn()
    }

    /// How long the worker has waited for the lock. None if it is not waiting for it.
    fn locked_out(&mut self) -> Option<Duration> {
        (self.look() == LOCKING).then(|| self.seen.1.elapsed())
    }

    /// Stops waiting for a lock. The worker cannot be woken. It ends when it gets the lock, and writes nothing.
    fn abandon_lock(&mut self, timeout: Duration) -> Outcome {
        self.shared.control.stop();
        let file = self.shared.control.destination();
        if let Some(thread) = self.thread.take() {
            self.stuck.add_locking(file.clone(), thread);
        }
        locked(&file, timeout)
    }

    /// The outcome when the snapshot exceeds `timeout`.
    fn overdue(&self, timeout: Duration) -> Outcome {
        let time = humantime::format_duration(timeout);
        let destination = self.shared.control.destination();
        let doing = match self.steps.now().0 {
            LOCKING => return locked(&destination, timeout),
            WRITING => format!("writing to {destination}"),
            step => {
                let doing = self.own_step(step).map_or("", |step| step.doing);
                format!("{doing} {}", self.shared.control.subject()).trim_end().to_owned()
            }
        };
        Outcome::Timeout(format!("timed out after {time} while {doing}"))
    }

    /// The job's own step with this number.
    fn own_step(&self, step: usize) -> Option<&'static Step> {
        self.shared.job.steps().get(step.checked_sub(FIRST)?)
    }
}
