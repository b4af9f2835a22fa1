//! Runs `procline exec`: starts the threads, and watches them. A reader that is stuck in a read is replaced. The main thread ends
//! the run when a signal arrives, or when nobody reads what is written.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::stdout;
use sd_notify::NotifyState;

use super::capture::{Capture, Capturer};
use super::connector::{Connector, Next, Stop, monotonic};
use super::decode::{Event, What};
use super::queue::{Hand, Queue, Reader, Role};
use super::request::Request;
use super::share::Share;
use super::writer::{Ending, Recorder};
use crate::exit::Outcome;
use crate::procfs::{self, Pids, Procfs};
use crate::run::Signals;
use crate::sink::Destination;
use crate::sys;

/// How often the main thread looks at the others.
const TICK: Duration = Duration::from_millis(200);
/// How long the line in hand may take at the end.
const GRACE: Duration = Duration::from_secs(2);
/// How long all lines may take at the end.
const GRACE_MAX: Duration = Duration::from_secs(20);
/// How many readers may be stuck at once.
const STUCK_MAX: usize = 128;
/// The stack of a reader. Its buffers are on the heap.
const STACK: usize = 256 * 1024;

/// Writes a record for each program that starts, until a signal arrives.
///
/// # Errors
/// If the kernel sends no events, or if records cannot be written.
pub fn run(request: Request) -> Result<(), Outcome> {
    let signals = Signals::register()?;
    let view = request.plan.roots.open()?;
    let shares = Share::all();
    let connect = |share| Connector::subscribe(share, request.buffer, request.exits).map(|it| Mutex::new(Some(it)));
    let connectors = shares.iter().map(connect).collect::<anyhow::Result<_>>()?;
    let stream = Arc::new(Stream {
        queue: Queue::new(shares.len()),
        procfs: Arc::new(request.plan.roots.open()?.procfs),
        connectors,
        running: Mutex::new(request.start_snapshot.then(|| view.procfs.pids()).transpose()?),
        stop: Stop::new()?,
        failure: Mutex::default(),
        request: Arc::new(request),
        shares,
    });
    let ending = Arc::new(Ending::default());
    let (of_writer, its_ending) = (Arc::clone(&stream), Arc::clone(&ending));
    let write = move || Recorder::new(&view, Arc::clone(&of_writer.request), &its_ending).run(&of_writer.queue);
    let writer = thread::Builder::new().spawn(write).context("cannot start a thread")?;
    let (mut watched, mut stuck) = (Vec::new(), Vec::new());
    for role in (0..stream.shares.len()).map(Role::Events).chain([Role::Running]) {
        watched.push(Watched::start(&stream, Reader { role, number: 0 })?);
    }
    // No manager is no failure.
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    let mut alive = Alive::new();
    let signal = loop {
        if writer.is_finished() || stream.reader_is_gone() {
            break None;
        }
        if !signals.sleep(TICK) {
            break signals.arrived();
        }
        let mut all_read = true;
        for watched in &mut watched {
            all_read &= watched.replace_if_stuck(&stream, &mut stuck)?;
        }
        if all_read {
            alive.tell();
        }
    };
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    ending.is_stopped.store(true, Ordering::Relaxed);
    stream.stop.stop();
    // A connector unsubscribes when its reader ends.
    let (begin, mut seen) = (Instant::now(), (0, Instant::now()));
    let have_ended = || writer.is_finished() && watched.iter().all(|watched| watched.thread.is_finished());
    while !have_ended() && seen.1.elapsed() < GRACE && begin.elapsed() < GRACE_MAX {
        thread::sleep(Duration::from_millis(1));
        let progress = ending.progress.load(Ordering::Relaxed);
        if progress != seen.0 {
            seen = (progress, Instant::now());
        }
    }
    match (writer.is_finished(), signal) {
        (true, _) => {
            let lost = |_| Err(anyhow!("the writer ended without a result").into());
            writer.join().unwrap_or_else(lost).and(stream.failure())
        }
        // Lines are left.
        (false, Some(number)) => Err(Outcome::Signal(number)),
        (false, None) => Ok(()),
    }
}

/// What the threads share.
struct Stream {
    request: Arc<Request>,
    queue: Queue,
    procfs: Arc<Procfs>,
    shares: Vec<Share>,
    /// One for each share. None once its reader has ended.
    connectors: Vec<Mutex<Option<Connector>>>,
    /// What remains of the programs that ran already.
    running: Mutex<Option<Pids>>,
    stop: Stop,
    failure: Mutex<Option<anyhow::Error>>,
}

