//! Deliberate panics, for tests only: compiled with the feature `faults`.
//!
//! Every actor that a node starts carries a fuse: a future of its own that panics in the actor's
//! task when a test lights it, as a handler with a bug would.

use std::{
    future::Future,
    pin::Pin,
    task::{Context as TaskContext, Poll},
};

use actix::{fut::ActorFuture, Actor, AsyncContext, Context as ActorContext};
use tokio::sync::oneshot;

use crate::lock::Lock;

/// The fuses of a node's actors, kept as its extension; those of actors that have ended are removed
/// as others start.
#[derive(Default)]
pub(crate) struct Fuses(Lock<Vec<Lighter>>);

impl Fuses {
    /// Makes every actor whose type has the name `kind` panic; gives how many those are.
    pub(crate) fn light(&self, kind: &str) -> usize {
        let mut all = self.0.lock();
        let lit: Vec<_> = all.extract_if(.., |fuse| fuse.kind == kind).collect();
        drop(all);
        lit.into_iter().filter_map(|fuse| fuse.light.send(()).ok()).count()
    }
}

struct Lighter {
    kind: &'static str,
    light: oneshot::Sender<()>,
}

struct Fuse {
    kind: &'static str,
    lit: oneshot::Receiver<()>,
}

/// Makes an actor with `make`, and spawns its fuse after all that `make` has put into its context.
pub(crate) fn with_fuse<A, F>(fuses: &Fuses, make: F) -> impl FnOnce(&mut ActorContext<A>) -> A
where
    A: Actor<Context = ActorContext<A>>,
    F: FnOnce(&mut ActorContext<A>) -> A,
{
    let name = std::any::type_name::<A>();
    // The parameters of a generic actor have paths too.
    let name = name.split('<').next().unwrap_or(name);
    let kind = name.rsplit_once("::").map_or(name, |(_, kind)| kind);
    let (light, lit) = oneshot::channel();
    let mut all = fuses.0.lock();
    // Only now and then, so that each of ten thousand actors starts as quickly as the first.
    if all.len() == all.capacity() {
        all.retain(|fuse| !fuse.light.is_closed());
    }
    all.push(Lighter { kind, light });
    drop(all);
    move |context| {
        let actor = make(context);
        context.spawn(Fuse { kind, lit });
        actor
    }
}

impl<A: Actor> ActorFuture<A> for Fuse {
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        _: &mut A,
        _: &mut A::Context,
        task: &mut TaskContext<'_>,
    ) -> Poll<()> {
        let kind = self.kind;
        Pin::new(&mut self.lit).poll(task).map(|lit| {
            assert!(lit.is_err(), "a fault was injected into {kind}");
        })
    }
}
