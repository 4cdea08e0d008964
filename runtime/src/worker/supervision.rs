//! Supervision: what is started again when a panic has ended it, and how often.
//!
//! actix isolates no panic and starts nothing again: a panic drops the actor, and its `Supervisor` with
//! it. So an actor that others count on holds a [`Supervised`], which starts it anew when a panic drops it
//! before the actor has said that it ends. (`Actor::stopped` is no place to say so: actix calls it after a panic too.) What depends on a socket or a session needs none of this: it
//! ends as if that had been lost, and whoever needs it makes another one.
//!
//! | started again | not started again |
//! |---|---|
//! | TCP listener, inlet, forwarding service, remote forwarder, secure channel (initiator) | accepted connections, streams, responders' encryptors, decryptors, forwarders, users' workers, relays, echoers; dialled connections are made by the next message or path |

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crate::{
    error::Result,
    limits::{FIRST_RESTART_PAUSE, MAX_RESTARTS, STEADY_AFTER},
    node::Node,
};

/// Kept by an actor as the last field of its state, behind what another one like it has to find
/// free: starts it anew if a panic drops it before [`Supervised::end`] was called.
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
        let life = Arc::new(Life { node: node.clone(), what: what.into(), start: Box::new(start) });
        (life.start)(Self::new(&life, Restarts::default()))
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
    /// Only in the unwinding of a panic is it started again: whatever else drops it, such as the end
    /// of the actix System, ends it.
    fn drop(&mut self) {
        if !self.ended && thread::panicking() && !self.life.node.is_stopping() {
            start_again(&self.life, self.restarts, self.since.elapsed(), "panicked");
        }
    }
}

/// Starts something again that has `lived` so long, after a pause.
fn start_again(life: &Arc<Life>, mut restarts: Restarts, lived: Duration, why: &str) {
    let what = &life.what;
    let Some(pause) = restarts.pause_after(lived) else {
        log::error!(
            "{what} {why} {MAX_RESTARTS} times more and stays down: a bug, please report it"
        );
        return;
    };
    log::error!("{what} {why}: a bug, please report it; it is started again in {pause:?}");
    let life = life.clone();
    life.node.clone().spawn_on(0, async move {
        tokio::time::sleep(pause).await;
        if life.node.is_stopping() {
            return;
        }
        if let Err(error) = (life.start)(Supervised::new(&life, restarts)) {
            let why = format!("could not be started again ({})", error.one_line());
            start_again(&life, restarts, Duration::ZERO, &why);
        }
    });
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
