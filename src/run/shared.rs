//! What the workers of a snapshot share. One that was replaced may come back at any time, so only the current worker
//! may change it.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A value that the current worker has to itself while it holds the lock.
pub struct Shared<T>(Mutex<Held<T>>);

/// The value, and whose it is.
pub struct Held<T> {
    worker: usize,
    value: T,
}

impl<T> Shared<T> {
    /// The value is worker number 0's.
    pub fn new(value: T) -> Self {
        Shared(Mutex::new(Held { worker: 0, value }))
    }

    /// The value; none if another worker took over.
    pub fn lock(&self, worker: usize) -> Option<MutexGuard<'_, Held<T>>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (held.worker == worker).then_some(held)
    }

    /// Gives the value to worker number `next`, unless the present one is about to change it: what `of` finds in it.
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
    fn only_the_current_worker_has_it() {
        let shared = Shared::new(7);
        // Not while the worker holds it, nor without a reason.
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
