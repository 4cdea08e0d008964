//! An arbiter: where a node's actors run.
//!
//! It is a thread of its own with an event loop. In a simulated network all nodes run on the one
//! thread of the test, each as a [task](crate::simulated::arbiter) that polls the node's own.

use std::future::Future;

use actix::{dev::channel, Actor, Addr, Context as ActorContext};
use actix_rt::ArbiterHandle;

#[cfg(feature = "testing")]
use crate::simulated::{arbiter::LocalArbiter, Host};
use crate::{
    error::Result,
    node::{
        current::enter,
        router::Router,
        threads::{OwnSystem, Threads},
    },
};

/// Messages that an actor's mailbox has room for, as actix has it: what goes there is bounded by
/// budgets, or is one control message.
const MAILBOX: usize = 16;

/// One arbiter of the node, and its router actor.
pub(super) struct Arbiter {
    executor: Executor,
    router: Addr<Router>,
}

#[derive(Clone)]
enum Executor {
    Thread(ArbiterHandle),
    #[cfg(feature = "testing")]
    Local(LocalArbiter),
}

impl Executor {
    fn spawn_fn(&self, function: impl FnOnce() + Send + 'static) {
        match self {
            Self::Thread(thread) => {
                thread.spawn_fn(function);
            }
            #[cfg(feature = "testing")]
            Self::Local(arbiter) => arbiter.spawn(Box::pin(async { function() })),
        }
    }

    /// Starts an actor.
    fn start<A, F>(&self, make: F) -> Addr<A>
    where
        A: Actor<Context = ActorContext<A>>,
        F: FnOnce(&mut ActorContext<A>) -> A + Send + 'static,
    {
        let (sender, receiver) = channel::channel(MAILBOX);
        self.spawn_fn(move || {
            let mut context = ActorContext::with_receiver(receiver);
            let actor = make(&mut context);
            context.run(actor);
        });
        Addr::new(sender)
    }

    fn has_ended(&self) -> bool {
        match self {
            Self::Thread(thread) => !thread.alive(),
            #[cfg(feature = "testing")]
            Self::Local(_) => false,
        }
    }

    fn stop(&self) {
        match self {
            Self::Thread(thread) => {
                thread.stop();
            }
            #[cfg(feature = "testing")]
            Self::Local(arbiter) => arbiter.stop(),
        }
    }
}

/// The arbiters of a node, before their routers are started.
pub(super) struct Started {
    executors: Vec<Executor>,
    system: Option<OwnSystem>,
}

impl Started {
    /// `count` threads for the node with this `id`, with a `System` of their own if there is none.
    ///
    /// # Errors
    /// If the system has no more threads.
    pub(super) async fn threads(count: usize, id: u64) -> Result<Self> {
        let Threads { arbiters, system } = Threads::start(count).await?;
        for (index, thread) in arbiters.iter().enumerate() {
            thread.spawn_fn(move || {
                enter(Some((id, index)));
            });
        }
        Ok(Self { executors: arbiters.into_iter().map(Executor::Thread).collect(), system })
    }

    /// One task of the `System` of this thread.
    #[cfg(feature = "testing")]
    pub(super) fn simulated(host: &Host, id: u64) -> Self {
        Self { executors: vec![Executor::Local(LocalArbiter::start(host, id))], system: None }
    }

    /// The node's own `System`, if there was none.
    pub(super) fn take_system(&mut self) -> Option<OwnSystem> {
        self.system.take()
    }

    /// Starts the routers that `router` makes.
    pub(super) fn with_routers(self, router: impl Fn() -> Router) -> Vec<Arbiter> {
        let arbiter = |executor: Executor| {
            let router = router();
            Arbiter { router: executor.start(|_| router), executor }
        };
        self.executors.into_iter().map(arbiter).collect()
    }
}

impl Arbiter {
    /// The actor that takes messages from other threads.
    pub(super) fn router(&self) -> &Addr<Router> {
        &self.router
    }

    /// Runs `task` there.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match &self.executor {
            Executor::Thread(thread) => {
                thread.spawn(task);
            }
            #[cfg(feature = "testing")]
            Executor::Local(arbiter) => arbiter.spawn(Box::pin(task)),
        }
    }

    /// Runs a task there that cannot be sent; only in a simulated network.
    #[cfg(feature = "testing")]
    pub(super) fn spawn_local(&self, task: std::pin::Pin<Box<dyn Future<Output = ()>>>) {
        if let Executor::Local(arbiter) = &self.executor {
            arbiter.spawn_local(task);
        }
    }

    /// Starts an actor there.
    pub(super) fn start<A, F>(&self, make: F) -> Addr<A>
    where
        A: Actor<Context = ActorContext<A>>,
        F: FnOnce(&mut ActorContext<A>) -> A + Send + 'static,
    {
        self.executor.start(make)
    }

    /// Whether nothing can run there any more.
    pub(super) fn has_ended(&self) -> bool {
        self.executor.has_ended()
    }

    /// Ends all that runs there.
    pub(super) fn stop(&self) {
        self.executor.stop();
    }
}
