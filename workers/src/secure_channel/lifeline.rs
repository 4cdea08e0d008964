//! How one of two actors notices that the other is gone, also by a panic.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::sync::oneshot;

/// Held by an actor in its state: cut when actix drops it, however it ended.
#[derive(Debug)]
// Nothing is ever sent: that it is dropped is the message.
pub(super) struct Lifeline(#[allow(dead_code)] oneshot::Sender<Infallible>);

/// Resolves when the actor that holds the [`Lifeline`] is gone.
#[derive(Debug)]
pub(super) struct Gone(oneshot::Receiver<Infallible>);

/// A lifeline for one actor, and what the other waits for.
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
