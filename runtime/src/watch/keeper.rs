//! How a node holds the watches of its workers, and tells their watchers.
//!
//! The first watch of a worker starts a task, which lives until the worker has ended or nobody
//! watches it any more. A worker that nobody watches costs nothing.

use std::{sync::Arc, time::Duration};

use tokio::time::{timeout, Instant};

use crate::{
    address::{route::Route, Address},
    limits::WATCH_LEASE,
    lock::Lock,
    message::{
        notice::{Notice, UndeliverableReason},
        payload::Payload,
        undelivered::Undelivered,
        Message,
    },
    node::{
        entry::Entry,
        life::{Ended, Life},
        Node,
    },
    watch::{
        decode,
        held::{Answer, HeldWatches, Source},
    },
};

/// The watches that one node holds, kept as its extension.
struct Watches {
    began: Instant,
    held: Lock<HeldWatches<Key>>,
}

/// A worker, by the place of its life, which is kept as long as there is something for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key(usize);

impl Key {
    fn of(life: &Arc<Life>) -> Self {
        Self(Arc::as_ptr(life).addr())
    }
}

impl Watches {
    fn of(node: &Node) -> Arc<Self> {
        node.extension(|| Self { began: Instant::now(), held: Lock::default() })
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Node {
    /// Holds a watch that has come to the end of its route at the worker of `entry`, which its
    /// sender calls `name`, and answers it.
    ///
    /// # Errors
    /// Gives it back with what its watcher is to be told, if it is not held.
    pub(crate) fn hold_watch(
        &self,
        name: &Address,
        entry: &Entry,
        message: Message,
    ) -> Result<(), Box<Undelivered>> {
        let refuse = |message, reason| Err(Undelivered::new(message, name, reason));
        let Some(lease) = decode(&message.payload) else {
            return refuse(message, UndeliverableReason::BodyNotUnderstood);
        };
        if entry.delivery.has_ended() {
            return refuse(message, UndeliverableReason::HasStopped);
        }
        let watches = Watches::of(self);
        let (key, back) = (Key::of(&entry.life), &message.return_route);
        if lease.is_zero() {
            watches.held.lock().give_up(&key, back);
            return Ok(());
        }
        let until = watches.now() + lease.min(WATCH_LEASE);
        let source = Source::of(&message.origin);
        let answer = watches.held.lock().hold(key, back.clone(), name, source, until);
        match answer {
            Answer::Full => return refuse(message, UndeliverableReason::Overloaded),
            Answer::First => {
                let telling = tell_of_end(self.unheld(), entry.life.clone());
                self.spawn_on(entry.arbiter.unwrap_or(0), telling);
            }
            Answer::Held => {}
        }
        let notice = Notice::new(name.clone(), UndeliverableReason::Held);
        self.bounce(Box::new(Undelivered { message, notice }));
        Ok(())
    }
}

/// Waits until the worker has ended, and tells those who watch it then; ends when there is nobody.
async fn tell_of_end(node: Node, life: Arc<Life>) {
    let (watches, key) = (Watches::of(&node), Key::of(&life));
    let ended = loop {
        if let Ok(ended) = timeout(WATCH_LEASE, life.clone().ended()).await {
            break ended;
        }
        let now = watches.now();
        if !watches.held.lock().expire(&key, now) {
            return;
        }
    };
    let reason = match ended {
        Ended::Stopped | Ended::Unreachable(_) => UndeliverableReason::HasStopped,
        Ended::Panicked => UndeliverableReason::HasPanicked,
    };
    let watchers = watches.held.lock().take(&key);
    for (back, name) in watchers {
        let notice = Notice::new(name, reason);
        let message = Message::new(Route::new(), back, Payload::default());
        node.bounce(Box::new(Undelivered { message, notice }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        node::{
            builder::NodeBuilder,
            entry::{Deliver, Description},
        },
        trust::reachability::Class,
    };

    /// Takes everything.
    struct Anything;

    impl Deliver for Anything {
        fn deliver(&self, _: &Entry, _: Message) -> Result<(), Box<Undelivered>> {
            Ok(())
        }
    }

    async fn holds(node: &Node, count: usize) {
        let is_so = async {
            while Watches::of(node).held.lock().len() != count {
                tokio::task::yield_now().await;
            }
        };
        let in_time = timeout(Duration::from_secs(10), is_so).await;
        in_time.unwrap_or_else(|_| panic!("waited in vain for {count} watches"));
    }

    #[test]
    fn a_dropped_watch_is_given_up() {
        actix_rt::System::new().block_on(async {
            let node = NodeBuilder::new().arbiters(2).start().await.unwrap();
            let description = Description::new("worker", Class::User);
            let worker = node.register_delivery(description, Anything).unwrap();
            let (first, second) = (node.watch("worker"), node.watch("worker"));
            holds(&node, 2).await;
            drop(first);
            holds(&node, 1).await;
            drop(worker);
            assert_eq!(second.await, Ended::Stopped);
            holds(&node, 0).await;
            node.stop().await;
        });
    }
}
