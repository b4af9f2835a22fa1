//! The watchdog: the main thread looks at the step that the worker is in, so that nothing hangs a snapshot. A worker that
//! is stuck is replaced, and the new one is told what to skip. This file reads and writes nothing itself.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};

use super::Request;
use super::beat::Signals;
use super::procfs::is_running;
use super::skip::{Blocking, ProcessId, StuckWorkers};
use super::worker::{End, Run, Step, Steps};
use crate::exit::{MayPass, Stop};

/// How often the main thread looks.
const TICK: Duration = Duration::from_millis(10);
/// How long a process's command line, or its other files, may take.
const READING_PATIENCE: Duration = Duration::from_millis(50);
/// How long the system's name services may take for one user: they may ask the network.
const NAMING_PATIENCE: Duration = Duration::from_secs(1);
/// How long stuck command lines may take in all before no process in uninterruptible sleep is asked for its command line.
const COMMANDS_PATIENCE: Duration = Duration::from_secs(1);
/// How long writing the lines in hand may take after a signal.
const GRACE: Duration = Duration::from_secs(2);
/// A worker's buffers are on the heap: many abandoned ones cost little.
const STACK: usize = 256 * 1024;

/// Writes one record per process to where they are to go.
///
/// # Errors
/// What ended the snapshot other than its own end: a failure, `timeout`, or a signal that left lines unwritten. With
/// repetition, `timeout` only bounds the time for which it waits to be the one that writes.
pub fn snapshot(request: Request, timeout: Duration, signals: &Signals, stuck: &mut StuckWorkers) -> Result<End, Stop> {
    let start = Instant::now();
    let repeats = request.repeats;
    // A slow reader of a stream is no failure.
    let mut limit = if repeats { Duration::MAX } else { timeout };
    let mut signal = None;
    let (send, finished) = channel();
    let run = Run::new(request);
    if stuck.has_locking(&run.place()) {
        return Err(locked(&run.place(), timeout));
    }
    let mut watch = Watch::start(run, send, stuck)?;
    loop {
        let left = limit.saturating_sub(start.elapsed());
        if let Some(result) = wait(&finished, TICK.min(left)) {
            return result.map(|end| End { signal, ..end });
        }
        let locked_out = watch.locked_out();
        match signal {
            // Who waits to write has no lines in hand.
            Some(_) if locked_out.is_some() => return Ok(End { signal, ..End::default() }),
            Some(number) if left.is_zero() => return Err(Stop::Signal(number)),
            None if repeats && locked_out >= Some(timeout) => return Err(watch.abandon_lock(timeout)),
            None if left.is_zero() => return Err(watch.overdue(timeout)),
            _ => watch.replace_if_stuck()?,
        }
        if signal.is_none() && signals.arrived().is_some() {
            signal = signals.arrived();
            limit = limit.min(start.elapsed() + GRACE);
            watch.run.stop.store(true, Ordering::Relaxed);
        }
    }
}

/// What is reported of a file whose lock did not come free.
fn locked(file: &str, timeout: Duration) -> Stop {
    let time = humantime::format_duration(timeout);
    let error = anyhow!(
        "{file} is locked by another process, and did not come free within --timeout {time}: end that one (fuser names \
         it) or allow more time"
    );
    Stop::MayPass(MayPass::Lock, error)
}

/// The result of the run, if it comes in time.
fn wait(finished: &Receiver<Result<End, Stop>>, time: Duration) -> Option<Result<End, Stop>> {
    match finished.recv_timeout(time) {
        Ok(result) => Some(result),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => Some(Err(anyhow!("the snapshot ended without a result").into())),
    }
}

/// The worker that is watched, and what is known of it.
struct Watch<'a> {
    run: Arc<Run>,
    finish: Sender<Result<End, Stop>>,
    worker: usize,
    steps: Arc<Steps>,
    thread: Option<JoinHandle<()>>,
    /// The number of the step last seen, and since when.
    seen: (u64, Instant),
    stuck: &'a mut StuckWorkers,
    /// How long stuck command lines were waited for: in this snapshot, and in earlier ones if they are stuck still.
    waited_for_commands: Duration,
}

