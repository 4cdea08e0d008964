//! The actor at one end of a tunnelled connection.
//!
//! * Owns: a [`StreamEnd`]: the application's socket, the stream's state, and a random address that
//!   only the other end of the stream may send to.
//! * States: those of [`Stream`](crate::portal::protocol::stream::Stream).
//! * Inboxes: portal messages and notices from the other end, in the inbox; [`GoOn`] at the outlet,
//!   when the inlet has come back; [`ResetNow`] when the node stops; all else wakes the actor's
//!   task, which then polls the end: the socket, room on the first edge, the loss of the first hop,
//!   the timers. So there is one task and one wake-up for each turn.
//! * Started by an [`inlet`](crate::portal::inlet) for a client and by an
//!   [`outlet`](crate::portal::outlet) for an `Open`, on the arbiter of the stream's first hop;
//!   stops when the stream is finished.
//! * A stream that is resumed goes on in a new actor, with a new address: so nothing that was sent
//!   along the old path can reach it any more.
//! * A panic drops the socket with `SO_LINGER` 0, so that the application sees a reset, and tells
//!   the other end as it is dropped. It is not started again: nothing could go on where it ended.
//! * A stream whose first hop does not tell of every loss (a relay, or an intermediate node that
//!   only forwards) repeats its limit when nothing has come for
//!   [`SILENCE`](crate::portal::limits::SILENCE): if the other end is gone, the notice that comes
//!   back suspends or resets it. One that can be resumed does so after a minute wherever it goes,
//!   as its other end may wait for another path although this one is there.

use std::{
    pin::Pin,
    task::{Context as Task, Poll},
};

use actix::{fut::ActorFuture, Actor, ActorContext, AsyncContext, Context, Handler};
use ockam_actix_runtime::{
    edge::first_hop::FirstHop, node::entry::Description, socket::stream::Socket,
    worker::mailbox::Registered, Host, Payload, Routed,
};

use crate::portal::{
    end::{
        config::StreamConfig,
        stream_end::{Progress, StreamEnd},
    },
    kept_streams::GoOn,
    pool::ResetNow,
};

/// The actor of one end of a stream.
pub(crate) struct StreamWorker {
    /// `None` once the stream goes on in another actor.
    end: Option<StreamEnd>,
}

impl StreamWorker {
    /// The actor of an end as described; `socket` is the client's.
    pub(crate) fn new(config: StreamConfig, socket: Option<Socket>) -> Self {
        Self { end: Some(StreamEnd::new(config, socket)) }
    }

    /// A stream whose socket was lost while it was moved to this arbiter: it resets at once.
    pub(crate) fn without_socket(config: StreamConfig) -> Self {
        Self { end: Some(StreamEnd::without_socket(config)) }
    }

    /// Hands the end over to a new actor, with an address that is answered over `first_hop`.
    fn hand_over(&mut self, first_hop: &FirstHop, context: &mut Context<Self>) {
        context.stop();
        let Some(end) = self.end.take() else { return };
        let node = end.node().clone();
        let next = Self { end: Some(end) };
        if let Err(error) = node.launch_here(Description::answered_over(first_hop), next) {
            log::debug!("a stream cannot be resumed: {error}");
        }
    }
}

impl Actor for StreamWorker {
    type Context = Context<Self>;
}

impl Drop for StreamWorker {
    /// An actor that ends before its stream does, in a node that goes on, has panicked.
    fn drop(&mut self) {
        if let Some(end) = &mut self.end {
            end.abandon();
        }
    }
}

impl Handler<Registered> for StreamWorker {
    type Result = ();

    fn handle(&mut self, Registered(registration): Registered, context: &mut Context<Self>) {
        if let Some(end) = &mut self.end {
            end.begin(registration);
            end.held_by(&context.address());
            context.spawn(Turns);
        }
    }
}

impl Handler<Routed<Payload>> for StreamWorker {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut Context<Self>) {
        if let Some(end) = &mut self.end {
            end.receive(message.into_message());
        }
    }
}

impl Handler<GoOn> for StreamWorker {
    type Result = ();

    fn handle(&mut self, resume: GoOn, context: &mut Context<Self>) {
        let first_hop = resume.first_hop.clone();
        if self.end.as_mut().is_some_and(|end| end.go_on_as_asked(resume)) {
            self.hand_over(&first_hop, context);
        }
    }
}

impl Handler<ResetNow> for StreamWorker {
    type Result = ();

    fn handle(&mut self, _: ResetNow, _: &mut Context<Self>) {
        if let Some(end) = &mut self.end {
            end.stop();
        }
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
        let Some(end) = &mut worker.end else { return Poll::Ready(()) };
        match end.poll(task) {
            Progress::Waits => {}
            Progress::NewPath(first_hop) => {
                end.go_on(first_hop.clone());
                worker.hand_over(&first_hop, context);
            }
            Progress::Over => context.stop(),
        }
        Poll::Pending
    }
}
