//! The queue between the threads that read processes and the thread that writes records. It is bounded in bytes: what has no
//! room is counted. Programs that ran already come first. It also knows which process each reader has in hand, so that a
//! reader that is stuck can be replaced.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::capture::Capture;
use super::decode::Event;

/// How much each place of the queue holds.
const MAX: usize = 8 << 20;
/// How much is taken from it at once: what is taken is in memory several times.
const TAKEN_MAX: usize = 64 * 1024;
/// How long an event may wait for others, so that they are written together.
const HOLD: Duration = Duration::from_millis(100);
/// With so much, no event waits.
const FULL: usize = 48 * 1024;

/// The kinds of readers. Each has its place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads programs that run already.
    Running,
    /// Reads programs as they start.
    Events,
}

/// Which reader it is: a number is greater than the numbers of those that it replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reader {
    /// What it reads.
    pub role: Role,
    /// How many readers there were before it.
    pub number: usize,
}

/// What a reader does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hand {
    /// The event whose process it reads.
    pub event: Option<Event>,
    /// Different for each event.
    pub count: u64,
    /// The number of the current reader.
    number: usize,
}

/// What the writer takes from the queue.
#[derive(Default)]
pub struct Taken {
    /// What was read, in its order.
    pub captures: Vec<Capture>,
    /// How many more had no room.
    pub dropped: u64,
    /// Whether nothing more will come.
    pub is_last: bool,
}

/// The queue.
#[derive(Default)]
pub struct Queue {
    inner: Mutex<Inner>,
    filled: Condvar,
}

#[derive(Default)]
struct Inner {
    places: [VecDeque<Capture>; 2],
    hands: [Hand; 2],
    has_ended: [bool; 2],
    /// How much each place has.
    bytes: [usize; 2],
    dropped: u64,
}

impl Inner {
    /// How much the writer may take now.
    fn takeable(&self) -> usize {
        let [running, events] = self.bytes;
        running + if self.has_ended[Role::Running as usize] { events } else { 0 }
    }

    /// What the writer may take now: no event before the last program that ran already.
    fn has_some(&self) -> bool {
        let [running, events] = &self.places;
        !running.is_empty() || self.has_ended[Role::Running as usize] && (!events.is_empty() || self.dropped > 0)
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a reader takes in hand. False if it was replaced, and must end.
    pub fn begin(&self, reader: Reader, event: Event) -> bool {
        let hand = &mut self.lock().hands[reader.role as usize];
        let is_current = hand.number == reader.number;
        if is_current {
            (hand.event, hand.count) = (Some(event), hand.count + 1);
        }
        is_current
    }

    /// Adds what a reader made of what it had in hand, if anything. False if it was replaced, and must end.
    pub fn put(&self, reader: Reader, capture: Option<Capture>) -> bool {
        let mut inner = self.lock();
        let hand = &mut inner.hands[reader.role as usize];
        if hand.number != reader.number {
            return false;
        }
        hand.event = None;
        let Some(capture) = capture else { return true };
        // Programs that run already can wait to be read.
        while reader.role == Role::Running && inner.bytes[reader.role as usize] > MAX / 2 {
            drop(inner);
            thread::sleep(Duration::from_millis(5));
            inner = self.lock();
        }
        self.add(inner, reader.role, capture);
        true
    }

    fn add(&self, mut inner: MutexGuard<'_, Inner>, role: Role, capture: Capture) {
        let was_empty = !inner.has_some();
        let size = capture.size();
        // One must not use up the room of the other: events wait until the programs that ran already are written.
        if inner.bytes[role as usize] + size > MAX {
            inner.dropped += capture.count();
            return;
        }
        let was_short = inner.takeable() < FULL;
        inner.bytes[role as usize] += size;
        inner.places[role as usize].push_back(capture);
        // The writer sleeps until there is something, and then until there is much.
        if was_empty || was_short && inner.takeable() >= FULL {
            self.filled.notify_one();
        }
    }

    /// A reader of this kind has no more.
    pub fn end(&self, role: Role) {
        self.lock().has_ended[role as usize] = true;
        self.filled.notify_one();
    }

    /// What the current reader of this kind has in hand.
    pub fn hand(&self, role: Role) -> Hand {
        self.lock().hands[role as usize]
    }

    /// Replaces the reader that is stuck with what it has in hand, if it still is. Adds what `make` makes of that event.
    /// Returns the next reader.
    pub fn replace(&self, role: Role, stuck: Hand, make: impl FnOnce(Event) -> Capture) -> Option<Reader> {
        let mut inner = self.lock();
        let hand = &mut inner.hands[role as usize];
        let event = hand.event.filter(|_| hand.count == stuck.count)?;
        hand.event = None;
        hand.number += 1;
        let number = hand.number;
        self.add(inner, role, make(event));
        Some(Reader { role, number })
    }

    /// Waits for something to write, and then a little for more.
    pub fn take(&self) -> Taken {
        let mut inner = self.lock();
        while !inner.has_some() && inner.has_ended != [true; 2] {
            inner = self.filled.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        let since = Instant::now();
        while inner.takeable() < FULL && inner.dropped == 0 && inner.has_ended != [true; 2] {
            let left = HOLD.saturating_sub(since.elapsed());
            if left.is_zero() {
                break;
            }
            inner = self.filled.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let mut taken = Taken::default();
        let (mut bytes, may_take_events) = ([0; 2], inner.has_ended[Role::Running as usize]);
        while bytes[0] + bytes[1] < TAKEN_MAX {
            let [running, events] = &mut inner.places;
            let place = usize::from(running.is_empty());
            let next = running.pop_front().or_else(|| if may_take_events { events.pop_front() } else { None });
            let Some(capture) = next else { break };
            bytes[place] += capture.size();
            taken.captures.push(capture);
        }
        for (left, taken) in inner.bytes.iter_mut().zip(bytes) {
            *left = left.saturating_sub(taken);
        }
        let is_empty = inner.places.iter().all(VecDeque::is_empty);
        // What had no room came after what had.
        if is_empty {
            taken.dropped = std::mem::take(&mut inner.dropped);
            taken.is_last = inner.has_ended == [true; 2];
        }
        taken
    }
}
