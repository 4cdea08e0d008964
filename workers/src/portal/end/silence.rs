//! The check of a stream that has lasted: whether its peer has been silent.

use std::{future::Future, pin::Pin, task::Context, time::Duration};

use tokio::{
    task::unconstrained,
    time::{sleep, Sleep},
};

/// When the stream is to be checked.
#[derive(Default)]
pub(crate) enum SilenceTimer {
    /// The stream has just begun.
    #[default]
    Unset,
    /// When the timer ends.
    Runs(Pin<Box<Sleep>>),
    /// Never: the first hop tells if the peer is lost.
    Off,
}

impl SilenceTimer {
    /// Whether it has just ended. The timer is polled once, to wake the task, and then only
    /// queried.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self, Self::Runs(timer) if timer.is_elapsed())
    }

    /// Whether it was never set.
    pub(crate) const fn is_unset(&self) -> bool {
        matches!(self, Self::Unset)
    }

    /// Has the task woken in `time`.
    pub(crate) fn set(&mut self, time: Duration, task: &mut Context<'_>) {
        let mut timer = Box::pin(sleep(time));
        // Without tokio's budget: a poll that the budget cuts short would be the last.
        if Pin::new(&mut unconstrained(timer.as_mut())).poll(task).is_ready() {
            task.waker().wake_by_ref();
        }
        *self = Self::Runs(timer);
    }
}
