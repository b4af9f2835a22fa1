//! A value that the workers of a snapshot share. A worker that was replaced may return at any time, so only the current
//! worker may change the value.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A value that only the current worker can lock.
pub struct Shared<T>(Mutex<Held<T>>);

/// The value, and the number of the current worker.
pub struct Held<T> {
    worker: usize,
    value: T,
}

impl<T> Shared<T> {
    /// A value that belongs to worker 0.
    pub fn new(value: T) -> Self {
        Shared(Mutex::new(Held { worker: 0, value }))
    }

    /// Locks the value. None if another worker took over.
    pub fn lock(&self, worker: usize) -> Option<MutexGuard<'_, Held<T>>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (held.worker == worker).then_some(held)
    }

    /// Gives the value to worker `next` if `of` finds something in it, and returns that. None if the current worker
    /// holds the lock.
    pub fn take_over<R>(&self, next: usize, of: impl FnOnce(&T) -> Option<R>) -> Option<R> {
        let mut held = self.0.try_lock().ok()?;
        let found = of(&held.value)?;
        held.worker = next;
        Some(found)
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Held<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_current_worker_can_lock_it() {
        let shared = Shared::new(7);
        // No worker takes over while another holds the lock, or if `of` finds nothing.
        let held = shared.lock(0).unwrap();
        assert_eq!(shared.take_over(1, |value| Some(*value)), None);
        drop(held);
        assert_eq!(shared.take_over(1, |_| None::<i32>), None);
        assert!(shared.lock(0).is_some());

        assert_eq!(shared.take_over(1, |value| Some(*value)), Some(7));
        assert!(shared.lock(0).is_none());
        **shared.lock(1).unwrap() = 8;
        assert_eq!(**shared.lock(1).unwrap(), 8);
    }
}
