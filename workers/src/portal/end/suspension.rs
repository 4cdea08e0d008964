//! A stream whose path is lost: what it waits for, and for how long.
//!
//! ```text
//! inlet    Path -> Answer -> (over, or Path again)
//! outlet   Return
//! ```

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use ockam_actix_runtime::{
    clock::Instant,
    edge::{backoff::Backoff, first_hop::FirstHop},
    Error, Host, Node, Notice, Result, Route,
};
use tokio::time::{sleep, Sleep};

use crate::portal::limits::{
    RESUME_ANSWER, RESUME_FIRST_PAUSE, RESUME_LONGEST_PAUSE, SETTLED_AFTER,
};

/// What becomes of a suspended stream.
pub(crate) enum Outcome {
    /// There is a path along which to resume it.
    Path(FirstHop),
    /// The outlet does not answer along the path that was found.
    NoAnswer,
    /// It has waited long enough.
    Over,
    /// Nothing can bring its path back: why.
    Gone(Error),
}

/// What a suspended stream waits for. It lasts, however many paths are tried, until something has
/// passed along one of them, or that has lasted for [`SETTLED_AFTER`].
pub(crate) struct Suspension {
    deadline: Pin<Box<Sleep>>,
    backoff: Backoff,
    awaited: Awaited,
    limit: Duration,
    /// When the stream was resumed, if it was.
    resumed: Option<Instant>,
    /// What the last notice about its messages said.
    notice: Option<String>,
}

enum Awaited {
    /// At the outlet: the inlet comes back.
    Return,
    /// At the inlet: there is another path.
    Path(Pin<Box<dyn Future<Output = Result<FirstHop>>>>),
    /// At the inlet: the outlet answers along it.
    Answer(Pin<Box<Sleep>>),
}

impl Suspension {
    /// Waits for at most `limit`.
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            deadline: Box::pin(sleep(limit)),
            backoff: Backoff::new(RESUME_FIRST_PAUSE, RESUME_LONGEST_PAUSE).at_once(),
            awaited: Awaited::Return,
            limit,
            resumed: None,
            notice: None,
        }
    }

    /// Notes that the stream goes on, for now.
    pub(crate) fn note_resumed(&mut self, now: Instant) {
        self.resumed.get_or_insert(now);
    }

    /// The path is lost again, at `now`. Returns whether that counts as another loss than the
    /// first.
    pub(crate) fn is_another_loss(&mut self, now: Instant) -> bool {
        let resumed = self.resumed.take();
        self.awaited = Awaited::Return;
        resumed.is_some_and(|resumed| now.saturating_duration_since(resumed) >= SETTLED_AFTER)
    }

    /// Notes what came back instead of an answer.
    pub(crate) fn note(&mut self, notice: &Notice) {
        self.notice = Some(notice.to_string());
    }

    /// Waits for `limit` more, if it has waited for less than that. Returns whether it does.
    pub(crate) fn wait_on(&mut self, limit: Duration) -> bool {
        let waits = self.limit < limit;
        if waits {
            self.limit = limit;
            self.deadline = Box::pin(sleep(limit));
        }
        waits
    }

    /// Why it is over.
    pub(crate) fn why(&self) -> String {
        let limit = self.limit;
        match &self.notice {
            Some(notice) => format!("there was no path for {limit:?}; nothing passes {notice}"),
            None => format!("there was no path for {limit:?}"),
        }
    }

    /// Looks for a path along `route`: after a pause, if one was found in vain before.
    pub(crate) fn find_path(&mut self, node: &Node, route: &Route) {
        let (node, route, pause) = (node.clone(), route.clone(), self.backoff.next_pause());
        self.awaited = Awaited::Path(Box::pin(find_path(node, route, pause)));
    }

    /// Waits for the outlet's answer along the path that was found.
    pub(crate) fn await_answer(&mut self) {
        self.awaited = Awaited::Answer(Box::pin(sleep(RESUME_ANSWER)));
    }

    /// What has become of the stream, if anything has.
    pub(crate) fn poll(&mut self, task: &mut Context<'_>) -> Poll<Outcome> {
        if self.deadline.as_mut().poll(task).is_ready() {
            return Poll::Ready(Outcome::Over);
        }
        match &mut self.awaited {
            Awaited::Return => Poll::Pending,
            Awaited::Path(path) => path.as_mut().poll(task).map(|found| {
                self.awaited = Awaited::Return;
                found.map_or_else(Outcome::Gone, Outcome::Path)
            }),
            Awaited::Answer(limit) => limit.as_mut().poll(task).map(|()| Outcome::NoAnswer),
        }
    }
}

/// The first hop of `route` as soon as it is established; an error if it is none any more, such as
/// a channel that was stopped.
async fn find_path(node: Node, route: Route, pause: Duration) -> Result<FirstHop> {
    sleep(pause).await;
    loop {
        let mut first_hop = node.first_hop(&route)?;
        first_hop.up().await;
        if first_hop.state().up {
            return Ok(first_hop);
        }
        // Its actor has ended, and the next one is looked up.
        sleep(RESUME_FIRST_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_soon_after_resuming_is_the_same() {
        actix_rt::System::new().block_on(async {
            let mut suspension = Suspension::new(Duration::from_secs(60));
            let now = Instant::now();
            assert!(!suspension.is_another_loss(now), "it was never resumed");
            for (lasted, is_another) in [(1, false), (9, false), (10, true)] {
                suspension.note_resumed(now);
                suspension.note_resumed(now + Duration::from_secs(1));
                let lost = now + Duration::from_secs(lasted);
                assert_eq!(suspension.is_another_loss(lost), is_another, "after {lasted} s");
            }
        });
    }
}
