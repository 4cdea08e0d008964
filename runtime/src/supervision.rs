//! Supervision: what is started again when a panic has ended it, and how often.
//!
//! actix isolates no panic and starts nothing again: a panic drops the actor, and its `Supervisor` with
//! it. So an actor that others count on holds a [`Supervised`], which starts it anew when it is dropped
//! before the actor has said that it ends. (`Actor::stopped` is no place to say so: actix calls it after a panic too.) What depends on a socket or a session needs none of this: it
//! ends as if that had been lost, and whoever needs it makes another one.
//!
//! | started again | not started again |
//! |---|---|
//! | TCP listener, inlet, forwarding service, remote forwarder, secure channel (initiator) | connections, streams, encryptors, decryptors, forwarders, users' workers, relays, echoers |

use std::{
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    time::{Duration, Instant},
};

use crate::{
    error::Result,
    limits::{FIRST_RESTART_PAUSE, MAX_RESTARTS, STEADY_AFTER},
    node::Node,
};

/// Kept by an actor as the last field of its state, behind what another one like it has to find
/// free: starts it anew if it is dropped before [`Supervised::end`] was called.
pub struct Supervised {
    life: Arc<Life>,
    restarts: Restarts,
    since: Instant,
    ended: bool,
}

/// What one start and the next have in common.
struct Life {
    node: Node,
    /// For the log.
    what: String,
    /// Whether the first start has succeeded.
    begun: AtomicBool,
    start: Box<dyn Fn(Supervised) -> Result<()> + Send + Sync>,
}

impl Supervised {
    /// Starts something with `start`, and again after each panic.
    ///
    /// # Errors
    /// If the first start fails; a later one that fails counts as a panic.
    pub fn start(
        node: &Node,
        what: impl Into<String>,
        start: impl Fn(Self) -> Result<()> + Send + Sync + 'static,
    ) -> Result<()> {
        let life = Arc::new(Life {
            node: node.clone(),
            what: what.into(),
            begun: AtomicBool::new(false),
            start: Box::new(start),
        });
        (life.start)(Self::new(&life, Restarts::default()))?;
        life.begun.store(true, Ordering::Release);
        Ok(())
    }

    fn new(life: &Arc<Life>, restarts: Restarts) -> Self {
        Self { life: life.clone(), restarts, since: Instant::now(), ended: false }
    }

    /// It ends on purpose.
    pub fn end(&mut self) {
        self.ended = true;
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        let Life { node, what, begun, .. } = &*self.life;
        if self.ended || node.is_stopping() || !begun.load(Ordering::Acquire) {
            return;
        }
        let mut restarts = self.restarts;
        let Some(pause) = restarts.pause_after(self.since.elapsed()) else {
            log::error!(
                "{what} panicked {MAX_RESTARTS} times more and stays down: a bug, please report it"
            );
            return;
        };
        log::error!("{what} panicked: a bug, please report it; it is started again in {pause:?}");
        let life = self.life.clone();
        node.spawn_on(0, async move {
            tokio::time::sleep(pause).await;
            if life.node.is_stopping() {
                return;
            }
            if let Err(error) = (life.start)(Self::new(&life, restarts)) {
                log::error!("{} could not be started again: {}", life.what, error.one_line());
            }
        });
    }
}

/// How often something was started again of late.
#[derive(Clone, Copy, Debug, Default)]
struct Restarts(u32);

impl Restarts {
    /// How long to wait before the next start of what has `lived` so long; `None` if it is to stay down.
    fn pause_after(&mut self, lived: Duration) -> Option<Duration> {
        if lived >= STEADY_AFTER {
            self.0 = 0;
        }
        let pause = FIRST_RESTART_PAUSE * 2_u32.pow(self.0);
        self.0 += 1;
        (self.0 <= MAX_RESTARTS).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_pause_longer_each_time_and_then_end() {
        let mut restarts = Restarts::default();
        let pauses: Vec<_> =
            (0..MAX_RESTARTS).map(|_| restarts.pause_after(Duration::ZERO)).collect();
        assert_eq!(pauses[0], Some(FIRST_RESTART_PAUSE));
        assert!(pauses.windows(2).all(|two| two[1] == two[0].map(|pause| 2 * pause)));
        assert_eq!(restarts.pause_after(Duration::ZERO), None);
    }

    #[test]
    fn what_has_lived_for_long_may_panic_as_often_as_before() {
        let mut restarts = Restarts(MAX_RESTARTS);
        assert_eq!(restarts.pause_after(STEADY_AFTER), Some(FIRST_RESTART_PAUSE));
        assert_eq!(restarts.pause_after(Duration::ZERO), Some(2 * FIRST_RESTART_PAUSE));
    }
}
