//! Locks that ignore poison.
//!
//! The standard library poisons a lock when a thread panics while it holds the lock, because the
//! value may be half changed. Here every lock is held for a few statements of this project that
//! change a map, a count or an option in one step and call nobody else's code. So a panic cannot
//! leave the value half changed, and one worker's panic must not take the routing table from all
//! others. Where a panic under the lock matters, as in the sealing half of a secure channel, the
//! standard lock is used and its poison is checked.

use std::sync::{
    Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError,
};

/// A value that one thread at a time uses.
#[derive(Debug, Default)]
pub struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    /// A lock around `value`.
    pub const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Waits until nobody else uses the value.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value, unless somebody uses it now.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(value) => Some(value),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// A value that many threads read, or one changes.
#[derive(Debug, Default)]
pub struct SharedLock<T>(RwLock<T>);

impl<T> SharedLock<T> {
    /// A lock around `value`.
    pub const fn new(value: T) -> Self {
        Self(RwLock::new(value))
    }

    /// Waits until nobody changes the value.
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody else uses the value.
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        panic::{catch_unwind, AssertUnwindSafe},
        thread,
    };

    use super::*;

    #[test]
    fn a_panicking_holder_does_not_poison_the_value() {
        let (lock, shared) = (Lock::new(1), SharedLock::new(2));
        let panicking = catch_unwind(AssertUnwindSafe(|| {
            let (_one, _two) = (lock.lock(), shared.write());
            panic!("a holder with a bug");
        }));
        assert!(panicking.is_err());
        thread::scope(|scope| {
            scope.spawn(|| assert_eq!((*lock.lock(), *shared.read()), (1, 2)));
        });
    }
}
