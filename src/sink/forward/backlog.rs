//! Batches that the receiver has not acknowledged yet, in order, and how many records had to be dropped. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

/// How many bytes may wait, unless one batch is longer.
pub const MAX: usize = 8 * 1024 * 1024;

/// What is sent and acknowledged as one.
pub struct Batch {
    /// The message.
    pub message: Vec<u8>,
    /// The id that the acknowledgement repeats.
    pub chunk: String,
    /// How many records it has.
    pub count: usize,
}

/// Batches that wait.
#[derive(Default)]
pub struct Backlog {
    batches: VecDeque<Arc<Batch>>,
    bytes: usize,
    dropped: usize,
}

impl Backlog {
    /// Adds a batch. The oldest are dropped if all are too long together.
    pub fn push(&mut self, batch: Batch) {
        self.bytes += batch.message.len();
        self.batches.push_back(Arc::new(batch));
        while self.bytes > MAX && self.batches.len() > 1 {
            self.dropped += self.pop();
        }
    }

    /// The oldest batch.
    pub fn first(&self) -> Option<Arc<Batch>> {
        self.batches.front().cloned()
    }

    /// Removes the oldest batch. Returns how many records it had.
    pub fn pop(&mut self) -> usize {
        let Some(batch) = self.batches.pop_front() else { return 0 };
        self.bytes -= batch.message.len();
        batch.count
    }

    /// How many records wait.
    pub fn waiting(&self) -> usize {
        self.batches.iter().map(|batch| batch.count).sum()
    }

    /// How many records were dropped since this was last asked.
    pub fn take_dropped(&mut self) -> usize {
        std::mem::take(&mut self.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_dropped_and_counted() {
        let mut backlog = Backlog::default();
        let batch = |count, length| Batch { message: vec![0; length], chunk: String::new(), count };
        for count in 1..=4 {
            backlog.push(batch(count, MAX / 3));
        }
        assert_eq!((backlog.waiting(), backlog.take_dropped(), backlog.take_dropped()), (2 + 3 + 4, 1, 0));
        assert_eq!((backlog.pop(), backlog.first().unwrap().count), (2, 3));
        // One that is too long alone waits all the same.
        backlog.push(batch(5, MAX + 1));
        assert_eq!((backlog.take_dropped(), backlog.waiting()), (3 + 4, 5));
        assert_eq!((backlog.pop(), backlog.pop(), backlog.waiting()), (5, 0, 0));
    }
}
