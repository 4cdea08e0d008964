//! The actor at one end of a tunnelled connection.
//!
//! * Owns: the application's socket, the bytes that wait for it, the [`Stream`]'s state, and a
//!   random address that only the other end of the stream may send to.
//! * States: those of [`Stream`].
//! * Inboxes: portal messages and notices from the other end, in the inbox; the socket, the first
//!   edge's budget, the loss of the first hop and the silence timer, in [`Io`], which runs inside
//!   the actor's own task.
//! * Started by an [`inlet`](crate::portal::inlet) for a client and by an
//!   [`outlet`](crate::portal::outlet) for an `Open`, on the arbiter of the stream's first hop;
//!   stops when the stream is finished.
//! * A panic drops the socket with `SO_LINGER` 0, so that the application sees a reset, and tells
//!   the other end as it is dropped. It is not started again: nothing could go on where it ended.
//! * A stream whose first hop does not tell of every loss (a relay, or an intermediate node that
//!   only forwards) repeats its limit when nothing has come for
//!   [`SILENCE`](crate::portal::limits::SILENCE): if the other end is gone, the notice that comes
//!   back resets it.
//!
//! Ring of imports: the worker and its socket side, [`Io`], are one object in two files, as the
//! socket is polled inside the worker's task and acts on the worker's state.

mod socket;

use std::{fmt, rc::Rc, time::Duration};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use bytes::{Buf, Bytes};
use ockam_actix_runtime::{
    clock::Instant,
    edge::first_hop::FirstHop,
    limits::{HEADROOM_BYTES, TAILROOM_BYTES},
    message::MessageKind,
    node::{directory::Registration, Busy},
    socket::stream::Socket,
    worker::mailbox::Registered,
    Host, Message, MessageParts, Node, Notice, Payload, Permit, Route, Routed,
};

use crate::portal::{
    end::{
        config::{Side, StreamConfig},
        io::Io,
        pending_controls::PendingControls,
        write_buffer::WriteBuffer,
    },
    limits::{EARLY_CREDIT, MAX_MESSAGES},
    pool::StreamSlot,
    protocol::{
        action::{Action, End},
        message::{data_header, decode, Control, DecodeError, Decoded},
        reason::{ResetReason, StreamRefusal},
        round_trip::RoundTrip,
        stream::Stream,
    },
    target::{connect_target, Connected},
};

/// The actor of one end of a stream.
pub(crate) struct StreamWorker {
    pub(crate) node: Node,
    pub(crate) stream: Stream,
    pub(crate) socket: Option<Rc<Socket>>,
    /// Received bytes in order, which the socket has not taken.
    pub(crate) write_buffer: WriteBuffer,
    pub(crate) first_hop: FirstHop,
    /// The epoch of the first hop's link when the stream began; the stream ends with it.
    pub(crate) epoch: u64,
    /// The route to the other end: at first to the outlet's name, then to that end's own address.
    route: Route,
    /// Our own address, as a return route.
    back: Route,
    /// Messages that go with the next bytes from the socket, or else alone when this turn ends and
    /// the first edge has room.
    pending: PendingControls,
    side: Side,
    begun: Instant,
    round_trip: RoundTrip,
    registration: Option<Registration>,
    slot: StreamSlot,
    /// At the outlet: whether the target has not answered yet.
    is_connecting: bool,
    /// Whether the socket's error was taken: what can still be read is all that is left.
    pub(crate) was_reset: bool,
    /// Whether the application had ended its direction before that; otherwise an end that a read
    /// finds now is not one.
    pub(crate) ended_first: bool,
    /// At the outlet: whether `Opened` waits for the target's answer, to go with it.
    pub(crate) expects_answer: bool,
    /// Whether anything has come since the last check for silence.
    heard: bool,
    _busy: Busy,
}

