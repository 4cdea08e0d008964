//! A value that one side changes, while others watch it and wait for changes.
//!
//! It is used like tokio's channel `watch`. That one wakes its waiters in random order, so that a
//! simulated network would not run identically twice; this one wakes them in the order in which
//! they began to wait.
//!
//! ```
//! # futures::executor::block_on(async {
//! use ockam_actix_runtime::watched;
//!
//! let temperature = watched::Sender::new(18);
//! let mut watching = temperature.subscribe();
//! temperature.send_replace(25);
//! assert_eq!(*watching.wait_for(|degrees| *degrees > 20).await?, 25);
//! # Ok::<(), watched::SenderGone>(())
//! # }).unwrap();
//! ```

use std::{
    fmt,
    ops::Deref,
    sync::{
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        Arc, RwLockReadGuard,
    },
};

use tokio::sync::Notify;

use crate::lock::SharedLock;

/// Changes the value. Dropping it ends the wait of all.
pub struct Sender<T>(Arc<Shared<T>>);

/// Watches the value.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    /// The version of the value that it has seen.
    seen: u64,
}

struct Shared<T> {
    value: SharedLock<T>,
    version: AtomicU64,
    receivers: AtomicUsize,
    is_closed: AtomicBool,
    changed: Notify,
}

/// The value at this moment; it cannot change while this is held.
pub struct Ref<'a, T>(RwLockReadGuard<'a, T>);

/// Nobody can change the value any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what was watched is gone")]
pub struct SenderGone;

/// A value, and the first who watches it.
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let sender = Sender::new(value);
    let receiver = sender.subscribe();
    (sender, receiver)
}

impl<T> Sender<T> {
    /// A value that nobody watches yet.
    pub fn new(value: T) -> Self {
        Self(Arc::new(Shared {
            value: SharedLock::new(value),
            version: AtomicU64::new(0),
            receivers: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
            changed: Notify::new(),
        }))
    }

    /// The value.
    pub fn borrow(&self) -> Ref<'_, T> {
        Ref(self.0.value.read())
    }

    /// Changes the value, and wakes all who wait.
    pub fn send_modify(&self, change: impl FnOnce(&mut T)) {
        self.send_if_modified(|value| {
            change(value);
            true
        });
    }

    /// Changes the value; wakes all who wait if `change` says so, and returns that.
    pub fn send_if_modified(&self, change: impl FnOnce(&mut T) -> bool) -> bool {
        let modified = {
            let mut value = self.0.value.write();
            let modified = change(&mut value);
            if modified {
                self.0.version.fetch_add(1, Ordering::AcqRel);
            }
            modified
        };
        if modified {
            self.0.changed.notify_waiters();
        }
        modified
    }

    /// Puts another value in the place of this one, which is returned, and wakes all who wait.
    pub fn send_replace(&self, mut value: T) -> T {
        self.send_modify(|current| std::mem::swap(current, &mut value));
        value
    }

    /// Watches the value from now on.
    pub fn subscribe(&self) -> Receiver<T> {
        self.0.receivers.fetch_add(1, Ordering::AcqRel);
        Receiver { shared: self.0.clone(), seen: self.0.version.load(Ordering::Acquire) }
    }

    /// How many watch.
    pub fn receiver_count(&self) -> usize {
        self.0.receivers.load(Ordering::Acquire)
    }

    /// Whether nobody watches.
    pub fn is_closed(&self) -> bool {
        self.receiver_count() == 0
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.is_closed.store(true, Ordering::Release);
        self.0.changed.notify_waiters();
    }
}

impl<T> Shared<T> {
    /// Waits until the value has another version than `seen`, and notes it there.
    async fn changed(&self, seen: &mut u64) -> Result<(), SenderGone> {
        loop {
            // Before the check, so that no change in between is missed.
            let changed = self.changed.notified();
            let is_closed = self.is_closed.load(Ordering::Acquire);
            let version = self.version.load(Ordering::Acquire);
            if version != *seen {
                *seen = version;
                return Ok(());
            }
            if is_closed {
                return Err(SenderGone);
            }
            changed.await;
        }
    }
}

