//! Short delays that the streams of an arbiter share: one timer for all that wait as long.
//!
//! A new timer that ends before all others makes its thread wake itself to shorten its sleep: a
//! system call and an empty turn for each stream with a timer of its own. A stream that joins the
//! running timer costs neither, and waits less long.

use std::{cell::RefCell, future::Future, pin::Pin, thread::LocalKey, time::Duration};

use futures::{
    future::{Shared, WeakShared},
    FutureExt,
};
use tokio::time::sleep;

use crate::portal::limits::{ACK_DELAY, MAX_OPENED_DELAY};

type Sleep = Pin<Box<dyn Future<Output = ()>>>;
type Running = RefCell<Option<WeakShared<Sleep>>>;

/// Ready when the time is over.
pub(crate) type JoinedDelay = Shared<Sleep>;

thread_local! {
    /// Weak, since a timer must not outlive the arbiter that it belongs to.
    static OPENED: Running = const { RefCell::new(None) };
    static ACK: Running = const { RefCell::new(None) };
}

/// How long `Opened` waits for the target's first answer.
pub(crate) fn opened_delay() -> JoinedDelay {
    join(&OPENED, MAX_OPENED_DELAY)
}

/// How long an acknowledgement waits for something to go with.
pub(crate) fn ack_delay() -> JoinedDelay {
    join(&ACK, ACK_DELAY)
}

/// Joins the timer that runs on this arbiter, or starts one.
fn join(running: &'static LocalKey<Running>, delay: Duration) -> JoinedDelay {
    running.with_borrow_mut(|running| {
        let joined = running.as_ref().and_then(WeakShared::upgrade);
        if let Some(timer) = joined.filter(|timer| timer.peek().is_none()) {
            return timer;
        }
        let timer = (Box::pin(sleep(delay)) as Sleep).shared();
        // It runs to its end, so that it can be joined when the streams that began it have their
        // answers.
        actix::spawn(timer.clone());
        *running = timer.downgrade();
        timer
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_join_the_running_timer_of_their_arbiter() {
        for _system in 0..2 {
            actix_rt::System::new().block_on(async {
                let first = opened_delay();
                drop(first.clone());
                assert!(first.ptr_eq(&opened_delay()));
                assert!(!first.ptr_eq(&ack_delay()));
                first.clone().await;
                assert!(!first.ptr_eq(&opened_delay()));
            });
        }
    }
}
