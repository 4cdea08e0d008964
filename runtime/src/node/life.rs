//! The life of a worker: whether messages may still come to it, how it ended, and who waits for
//! that.

use std::{
    fmt,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
};

use tokio::{sync::oneshot, task};

use crate::{lock::Lock, message::notice::Notice, watched};

/// How a worker ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It has stopped: by itself, because it was told to, or with its node.
    Stopped,
    /// It has panicked, and is not started again.
    Panicked,
    /// It cannot be reached, now or any longer, as the notice says. It may live on.
    Unreachable(Notice),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("it has stopped"),
            Self::Panicked => f.write_str("it has panicked"),
            Self::Unreachable(notice) => write!(f, "it cannot be reached: {notice}"),
        }
    }
}

/// What a panic in the task of its actor means for a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnPanic {
    /// The worker ends, and nothing but the message that it handled tells of it: its actor was
    /// started elsewhere, or has a spec of its own that is started again.
    #[default]
    EndsUnseen,
    /// The worker ends, and its tenure logs it.
    Ends,
    /// Another actor takes its place.
    IsStartedAgain,
}

/// Where a panic has dropped a message of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PanicIn {
    /// In the task of the worker's actor.
    Actor(OnPanic),
    /// In another task, such as the future that a handler has returned: the worker lives on.
    OtherTask,
    /// It is not known, as the actor was started elsewhere, or is the program.
    Unknown,
}

/// Whether a worker still lives; shared by its entry, its handles and the messages that it holds.
#[derive(Debug, Default)]
pub(crate) struct Life {
    /// No message may come any more.
    gone: AtomicBool,
    /// Nobody but the node knows when it ends.
    detached: AtomicBool,
    on_panic: OnPanic,
    /// The task of the worker's actor, once it runs, if the node has started it.
    task: Lock<Option<task::Id>>,
    signals: Lock<Signals>,
}

#[derive(Debug, Default)]
struct Signals {
    stop: Option<oneshot::Sender<()>>,
    ended: Option<Ended>,
    /// Made for the first who waits for the end.
    told: Option<watched::Sender<Option<Ended>>>,
}

impl Life {
    /// A life that a panic ends, or not.
    pub(crate) fn new(on_panic: OnPanic) -> Self {
        Self { on_panic, ..Self::default() }
    }

    /// Notes that the worker has ended, or is to end: no message may come any more.
    pub(crate) fn end(&self) {
        self.gone.store(true, Ordering::Release);
    }

    /// Whether the worker has ended, or is to end.
    pub(crate) fn has_ended(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Notes that this is the task of the worker's actor.
    pub(crate) fn runs_here(&self) {
        *self.task.lock() = task::try_id();
    }

    /// Notes that a panic drops a message of the worker in this task; where that is.
    pub(crate) fn panicked(&self) -> PanicIn {
        let actor = *self.task.lock();
        if actor.is_none() {
            return PanicIn::Unknown;
        }
        if actor != task::try_id() {
            return PanicIn::OtherTask;
        }
        if self.on_panic != OnPanic::IsStartedAgain {
            self.end();
        }
        PanicIn::Actor(self.on_panic)
    }

    /// Notes that nobody but the node will know when the worker ends.
    pub(crate) fn detach(&self) {
        self.detached.store(true, Ordering::Release);
    }

    pub(crate) fn is_detached(&self) -> bool {
        self.detached.load(Ordering::Acquire)
    }

    /// Tells all who wait that the worker has ended, and its actor is dropped. The first word
    /// counts.
    pub(crate) fn finish(&self, ended: Ended) {
        self.end();
        let mut signals = self.signals.lock();
        if signals.ended.is_some() {
            return;
        }
        if let Some(told) = signals.told.take() {
            told.send_replace(Some(ended.clone()));
        }
        signals.ended = Some(ended);
    }

    /// Waits until [`finish`](Self::finish) has been called.
    pub(crate) async fn ended(self: Arc<Self>) -> Ended {
        let mut told = {
            let mut signals = self.signals.lock();
            if let Some(ended) = &signals.ended {
                return ended.clone();
            }
            signals.told.get_or_insert_with(|| watched::Sender::new(None)).subscribe()
        };
        // The sender lives as long as `self`, or has sent the last word.
        let ended = told.wait_for(Option::is_some).await;
        ended.ok().and_then(|ended| ended.clone()).unwrap_or(Ended::Stopped)
    }

    pub(crate) fn stop_signal(&self) -> oneshot::Receiver<()> {
        let (sender, stop) = oneshot::channel();
        self.signals.lock().stop = Some(sender);
        if self.has_ended() {
            self.ask_to_stop();
        }
        stop
    }

    /// Asks the worker to stop, if it waits for a stop signal.
    pub(crate) fn ask_to_stop(&self) {
        // Dropping the sender completes the signal.
        drop(self.signals.lock().stop.take());
    }
}

#[cfg(test)]
mod tests {
    use futures::{executor::block_on, FutureExt};

    use super::*;

    #[test]
    fn the_first_word_about_the_end_counts() {
        let life = Arc::new(Life::default());
        let mut early = Box::pin(life.clone().ended());
        assert_eq!((&mut early).now_or_never(), None);
        life.finish(Ended::Panicked);
        life.finish(Ended::Stopped);
        assert_eq!(block_on(early), Ended::Panicked);
        assert_eq!(block_on(life.ended()), Ended::Panicked);
    }

    #[test]
    fn only_a_worker_started_again_survives_panics() {
        actix_rt::System::new().block_on(async {
            for on_panic in [OnPanic::EndsUnseen, OnPanic::Ends, OnPanic::IsStartedAgain] {
                let life = Arc::new(Life::new(on_panic));
                let actor = life.clone();
                let in_task = actix_rt::spawn(async move {
                    actor.runs_here();
                    actor.panicked()
                });
                assert_eq!(in_task.await.unwrap(), PanicIn::Actor(on_panic));
                assert_eq!(life.has_ended(), on_panic != OnPanic::IsStartedAgain);
            }
        });
    }

    #[test]
    fn a_panic_elsewhere_ends_no_worker() {
        actix_rt::System::new().block_on(async {
            let life = Arc::new(Life::new(OnPanic::Ends));
            assert_eq!(life.panicked(), PanicIn::Unknown);
            let actor = life.clone();
            actix_rt::spawn(async move { actor.runs_here() }).await.unwrap();
            let other = life.clone();
            let in_task = actix_rt::spawn(async move { other.panicked() });
            assert_eq!(in_task.await.unwrap(), PanicIn::OtherTask);
            assert!(!life.has_ended());
        });
    }
}
