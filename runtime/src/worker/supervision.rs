//! Supervision: which actors are started again after a panic, and how often.
//!
//! actix isolates no panic and starts nothing again: a panic drops the actor, and its `Supervisor`
//! with it. So an actor that others count on holds a [`Supervised`], which starts another one if a
//! panic drops it before the actor has announced its end. (`Actor::stopped` cannot announce it:
//! actix calls that after a panic too.) A program's handle holds [`Restarting`], which stands for
//! the current actor. An actor that depends on a socket or a session needs none of this: it ends as
//! if that had been lost, and its users make another one.
//!
//! Users' workers are started again as their [`RestartPolicy`] says, by their
//! [tenure](super::tenure).
//!
//! | started again | not started again |
//! |---|---|
//! | listener, inlet, forwarding service, remote forwarder, secure channel (initiator), users' workers with a policy | accepted connections, streams, responders' encryptors, decryptors, forwarders, users' workers without one, relays, echoers; dialled connections are made by the next message or first hop |

use std::{fmt, sync::Arc, thread, time::Duration};

use actix::{Actor, Addr};

use crate::{
    clock::Instant,
    error::Result,
    limits::MAX_RESTARTS,
    lock::Lock,
    node::Node,
    worker::restart::{RestartPolicy, Restarts},
};

/// The spec from which every actor of one [`Restarting`] is started.
pub trait Restartable: Send + Sync + 'static {
    /// The actor.
    type Actor: Actor;

    /// Starts an actor, which keeps `supervised` as the last field of its state, so that all that
    /// the next one has to find free is dropped before.
    ///
    /// # Errors
    /// If it cannot be started.
    fn start(&self, supervised: Supervised) -> Result<Addr<Self::Actor>>;

    /// Stops an actor that was being started while the program ended it.
    fn stop(&self, actor: Addr<Self::Actor>);

    /// Called if the program has ended it in the pause before the next actor, while there was none.
    fn ended_in_pause(&self) {}
}

/// A handle on an actor that is started again after a panic: it stands for another actor after each
/// restart. Clones stand for the same actor. Dropping it ends nothing.
pub struct Restarting<A: Actor>(Arc<Lock<State<A>>>);

struct State<A: Actor> {
    actor: Option<Addr<A>>,
    ended: bool,
}

impl<A: Actor> Restarting<A> {
    /// Starts an actor as `spec` says, and another one after each panic. `what` names it in the
    /// log.
    ///
    /// # Errors
    /// If the first actor cannot be started; a later one that cannot be started counts as a panic.
    pub fn start(
        node: &Node,
        what: impl Into<String>,
        spec: impl Restartable<Actor = A>,
    ) -> Result<Self> {
        let state = Arc::new(Lock::new(State { actor: None, ended: false }));
        let (node, what) = (node.clone(), what.into());
        let lives = Arc::new(Lives { node, what, spec, state: state.clone() });
        lives.begin(Restarts::default())?;
        Ok(Self(state))
    }

    /// The current or last actor; `None` before the first one and after the end.
    pub fn actor(&self) -> Option<Addr<A>> {
        self.0.lock().actor.clone()
    }

    /// Ends it: no other actor is started. Returns the current or last one, which the caller stops;
    /// `None` if it was ended before.
    pub fn end(&self) -> Option<Addr<A>> {
        let mut state = self.0.lock();
        state.ended = true;
        state.actor.take()
    }
}

impl<A: Actor> Clone for Restarting<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A: Actor> fmt::Debug for Restarting<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Restarting").field("ended", &self.0.lock().ended).finish_non_exhaustive()
    }
}

/// What all actors of one [`Restarting`] have in common.
struct Lives<R: Restartable> {
    node: Node,
    /// For the log.
    what: String,
    spec: R,
    state: Arc<Lock<State<R::Actor>>>,
}

/// The [`Lives`] of a [`Supervised`], which does not know its actor's type.
trait Resume: Send + Sync {
    /// Starts the next actor after a pause; the one before has `lived` this long.
    fn start_again(self: Arc<Self>, restarts: Restarts, lived: Duration, why: &str);
    fn node(&self) -> &Node;
}

impl<R: Restartable> Lives<R> {
    fn begin(self: &Arc<Self>, restarts: Restarts) -> Result<()> {
        if self.state.lock().ended {
            self.spec.ended_in_pause();
            return Ok(());
        }
        let lives = self.clone();
        let supervised = Supervised { lives, restarts, since: Instant::now(), ended: false };
        let actor = self.spec.start(supervised)?;
        let mut state = self.state.lock();
        if state.ended {
            drop(state);
            self.spec.stop(actor);
        } else {
            state.actor = Some(actor);
        }
        Ok(())
    }
}

impl<R: Restartable> Resume for Lives<R> {
    fn start_again(self: Arc<Self>, mut restarts: Restarts, lived: Duration, why: &str) {
        let what = &self.what;
        let Some(pause) = restarts.pause_after(&RestartPolicy::default(), lived) else {
            log::error!(
                "{what} {why} {MAX_RESTARTS} more times and stays down: a bug, please report it"
            );
            return;
        };
        log::error!("{what} {why}: a bug, please report it; it is started again in {pause:?}");
        self.node.clone().spawn_on(0, async move {
            tokio::time::sleep(pause).await;
            if self.node.is_stopping() {
                return;
            }
            if let Err(error) = self.begin(restarts) {
                let why = format!("could not be started again ({})", error.one_line());
                self.start_again(restarts, Duration::ZERO, &why);
            }
        });
    }

    fn node(&self) -> &Node {
        &self.node
    }
}

/// Kept by an actor as the last field of its state: starts another actor if a panic drops it before
/// [`Supervised::end`] was called.
pub struct Supervised {
    lives: Arc<dyn Resume>,
    restarts: Restarts,
    since: Instant,
    ended: bool,
}

impl Supervised {
    /// Announces that the actor ends on purpose.
    pub fn end(&mut self) {
        self.ended = true;
    }
}

impl Drop for Supervised {
    /// Another actor is started only while a panic unwinds: whatever else drops this one, such as
    /// the end of the actix System, ends it.
    fn drop(&mut self) {
        if !self.ended && thread::panicking() && !self.lives.node().is_stopping() {
            self.lives.clone().start_again(self.restarts, self.since.elapsed(), "panicked");
        }
    }
}