impl StreamWorker {
    pub(crate) fn new(config: StreamConfig, socket: Option<Socket>) -> Self {
        let busy = config.node.busy();
        Self {
            node: config.node,
            stream: config.stream,
            socket: socket.map(Rc::new),
            write_buffer: WriteBuffer::default(),
            epoch: config.first_hop.state().epoch,
            first_hop: config.first_hop,
            round_trip: match config.side {
                Side::Inlet { .. } => RoundTrip::default(),
                Side::Outlet { .. } => RoundTrip::after_early(EARLY_CREDIT),
            },
            route: config.route,
            back: Route::new(),
            pending: PendingControls::default(),
            side: config.side,
            begun: Instant::now(),
            registration: None,
            slot: config.slot,
            is_connecting: false,
            was_reset: false,
            ended_first: false,
            expects_answer: false,
            heard: false,
            _busy: busy,
        }
    }

    /// A stream whose socket was lost while it was moved to this arbiter: it resets at once.
    pub(crate) fn without_socket(config: StreamConfig) -> Self {
        let mut worker = Self::new(config, None);
        worker.stream.socket_reset();
        worker
    }

    /// Sends bytes that were read from the socket, and ahead of them the pending messages.
    pub(crate) fn send_data(&mut self, mut payload: Payload, permit: Permit) {
        let length = payload.len();
        let Ok(offset) = self.stream.socket_read(length) else {
            // Only more than `readable()` is refused, and `Io` reads at most that.
            return self.stream.stop(ResetReason::Stopped);
        };
        payload.prepend(&data_header(offset, u32::try_from(length).unwrap_or(u32::MAX)));
        payload.prepend(&self.pending.take());
        self.send(payload, Some(permit));
    }

