//! The actor at one end of a tunnelled connection.
//!
//! * Owns: a [`StreamEnd`]: the application's socket, the stream's state, and a random address that
//!   only the other end of the stream may send to.
//! * States: those of [`Stream`](crate::portal::protocol::stream::Stream).
//! * Inboxes: portal messages and notices from the other end, in the inbox; all else wakes the
//!   actor's task, which then polls the end: the socket, room on the first edge, the loss of the
//!   first hop, the timers. So there is one task and one wake-up for each turn.
//! * Started by an [`inlet`](crate::portal::inlet) for a client and by an
//!   [`outlet`](crate::portal::outlet) for an `Open`, on the arbiter of the stream's first hop;
//!   stops when the stream is finished.
//! * A panic drops the socket with `SO_LINGER` 0, so that the application sees a reset, and tells
//!   the other end as it is dropped. It is not started again: nothing could go on where it ended.
//! * A stream whose first hop does not tell of every loss (a relay, or an intermediate node that
//!   only forwards) repeats its limit when nothing has come for
//!   [`SILENCE`](crate::portal::limits::SILENCE): if the other end is gone, the notice that comes
//!   back resets it.

use std::{
    pin::Pin,
    task::{Context as Task, Poll},
};

use actix::{fut::ActorFuture, Actor, ActorContext, AsyncContext, Context, Handler};
use ockam_actix_runtime::{socket::stream::Socket, worker::mailbox::Registered, Payload, Routed};

use crate::portal::end::{config::StreamConfig, stream_end::StreamEnd};

/// The actor of one end of a stream.
pub(crate) struct StreamWorker {
    end: StreamEnd,
}

impl StreamWorker {
    /// The actor of an end as described; `socket` is the client's.
    pub(crate) fn new(config: StreamConfig, socket: Option<Socket>) -> Self {
        Self { end: StreamEnd::new(config, socket) }
    }

    /// A stream whose socket was lost while it was moved to this arbiter: it resets at once.
    pub(crate) fn without_socket(config: StreamConfig) -> Self {
        Self { end: StreamEnd::without_socket(config) }
    }
}

impl Actor for StreamWorker {
    type Context = Context<Self>;
}

impl Drop for StreamWorker {
    /// An actor that ends before its stream does, in a node that goes on, has panicked.
    fn drop(&mut self) {
        self.end.abandon();
    }
}

impl Handler<Registered> for StreamWorker {
    type Result = ();

    fn handle(&mut self, Registered(registration): Registered, context: &mut Context<Self>) {
        self.end.begin(registration);
        context.spawn(Turns);
    }
}

impl Handler<Routed<Payload>> for StreamWorker {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut Context<Self>) {
        self.end.receive(message.into_message());
    }
}

/// Polls the end in each turn of the actor's task, after the messages of its inbox.
struct Turns;

impl ActorFuture<StreamWorker> for Turns {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        worker: &mut StreamWorker,
        context: &mut Context<StreamWorker>,
        task: &mut Task<'_>,
    ) -> Poll<()> {
        worker.end.poll(task);
        if worker.end.is_over() {
            context.stop();
        }
        Poll::Pending
    }
}