impl Stream {
    /// Reads the processes of one event after the other, until there are no more, or until it is replaced.
    fn read(&self, reader: Reader) {
        if let Role::Events(share) = reader.role {
            self.shares[share].move_there();
            if !(self.request.realtime && sys::run_realtime()) {
                sys::run_soon();
            }
        }
        let mut capturer = Capturer::new(Arc::clone(&self.procfs), Arc::clone(&self.request));
        loop {
            let capture = match self.next(reader.role) {
                Ok(Next::Event(event)) => {
                    if !self.queue.begin(reader, event) {
                        return;
                    }
                    capturer.capture(event)
                }
                Ok(Next::Lost(count)) => Some(Capture::lost(count)),
                Ok(Next::End) => break,
                Err(error) => {
                    let error = error.context("cannot receive the kernel's events");
                    *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    // Without a share of the events, the others are not worth much.
                    self.stop.stop();
                    break;
                }
            };
            if !self.queue.put(reader, capture) {
                return;
            }
        }
        if let Role::Events(share) = reader.role {
            // Unsubscribe.
            drop(self.connectors[share].lock().unwrap_or_else(PoisonError::into_inner).take());
        }
        self.queue.end(reader.role);
    }

    fn next(&self, role: Role) -> anyhow::Result<Next> {
        match role {
            Role::Events(share) => match &mut *self.connectors[share].lock().unwrap_or_else(PoisonError::into_inner) {
                Some(connector) => Ok(connector.next(&self.stop)?),
                None => Ok(Next::End),
            },
            Role::Running => {
                let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
                let pid = running.as_mut().map_or(Ok(None), Pids::next)?;
                Ok(pid.map_or(Next::End, |pid| Next::Event(Event { what: What::Running, pid, at: monotonic() })))
            }
        }
    }

    /// Whether standard output is a pipe that nobody reads any more. A program that waits for events would not notice.
    fn reader_is_gone(&self) -> bool {
        let mut descriptors = [PollFd::from_borrowed_fd(stdout(), PollFlags::empty())];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        matches!(self.request.plan.output.destination, Destination::Stdout)
            && poll(&mut descriptors, Some(&now)).is_ok()
            && descriptors[0].revents().contains(PollFlags::ERR)
    }

    fn failure(&self) -> Result<(), Outcome> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure.map_or(Ok(()), |error| Err(Outcome::Failure(error)))
    }
}

/// A reader, and what it had in hand at the last look.
struct Watched {
    role: Role,
    thread: JoinHandle<()>,
    id: Arc<AtomicI32>,
    seen: Hand,
}

impl Watched {
    fn start(stream: &Arc<Stream>, reader: Reader) -> anyhow::Result<Self> {
        let id = Arc::new(AtomicI32::new(0));
        let (stream, own_id) = (Arc::clone(stream), Arc::clone(&id));
        let read = move || {
            own_id.store(rustix::thread::gettid().as_raw_nonzero().get(), Ordering::Relaxed);
            stream.read(reader);
        };
        let thread = thread::Builder::new().stack_size(STACK).spawn(read).context("cannot start a thread")?;
        Ok(Watched { role: reader.role, thread, id, seen: Hand::default() })
    }

    /// Replaces the reader if it has had the same process in hand since the last look, and waits. It is then among those that
    /// are `stuck`. False if these are too many.
    fn replace_if_stuck(&mut self, stream: &Arc<Stream>, stuck: &mut Vec<JoinHandle<()>>) -> anyhow::Result<bool> {
        let hand = stream.queue.hand(self.role);
        let is_same = hand.event.is_some() && hand.count == self.seen.count;
        self.seen = hand;
        // On a busy machine, a reader may wait for a CPU.
        if !is_same || procfs::is_running(self.id.load(Ordering::Relaxed)) {
            return Ok(true);
        }
        stuck.retain(|thread| !thread.is_finished());
        if stuck.len() == STUCK_MAX {
            return Ok(false);
        }
        if let Some(reader) = stream.queue.replace(self.role, hand, Capture::nothing) {
            let next = Watched::start(stream, reader)?;
            stuck.push(std::mem::replace(&mut self.thread, next.thread));
            self.id = next.id;
        }
        Ok(true)
    }
}

/// Tells the service manager that this still runs.
struct Alive {
    every: Option<Duration>,
    told: Instant,
}

impl Alive {
    fn new() -> Self {
        // A manager wants to hear it twice in its time.
        Alive { every: sd_notify::watchdog_enabled().map(|time| time / 2), told: Instant::now() }
    }

    fn tell(&mut self) {
        if self.every.is_some_and(|every| self.told.elapsed() + TICK >= every) {
            self.told = Instant::now();
            let _ = sd_notify::notify(&[NotifyState::Watchdog]);
        }
    }
}