    /// Whether there are pending messages that found no bytes to go with.
    pub(crate) fn has_unsent(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Sends the pending messages that found no bytes to go with.
    pub(crate) fn flush(&mut self, permit: Option<Permit>) {
        let payload = Payload::from(&self.pending.take()[..]);
        self.send(payload, permit);
    }

    /// Sends a payload in its order, also after the route has changed with the first answer.
    fn send(&self, payload: Payload, permit: Option<Permit>) {
        let mut message = Message::new(self.route.clone(), self.back.clone(), payload);
        message.kind = self.side.kind();
        message.permit = match self.back.first() {
            Some(own) => permit.map(|permit| permit.of_flow(own.clone())),
            None => permit,
        };
        self.node.route(message);
    }

    /// Notes that nothing reaches the other end any more.
    pub(crate) fn lose_first_hop(&mut self) {
        self.pending = PendingControls::default();
        self.stream.path_lost();
    }

    /// Whether the stream has ended and nothing is left to be done for it.
    pub(crate) fn is_over(&self) -> bool {
        self.stream.end().is_some() && self.pending.is_empty() && !self.has_last_words()
    }

    /// An empty payload for a read of up to `capacity` bytes, with the room that the headers need.
    pub(crate) fn read_buffer(capacity: usize) -> Payload {
        Payload::with_headroom(HEADROOM_BYTES, capacity + TAILROOM_BYTES)
    }

    /// Notes that the socket took bytes.
    pub(crate) fn socket_wrote(&mut self, bytes: usize) {
        self.stream.set_receive_cap(self.slot.receive_cap());
        let now = self.begun.elapsed();
        if let Err(misuse) = self.stream.socket_wrote(bytes, now, self.round_trip.estimate()) {
            log::error!("a bug in a portal, please report it: {misuse}");
            self.stream.stop(ResetReason::Stopped);
        }
        self.slot.promise(self.stream.promised());
    }

    /// Performs what the stream's state asks for. Messages to the other end go with the next bytes,
    /// or at the end of the turn: [`Io`], which runs last in every turn, sends them then, and stops
    /// the actor when it [`is_over`](Self::is_over).
    pub(crate) fn perform_actions(&mut self) {
        if self.expects_answer && self.stream.end().is_none() {
            return;
        }
        let mut ended_by_peer = false;
        while let Some(action) = self.stream.poll_action() {
            match action {
                Action::Send(control) => self.queue_control(control),
                Action::ShutdownWrite => ended_by_peer = true,
                Action::ResetSocket if self.has_last_words() => {}
                Action::ResetSocket => {
                    self.write_last();
                    // Closed with `SO_LINGER` 0, which it has had from the start.
                    self.socket = None;
                }
                Action::Finished(end) => self.finish(end),
            }
        }
        if ended_by_peer {
            self.slot.promise(self.stream.promised());
            self.shut_down();
        }
    }

    fn queue_control(&mut self, control: Control<'static>) {
        self.round_trip.sent(&control, self.begun.elapsed());
        self.pending.push(control);
    }

    /// Checks a stream that has lasted. Returns when to check again, as long as nothing else would
    /// tell of a loss.
    pub(crate) fn check_silence(&mut self) -> Option<Duration> {
        self.keep_alive();
        if self.is_watched() {
            return None;
        }
        if !std::mem::take(&mut self.heard) {
            self.stream.handle_silence();
        }
        Some(self.silence())
    }

    /// How long it may be silent before it is checked.
    pub(crate) fn silence(&self) -> Duration {
        self.slot.silence()
    }

    /// Whether the first hop tells of every loss between the two ends: the other end lives right
    /// after the connection or the channel.
    fn is_watched(&self) -> bool {
        self.first_hop.is_watched() && self.route.len() <= 2 && self.stream.is_established()
    }

    fn finish(&mut self, end: End) {
        if let (End::Clean, Some(socket)) = (end, &self.socket) {
            let _ = socket.set_resets_on_close(false);
        }
        // Closed, which ends both directions.
        self.socket = None;
        if let End::ByPeer(_) = end {
            // Nobody waits for the pending messages.
            self.pending = PendingControls::default();
        }
        if self.has_last_words() {
            // Its address is given back: for the rest of its life, nobody else knows of it.
            self.registration = None;
        }
        match (&self.side, end) {
            (Side::Inlet { client }, End::Refused(reason)) => {
                self.warn(
                    "client-reset",
                    format_args!(
                        "reset the client {client}: {} (through {})",
                        reason.text(),
                        self.route
                    ),
                );
            }
            (Side::Inlet { client }, end) => {
                log::debug!("the stream of client {client} ended: {end:?}")
            }
            (Side::Outlet { target, .. }, end) => {
                log::debug!("a stream to {target} ended: {end:?}")
            }
        }
    }

    fn receive(&mut self, message: Message) {
        // The permit is dropped with the envelope: the stream's credit bounds these bytes from
        // here on, so the sender's edge is free again.
        let MessageParts { payload, return_route, .. } = message.into_parts();
        let mut rest = payload.into_bytes();
        for _ in 0..MAX_MESSAGES {
            if let Err(error) = self.receive_first(&mut rest, &return_route) {
                return self.malformed(&return_route, &error);
            }
            if rest.is_empty() {
                return;
            }
        }
        self.malformed(&return_route, &DecodeError::TooMany);
    }

    /// Takes the first message off `rest`.
    fn receive_first(&mut self, rest: &mut Bytes, return_route: &Route) -> Result<(), DecodeError> {
        let (decoded, length) = decode(rest)?;
        if let Decoded::Control(Control::Opened { .. }) = decoded {
            self.route = return_route.clone();
        }
        self.round_trip.received(&decoded, self.begun.elapsed());
        match self.stream.handle_message(decoded) {
            Ok(Some(range)) => {
                let mut data = rest.split_to(length);
                data.truncate(range.end);
                data.advance(range.start);
                self.write_buffer.push(data);
                return Ok(());
            }
            Ok(None) => {}
            Err(violation) => {
                let what =
                    format_args!("the other end of a stream broke the protocol: {violation}");
                self.warn("portal-protocol", what);
            }
        }
        rest.advance(length);
        Ok(())
    }

    fn malformed(&mut self, return_route: &Route, error: &DecodeError) {
        let what = format_args!("a portal message from {return_route} is malformed: {error}");
        self.warn("portal-protocol", what);
        self.stream.handle_garbage();
    }

    fn undeliverable(&mut self, message: &Message) {
        let Some(notice) = Notice::decode(&message.payload) else { return };
        // Where both directions had ended, nothing is lost.
        let had_ended = self.stream.end().is_some();
        self.lose_first_hop();
        match &self.side {
            Side::Inlet { client } if !had_ended && self.stream.end().is_some() => {
                self.warn(
                    "client-reset",
                    format_args!("reset the client {client}: nothing passes {notice}"),
                );
            }
            _ => log::debug!("a stream's message was not delivered: {notice}"),
        }
    }

    /// At the outlet: connects to the target first.
    fn connect(&mut self, context: &mut Context<Self>) {
        let Side::Outlet { target, .. } = &self.side else { return };
        let network = self.node.network().clone();
        let connecting = connect_target(network, target.clone()).into_actor(self);
        self.is_connecting = true;
        // `Io` runs next, in the same turn of this actor's task.
        context.spawn(connecting.map(|connected, actor, _| {
            actor.is_connecting = false;
            match connected {
                Ok(Connected { socket, .. }) if actor.stream.end().is_some() => {
                    actor.socket = Some(Rc::new(socket));
                    actor.write_last();
                    actor.socket = None;
                }
                Err(_) if actor.stream.end().is_some() => {}
                Ok(Connected { socket, reset }) => {
                    actor.socket = Some(Rc::new(socket));
                    if let Some(error) = reset {
                        actor.note_reset(&error);
                    }
                    actor.expects_answer = actor.client_asked();
                    actor.stream.connected();
                    let written = actor.write_speculative();
                    if written > 0 {
                        actor.socket_wrote(written);
                    }
                }
                Err(refusal) => actor.refuse(refusal.reason, &refusal.why),
            }
            actor.perform_actions();
        }));
    }

    /// Whether the client sent something short, and no end, before the target was connected: an
    /// answer is likely then. Nothing waits for `Opened`, since the client may send more without
    /// it.
    fn client_asked(&self) -> bool {
        let sent = self.write_buffer.bytes();
        sent > 0 && sent as u64 <= EARLY_CREDIT / 2 && !self.stream.is_ended_by_peer()
    }

    /// Warns in the refusal log, since clients and peers can cause as many of these as they like.
    fn warn(&self, rule: &'static str, what: fmt::Arguments<'_>) {
        self.node.refusals().warn(rule, what);
    }

    fn refuse(&mut self, reason: StreamRefusal, why: &str) {
        if let Side::Outlet { target, .. } = &self.side {
            let what =
                format_args!("cannot connect to the target {target}: {why}; the client is reset");
            self.warn("target-unreachable", what);
        }
        self.stream.refuse(reason);
    }
}

impl Actor for StreamWorker {
    type Context = Context<Self>;
}

impl Drop for StreamWorker {
    /// An actor that ends before its stream does, in a node that goes on, has panicked.
    fn drop(&mut self) {
        let begun = self.registration.is_some();
        if begun && self.stream.end().is_none() && !self.node.is_stopping() {
            self.stream.stop(ResetReason::Stopped);
            if let Some(Action::Send(reset)) = self.stream.poll_action() {
                self.queue_control(reset);
                // Nobody is there to wait for a permit.
                self.flush(self.first_hop.budget.try_acquire_urgent());
            }
        }
    }
}

impl Handler<Registered> for StreamWorker {
    type Result = ();

    fn handle(&mut self, Registered(registration): Registered, context: &mut Context<Self>) {
        self.back = Route::from(registration.address().clone());
        self.registration = Some(registration);
        self.perform_actions();
        self.connect(context);
        context.spawn(Io::default());
    }
}

impl Handler<Routed<Payload>> for StreamWorker {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut Context<Self>) {
        let message = message.into_message();
        (self.expects_answer, self.heard) = (false, true);
        match message.kind {
            MessageKind::Notice => self.undeliverable(&message),
            _ => self.receive(message),
        }
        // `Io` runs next, in the same turn of this actor's task, and writes what waits.
        self.perform_actions();
    }
}
