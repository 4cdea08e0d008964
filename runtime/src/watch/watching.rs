//! One watch as its watcher sees it: when it is repeated, and what ends it. A decision without a
//! clock: times are counted from the moment that the watch began.

use std::time::Duration;

use crate::{
    address::Address,
    limits::{WATCH_PATIENCE, WATCH_RENEWAL},
    message::notice::{Notice, UndeliverableReason},
    node::life::Ended,
};

/// What a watcher does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Send the watch, for the first time or again.
    Send,
    /// Wait for a notice, for the loss of the first hop, or until this time.
    WaitUntil(Duration),
    /// It is over, for this reason.
    End(Ended),
}

/// A watch that has begun.
#[derive(Debug)]
pub struct Watching {
    /// The worker, as the watcher calls it.
    worker: Address,
    /// When the worker's node was heard of last, or the watch began.
    heard: Duration,
    /// When it is to be sent.
    next: Duration,
}

impl Watching {
    /// A watch for the worker at `worker`, which begins at time zero.
    pub fn new(worker: Address) -> Self {
        Self { worker, heard: Duration::ZERO, next: Duration::ZERO }
    }

    /// What to do at the time `now`.
    pub fn poll(&mut self, now: Duration) -> Next {
        let lost = self.heard + WATCH_PATIENCE;
        if now >= lost {
            let notice = Notice::new(self.worker.clone(), UndeliverableReason::Disconnected);
            let detail = format!("nothing was heard of it for {} s", WATCH_PATIENCE.as_secs());
            return Next::End(Ended::Unreachable(notice.with_detail(detail)));
        }
        if now >= self.next {
            self.next = now + WATCH_RENEWAL;
            return Next::Send;
        }
        Next::WaitUntil(self.next.min(lost))
    }

    /// A notice about the watch has come at the time `now`; what it ends the watch with, if it
    /// does.
    pub fn handle_notice(&mut self, notice: Notice, now: Duration) -> Option<Ended> {
        match notice.reason {
            UndeliverableReason::Held => {
                self.heard = now;
                None
            }
            // A full queue says nothing of the worker, and the watch is repeated anyway.
            UndeliverableReason::Overloaded => None,
            UndeliverableReason::HasStopped => Some(Ended::Stopped),
            UndeliverableReason::HasPanicked => Some(Ended::Panicked),
            _ => Some(Ended::Unreachable(notice)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(reason: UndeliverableReason) -> Notice {
        Notice::new("shop".into(), reason)
    }

    fn began() -> Watching {
        let mut watching = Watching::new("shop".into());
        assert_eq!(watching.poll(Duration::ZERO), Next::Send);
        watching
    }

    #[test]
    fn a_watch_that_is_answered_is_repeated() {
        let mut watching = began();
        let mut now = Duration::ZERO;
        for _ in 0..100 {
            assert_eq!(watching.handle_notice(notice(UndeliverableReason::Held), now), None);
            let Next::WaitUntil(until) = watching.poll(now) else { panic!("it waits") };
            assert_eq!(until, now + WATCH_RENEWAL);
            assert_eq!(watching.poll(until), Next::Send);
            now = until;
        }
    }

    #[test]
    fn silence_ends_a_watch_after_its_patience() {
        let mut watching = began();
        let mut now = Duration::ZERO;
        let ended = loop {
            match watching.poll(now) {
                Next::Send => {}
                Next::WaitUntil(until) => now = until,
                Next::End(ended) => break ended,
            }
        };
        assert_eq!(now, WATCH_PATIENCE);
        assert!(matches!(ended, Ended::Unreachable(notice) if notice.hop == "shop".into()));
    }

    #[test]
    fn each_notice_has_its_meaning() {
        use UndeliverableReason::{
            Disconnected, HasPanicked, HasStopped, Held, Overloaded, Unreachable, WorkerStopped,
        };
        let means = |reason| began().handle_notice(notice(reason), Duration::ZERO);
        assert_eq!(means(Held), None);
        assert_eq!(means(Overloaded), None);
        assert_eq!(means(HasStopped), Some(Ended::Stopped));
        assert_eq!(means(HasPanicked), Some(Ended::Panicked));
        // The last is that of a worker on the way.
        for reason in [Disconnected, Unreachable, WorkerStopped] {
            assert_eq!(means(reason), Some(Ended::Unreachable(notice(reason))));
        }
    }
}
