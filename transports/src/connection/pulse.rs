//! The pulse of a connection: whether its peer is alive.
//!
//! The system notices that a host is gone, and late; it notices nothing of a program that hangs or
//! is suspended, whose system goes on acknowledging. So a peer that says nothing is asked, soon
//! while something is under way, and the connection ends if it does not answer. One that is heard
//! anyway is asked seldom, to know the round trip.

use std::{
    cell::Cell,
    future::Future,
    io,
    pin::Pin,
    task::{ready, Context, Poll},
    time::Duration,
};

use ockam_actix_runtime::{
    clock::Instant,
    edge::liveness::{Liveness, Patience, Verdict},
};
use tokio::time::{sleep_until, Sleep};

use crate::limits::MEASURE_EVERY;

/// What a connection's reader and writer know of its peer.
#[derive(Default)]
pub(super) struct Signs {
    heard: Cell<bool>,
    /// Messages were written since the peer was last heard.
    is_unanswered: Cell<bool>,
    /// Frames wait to be written, or for credit.
    pub(super) is_queueing: Cell<bool>,
    /// This end does not read now, because it holds too much.
    pub(super) is_full: Cell<bool>,
    /// When the peer was asked what it has not answered.
    asked: Cell<Option<Instant>>,
}

impl Signs {
    /// The peer has sent something, or its system has taken something for which there was no room.
    pub(super) fn hear(&self) {
        self.heard.set(true);
        self.is_unanswered.set(false);
    }

    /// The peer is asked.
    pub(super) fn ask(&self) {
        self.asked.set(Some(Instant::now()));
    }

    /// The peer has answered. Returns how long that took, if it was asked.
    pub(super) fn answered(&self) -> Option<Duration> {
        self.asked.take().map(|asked| asked.elapsed())
    }

    /// A message was written.
    pub(super) fn wrote_message(&self) {
        self.is_unanswered.set(true);
    }

    fn are_under_way(&self) -> bool {
        self.is_unanswered.get() || self.is_queueing.get() || self.is_full.get()
    }
}

/// What is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// A question whether the peer is there.
    Ask,
    /// A sign of life: this end cannot hear what it is asked.
    Live,
}

/// Watches over the peer of one connection.
pub(super) struct Pulse {
    liveness: Liveness,
    patience: Patience,
    /// When the peer is asked next although it is heard, to measure the round trip.
    measure_at: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Pulse {
    /// For a peer that was heard just now.
    pub(super) fn new(patience: Patience) -> Self {
        let now = Instant::now();
        let timer = Box::pin(sleep_until(now + patience.between_checks()));
        Self { liveness: Liveness::new(now), patience, measure_at: now, timer }
    }

    /// Ready with what to send now, or that the peer is silent.
    pub(super) fn poll(
        &mut self,
        signs: &Signs,
        task: &mut Context<'_>,
    ) -> Poll<io::Result<Option<Beat>>> {
        let under_way = signs.are_under_way();
        let soon = self.patience.between_checks();
        if under_way && self.timer.deadline() > Instant::now() + soon {
            self.timer.as_mut().reset(Instant::now() + soon);
        }
        ready!(self.timer.as_mut().poll(task));
        let is_full = signs.is_full.get();
        let heard = signs.heard.take() || is_full;
        let now = Instant::now();
        let verdict = self.liveness.check(now, heard, under_way, &self.patience);
        let (beat, again) = match verdict {
            Verdict::Fine(again) if is_full => (Some(Beat::Live), again),
            Verdict::Fine(again) => ((heard && now >= self.measure_at).then_some(Beat::Ask), again),
            Verdict::Ask(again) => (Some(Beat::Ask), again),
            Verdict::Lost(silence) => {
                let why = format!("the peer has been silent for {silence:.1?}");
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)));
            }
        };
        if beat == Some(Beat::Ask) {
            self.measure_at = now + MEASURE_EVERY;
        }
        self.timer.as_mut().reset(now + again);
        if self.timer.as_mut().poll(task).is_ready() {
            task.waker().wake_by_ref();
        }
        Poll::Ready(Ok(beat))
    }
}