impl<'a> Watch<'a> {
    fn start(run: Run, finish: Sender<Result<End, Stop>>, stuck: &'a mut StuckWorkers) -> anyhow::Result<Self> {
        let mut watch = Watch {
            run: Arc::new(run),
            finish,
            worker: 0,
            steps: Arc::default(),
            thread: None,
            seen: (0, Instant::now()),
            waited_for_commands: stuck.waited_for_commands(),
            stuck,
        };
        watch.spawn()?;
        Ok(watch)
    }

    fn spawn(&mut self) -> anyhow::Result<()> {
        self.steps = Arc::default();
        self.seen = (0, Instant::now());
        let (run, steps, finish) = (Arc::clone(&self.run), Arc::clone(&self.steps), self.finish.clone());
        let (worker, skip) = (self.worker, self.stuck.skip_list(self.waited_for_commands >= COMMANDS_PATIENCE));
        let work = move || {
            if let Some(result) = run.work(&steps, worker, &skip) {
                // The main thread is there as long as the process is.
                let _ = finish.send(result);
            }
        };
        self.thread = Some(thread::Builder::new().stack_size(STACK).spawn(work).context("cannot start a thread")?);
        Ok(())
    }

    /// The step that the worker is in, remembered with the time since when.
    fn look(&mut self) -> Step {
        let (step, number) = self.steps.now();
        if self.seen.0 != number {
            self.seen = (number, Instant::now());
        }
        step
    }

    /// Replaces the worker if it is stuck.
    fn replace_if_stuck(&mut self) -> anyhow::Result<()> {
        let (blocking, patience) = match self.look() {
            Step::Command => (Blocking::Command, READING_PATIENCE),
            Step::Files => (Blocking::Files, READING_PATIENCE),
            Step::Naming => (Blocking::Names, NAMING_PATIENCE),
            Step::Working | Step::Locking | Step::Writing => return Ok(()),
        };
        let (number, since) = self.seen;
        let waited = since.elapsed();
        // On a busy machine a worker may wait that long for a CPU, and that is no reason to give up.
        if waited < patience || is_running(self.steps.thread()) {
            return Ok(());
        }
        let Some(process) = self.take_over(number) else {
            return Ok(());
        };
        if blocking == Blocking::Command {
            self.waited_for_commands += waited;
        }
        if let Some(thread) = self.thread.take() {
            self.stuck.add(blocking, process, waited, thread);
        }
        self.spawn()
    }

    /// Takes the snapshot out of the hands of the worker, if it is still in the step of that number: the process that
    /// it is stuck with.
    fn take_over(&mut self, number: u64) -> Option<ProcessId> {
        let mut progress = self.run.progress()?;
        let starttime = self.steps.starttime();
        let pid = progress.in_hand.filter(|_| self.steps.now().1 == number)?;
        self.worker += 1;
        progress.worker = self.worker;
        Some(ProcessId { pid, starttime })
    }

    /// How long the worker has waited to be the one that writes; none if it does not.
    fn locked_out(&mut self) -> Option<Duration> {
        (self.look() == Step::Locking).then(|| self.seen.1.elapsed())
    }

    /// Gives up waiting for a lock. The worker cannot be woken: it ends once it has the lock, and writes nothing.
    fn abandon_lock(&mut self, timeout: Duration) -> Stop {
        self.run.stop.store(true, Ordering::Relaxed);
        let file = self.run.place();
        if let Some(thread) = self.thread.take() {
            self.stuck.add_locking(file.clone(), thread);
        }
        locked(&file, timeout)
    }

    /// What took longer than `timeout`.
    fn overdue(&self, timeout: Duration) -> Stop {
        let time = humantime::format_duration(timeout);
        let place = self.run.place();
        let doing = match self.steps.now().0 {
            Step::Working => "reading processes",
            Step::Command => "reading a command line",
            Step::Files => "reading what a process uses",
            Step::Naming => "asking the system for a name",
            Step::Writing => &format!("writing to {place}"),
            Step::Locking => return locked(&place, timeout),
        };
        Stop::Timeout(format!("timed out after {time} while {doing}"))
    }
}
