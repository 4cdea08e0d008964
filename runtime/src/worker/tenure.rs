//! The tenure of a worker's address by one actor: it stops the actor on request, and when the actor
//! ends, the address ends too, or another actor takes over.
//!
//! A [`Tenure`] lives in the context of every actor that [`Node::worker`] starts, so that it is
//! dropped after the actor and its `stopped` hook, however the actor ends. actix drops an actor
//! while a panic in it unwinds: this is how a panic is told from an end on purpose.
//!
//! While a worker waits for its next actor, its address stays in use. Messages that wait, and those
//! that come, wait in the inbox, as far as its budget goes: only the message that the panic came
//! from is lost, and its sender is told. [`Node::stop_worker`] ends the pause.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
    thread,
    time::Duration,
};

use actix::{fut::ActorFuture, Actor, ActorContext as _, AsyncContext, Context as ActorContext};
use futures::FutureExt;
use tokio::{
    sync::oneshot,
    time::{sleep, Instant},
};

use crate::{
    node::{directory::Registration, Busy, Node},
    worker::{
        inbox::Inbox,
        letter::LetterFor,
        restart::{RestartPolicy, Restarts},
    },
};

/// What all actors of one worker have in common.
pub(crate) struct Line<A, L> {
    /// Does not keep the node running, as the node keeps the worker.
    pub(crate) node: Node,
    pub(crate) arbiter: usize,
    pub(crate) inbox: Arc<Inbox<L>>,
    pub(crate) successors: Option<Successors<A>>,
}

/// How actors follow one that has panicked.
pub(crate) struct Successors<A> {
    pub(crate) policy: RestartPolicy,
    pub(crate) make: Box<dyn Fn() -> A + Send + Sync>,
}

impl<A, L> Line<A, L>
where
    A: Actor<Context = ActorContext<A>>,
    L: LetterFor<A>,
{
    /// Starts an actor that holds the address from now on.
    pub(crate) fn begin<F>(self: Arc<Self>, registration: Registration, restarts: Restarts, make: F)
    where
        F: FnOnce(&Self) -> A + Send + 'static,
    {
        let (node, arbiter) = (self.node.clone(), self.arbiter);
        let tenure = Tenure {
            stop: Some(registration.entry().stop_signal()),
            registration: Some(registration),
            line: self.clone(),
            restarts,
            since: Instant::now(),
            _alive: node.alive(),
        };
        node.start_on(arbiter, move |context| {
            context.spawn(self.inbox.intake());
            context.spawn(tenure);
            make(&self)
        });
    }
}

/// The [`Line`] of a [`Tenure`], which does not know its actor's type.
trait Succession: Send + Sync {
    /// The pause before the next actor; `None` if none follows.
    fn pause_after(&self, restarts: &mut Restarts, lived: Duration) -> Option<Duration>;

    /// Has another actor hold the address after the pause.
    fn succeed(self: Arc<Self>, registration: Registration, restarts: Restarts, pause: Duration);

    /// Returns what waits to its senders, as no actor follows.
    fn end(&self);
}

impl<A, L> Succession for Line<A, L>
where
    A: Actor<Context = ActorContext<A>>,
    L: LetterFor<A>,
{
    fn pause_after(&self, restarts: &mut Restarts, lived: Duration) -> Option<Duration> {
        if self.node.is_stopping() {
            return None;
        }
        self.successors.as_ref().and_then(|next| restarts.pause_after(&next.policy, lived))
    }

    fn succeed(self: Arc<Self>, registration: Registration, restarts: Restarts, pause: Duration) {
        let (node, alive) = (self.node.clone(), self.node.alive());
        let stop = registration.entry().stop_signal();
        node.spawn_on(self.arbiter, async move {
            tokio::select! {
                biased;
                _ = stop => self.end(),
                () = sleep(pause) => self.begin(registration, restarts, |line| {
                    let next = line.successors.as_ref().expect("it has had a pause from them");
                    (next.make)()
                }),
            }
            drop(alive);
        });
    }

    fn end(&self) {
        self.inbox.end();
    }
}

/// Lives in a worker's context, where it is dropped with the actor.
struct Tenure {
    /// `Some` until this is dropped.
    registration: Option<Registration>,
    /// `None` once it has asked the actor to stop.
    stop: Option<oneshot::Receiver<()>>,
    line: Arc<dyn Succession>,
    restarts: Restarts,
    since: Instant,
    /// The node that stops waits for it.
    _alive: Busy,
}

impl<A: Actor<Context = ActorContext<A>>> ActorFuture<A> for Tenure {
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        _: &mut A,
        context: &mut ActorContext<A>,
        task: &mut TaskContext<'_>,
    ) -> Poll<()> {
        let is_to_stop = self.stop.as_mut().is_some_and(|stop| stop.poll_unpin(task).is_ready());
        if is_to_stop {
            self.stop = None;
            context.stop();
        }
        // It stays until the actor is gone.
        Poll::Pending
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        let Some(registration) = self.registration.take() else { return };
        if !thread::panicking() {
            self.line.end();
            return;
        }
        let address = registration.address();
        let pause = match registration.entry().life.has_ended() {
            true => None,
            false => self.line.pause_after(&mut self.restarts, self.since.elapsed()),
        };
        match pause {
            Some(pause) => {
                log::error!("the worker \"{address}\" panicked; it is started again in {pause:?}");
                self.line.clone().succeed(registration, self.restarts, pause);
            }
            None => {
                log::error!("the worker \"{address}\" panicked and stays down");
                self.line.end();
            }
        }
    }
}