impl<T> Receiver<T> {
    /// The value, without noting that it was seen.
    pub fn borrow(&self) -> Ref<'_, T> {
        Ref(self.shared.value.read())
    }

    /// The value, which counts as seen.
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        let value = self.shared.value.read();
        // Nobody changes the version while the value is held.
        self.seen = self.shared.version.load(Ordering::Acquire);
        Ref(value)
    }

    /// Waits until the value is another than the one that was seen last.
    ///
    /// # Errors
    /// If it is not, and nobody can change it any more.
    pub async fn changed(&mut self) -> Result<(), SenderGone> {
        self.shared.changed(&mut self.seen).await
    }

    /// Waits until the value is as `condition` wants it; it counts as seen then.
    ///
    /// # Errors
    /// If it is not, and nobody can change it any more.
    pub async fn wait_for(
        &mut self,
        mut condition: impl FnMut(&T) -> bool,
    ) -> Result<Ref<'_, T>, SenderGone> {
        let Self { shared, seen } = self;
        loop {
            {
                let value = shared.value.read();
                *seen = shared.version.load(Ordering::Acquire);
                if condition(&value) {
                    return Ok(Ref(value));
                }
            }
            shared.changed(seen).await?;
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.shared.receivers.fetch_add(1, Ordering::AcqRel);
        Self { shared: self.shared.clone(), seen: self.seen }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.receivers.fetch_sub(1, Ordering::AcqRel);
    }
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: fmt::Debug> fmt::Debug for Ref<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: fmt::Debug> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sender").field(&*self.borrow()).finish()
    }
}

impl<T: fmt::Debug> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receiver").field(&*self.borrow()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, pin::pin};

    use futures::{executor::block_on, future::join_all, poll};

    use super::*;

    #[test]
    fn those_who_wait_see_the_last_change() {
        block_on(async {
            let (sender, mut receiver) = channel(1);
            assert!(poll!(pin!(receiver.changed())).is_pending());
            sender.send_replace(2);
            assert!(!sender.send_if_modified(|_| false));
            sender.send_modify(|value| *value += 1);
            receiver.changed().await.unwrap();
            assert_eq!(*receiver.borrow(), 3);
            assert!(poll!(pin!(receiver.changed())).is_pending());
            let mut waiting = receiver.clone();
            let mut waiting = pin!(waiting.wait_for(|value| *value == 4));
            assert!(poll!(&mut waiting).is_pending());
            sender.send_replace(4);
            assert_eq!(*waiting.await.unwrap(), 4);
        });
    }

    #[test]
    fn the_end_of_the_sender_ends_the_wait() {
        block_on(async {
            let (sender, mut receiver) = channel(1);
            sender.send_replace(2);
            drop(sender);
            assert_eq!(receiver.changed().await, Ok(()), "the change before it is seen");
            assert_eq!(receiver.changed().await, Err(SenderGone));
            assert_eq!(*receiver.wait_for(|value| *value == 2).await.unwrap(), 2);
            assert_eq!(receiver.wait_for(|value| *value == 3).await.err(), Some(SenderGone));
        });
    }

    #[test]
    fn receivers_are_counted() {
        let (sender, one) = channel(());
        let two = one.clone();
        assert_eq!(sender.receiver_count(), 2);
        drop((one, two));
        assert!(sender.is_closed());
    }

    #[test]
    fn all_are_woken_in_the_order_of_waiting() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let tasks = tokio::task::LocalSet::new();
        tasks.block_on(&runtime, async {
            let sender = Sender::new(false);
            let order = std::rc::Rc::new(RefCell::new(Vec::new()));
            let waiting = (0..50).map(|number| {
                let (mut receiver, order) = (sender.subscribe(), order.clone());
                tokio::task::spawn_local(async move {
                    receiver.wait_for(|value| *value).await.unwrap();
                    order.borrow_mut().push(number);
                })
            });
            let waiting: Vec<_> = waiting.collect();
            tokio::task::yield_now().await;
            sender.send_replace(true);
            join_all(waiting).await;
            assert!(order.borrow().is_sorted());
        });
    }
}
