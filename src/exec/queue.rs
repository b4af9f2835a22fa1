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
/// The places of the queue.
const RUNNING: usize = 0;
const EVENTS: usize = 1;

/// The kinds of readers. Each kind has its place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads programs that run already. There is one such reader.
    Running,
    /// Reads a share of the programs as they start.
    Events(usize),
}

impl Role {
    /// Its place in the queue.
    fn place(self) -> usize {
        match self {
            Role::Running => RUNNING,
            Role::Events(_) => EVENTS,
        }
    }

    /// Its place among all readers.
    fn index(self) -> usize {
        match self {
            Role::Running => 0,
            Role::Events(share) => share + 1,
        }
    }
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
pub struct Queue {
    inner: Mutex<Inner>,
    filled: Condvar,
    /// What each reader has in hand. A reader that begins must not wait for the writer: a program may end meanwhile.
    hands: Vec<Mutex<Hand>>,
}

struct Inner {
    places: [VecDeque<Capture>; 2],
    /// How many readers have not ended.
    readers: [usize; 2],
    /// How much each place has.
    bytes: [usize; 2],
    dropped: u64,
}

impl Inner {
    fn have_ended(&self) -> bool {
        self.readers == [0; 2]
    }

    /// Whether the writer may take events: none comes before the last program that ran already.
    fn may_take_events(&self) -> bool {
        self.readers[RUNNING] == 0
    }

    /// How much the writer may take now.
    fn takeable(&self) -> usize {
        self.bytes[RUNNING] + if self.may_take_events() { self.bytes[EVENTS] } else { 0 }
    }

    /// Whether the writer may take anything now.
    fn has_some(&self) -> bool {
        let [running, events] = &self.places;
        !running.is_empty() || self.may_take_events() && (!events.is_empty() || self.dropped > 0)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    /// The queue of so many readers of events, and one of programs that run already.
    pub fn new(shares: usize) -> Self {
        let inner = Inner { places: Default::default(), readers: [1, shares], bytes: [0; 2], dropped: 0 };
        let hands = (0..=shares).map(|_| Mutex::default()).collect();
        Queue { inner: Mutex::new(inner), filled: Condvar::new(), hands }
    }

    /// Notes what a reader takes in hand. False if it was replaced, and must end.
    pub fn begin(&self, reader: Reader, event: Event) -> bool {
        let mut hand = lock(&self.hands[reader.role.index()]);
        let is_current = hand.number == reader.number;
        if is_current {
            (hand.event, hand.count) = (Some(event), hand.count + 1);
        }
        is_current
    }

    /// Adds what a reader made of what it had in hand, if anything. False if it was replaced, and must end.
    pub fn put(&self, reader: Reader, capture: Option<Capture>) -> bool {
        let mut hand = lock(&self.hands[reader.role.index()]);
        if hand.number != reader.number {
            return false;
        }
        hand.event = None;
        drop(hand);
        let Some(capture) = capture else { return true };
        let mut inner = lock(&self.inner);
        // Programs that run already can wait to be read.
        while reader.role == Role::Running && inner.bytes[RUNNING] > MAX / 2 {
            drop(inner);
            thread::sleep(Duration::from_millis(5));
            inner = lock(&self.inner);
        }
        self.add(inner, reader.role, capture);
        true
    }

    fn add(&self, mut inner: MutexGuard<'_, Inner>, role: Role, capture: Capture) {
        let was_empty = !inner.has_some();
        let (place, size) = (role.place(), capture.size());
        // One must not use up the room of the other: events wait until the programs that ran already are written.
        if inner.bytes[place] + size > MAX {
            inner.dropped += capture.count();
            return;
        }
        let was_short = inner.takeable() < FULL;
        inner.bytes[place] += size;
        // Readers on several CPUs read several events at once. The last ones may come in another order.
        let captures = &mut inner.places[place];
        let later = captures.iter().rev().take_while(|other| other.monotonic > capture.monotonic).count();
        captures.insert(captures.len() - later, capture);
        // The writer sleeps until there is something, and then until there is much.
        if was_empty || was_short && inner.takeable() >= FULL {
            self.filled.notify_one();
        }
    }

    /// A reader of this kind has no more.
    pub fn end(&self, role: Role) {
        let mut inner = lock(&self.inner);
        let readers = &mut inner.readers[role.place()];
        *readers = readers.saturating_sub(1);
        self.filled.notify_one();
    }

    /// What the current reader of this kind has in hand.
    pub fn hand(&self, role: Role) -> Hand {
        *lock(&self.hands[role.index()])
    }

    /// Replaces the reader that is stuck with what it has in hand, if it still is. Adds what `make` makes of that event.
    /// Returns the next reader.
    pub fn replace(&self, role: Role, stuck: Hand, make: impl FnOnce(Event) -> Capture) -> Option<Reader> {
        let mut hand = lock(&self.hands[role.index()]);
        let event = hand.event.filter(|_| hand.count == stuck.count)?;
        hand.event = None;
        hand.number += 1;
        let number = hand.number;
        drop(hand);
        self.add(lock(&self.inner), role, make(event));
        Some(Reader { role, number })
    }

    /// Waits for something to write, and then a little for more.
    pub fn take(&self) -> Taken {
        let mut inner = lock(&self.inner);
        while !inner.has_some() && !inner.have_ended() {
            inner = self.filled.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        let since = Instant::now();
        while inner.takeable() < FULL && inner.dropped == 0 && !inner.have_ended() {
            let left = HOLD.saturating_sub(since.elapsed());
            if left.is_zero() {
                break;
            }
            inner = self.filled.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let mut taken = Taken::default();
        let (mut bytes, may_take_events) = ([0; 2], inner.may_take_events());
        while bytes[RUNNING] + bytes[EVENTS] < TAKEN_MAX {
            let [running, events] = &mut inner.places;
            let place = if running.is_empty() { EVENTS } else { RUNNING };
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
            taken.is_last = inner.have_ended();
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::decode::What;

    #[test]
    fn what_waits_is_in_the_order_of_its_time() {
        let queue = Queue::new(2);
        queue.end(Role::Running);
        for (share, at) in [(0, 10), (0, 30), (1, 20), (1, 40)] {
            let event = Event { what: What::Exec, pid: 1, at };
            let reader = Reader { role: Role::Events(share), number: 0 };
            assert!(queue.begin(reader, event) && queue.put(reader, Some(Capture::nothing(event))));
        }
        queue.end(Role::Events(0));
        queue.end(Role::Events(1));
        let taken = queue.take();
        let times: Vec<u64> = taken.captures.iter().map(|capture| capture.monotonic).collect();
        assert_eq!((times, taken.is_last), (vec![10, 20, 30, 40], true));
    }
}
