//! Lifelines, by which one of two actors notices that the other is gone, even by a panic.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::sync::oneshot;

/// Held in an actor's state: cut when actix drops the actor, however it ended.
#[derive(Debug)]
// Nothing is ever sent: the drop is the message.
pub(super) struct Lifeline(#[allow(dead_code)] oneshot::Sender<Infallible>);

/// Resolves when the actor that holds the [`Lifeline`] is gone.
#[derive(Debug)]
pub(super) struct Gone(oneshot::Receiver<Infallible>);

/// A lifeline for one actor, and the future that the other awaits.
pub(super) fn lifeline() -> (Lifeline, Gone) {
    let (sender, receiver) = oneshot::channel();
    (Lifeline(sender), Gone(receiver))
}

impl Future for Gone {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(context).map(drop)
    }
}
