//! One end of a stream: the stream's state, the application's socket and the path to the other end,
//! and how what comes from each becomes what goes to the others.
//!
//! [`poll`](StreamEnd::poll) reads top to bottom: what was lost, what has come from the
//! application, what the stream's state asks for, what is left to send.

mod from_application;
mod from_peer;
mod resuming;

use std::{
    fmt,
    task::{Context, Poll},
    time::Duration,
};

use ockam_actix_runtime::{
    clock::Instant,
    edge::first_hop::FirstHop,
    metrics::{listing::Recorded, portal::StreamRecord, Metrics},
    node::{directory::Registration, Busy},
    socket::stream::Socket,
    Host, Node, Route,
};

use crate::portal::{
    end::{
        app_socket::AppSocket,
        config::{Side, StreamConfig},
        joined_delay::JoinedDelay,
        opening::Opening,
        path::Path,
        retained::Retained,
        silence::SilenceTimer,
        suspension::Suspension,
    },
    limits::{EARLY_CREDIT, WATCHED_SILENCES},
    pool::StreamSlot,
    protocol::{
        action::{Action, End},
        introduction::Introduction,
        message::Control,
        reason::ResetReason,
        round_trip::RoundTrip,
        stream::Stream,
    },
    socks::wire::Reply,
    target::connect::{Connected, NoTarget},
};

/// What has become of an end in a turn.
pub(crate) enum Progress {
    /// It waits for what comes next.
    Waits,
    /// It goes on over this first hop: see [`StreamEnd::go_on`].
    NewPath(FirstHop),
    /// Nothing is left to be done.
    Over,
}

/// One end of a stream, without the actor that holds it.
pub(crate) struct StreamEnd {
    node: Node,
    stream: Stream,
    socket: AppSocket,
    opening: Opening,
    path: Path,
    side: Side,
    /// Along which a path begins: to the outlet's name, or back to the inlet's end.
    route: Route,
    resume_for: Duration,
    suspension: Option<Suspension>,
    /// What was sent and not acknowledged.
    retained: Retained,
    ack_delay: Option<JoinedDelay>,
    silence: SilenceTimer,
    /// Whether anything has come since the last check for silence.
    heard: bool,
    begun: Instant,
    round_trip: RoundTrip,
    record: Recorded<StreamRecord>,
    slot: StreamSlot,
    /// Whether the stream has said that nothing follows.
    is_finished: bool,
    _busy: Busy,
}

impl StreamEnd {
    /// An end as described; `socket` is the client's.
    pub(crate) fn new(config: StreamConfig, socket: Option<Socket>) -> Self {
        let StreamConfig { node, stream, first_hop, route, side, slot, resume_for, record } =
            config;
        let (opening, round_trip) = match &side {
            Side::Inlet { .. } => (Opening::Open, RoundTrip::default()),
            Side::Outlet { dial, .. } => {
                let connecting = Opening::connect(node.network(), dial);
                (connecting, RoundTrip::after_early(EARLY_CREDIT))
            }
        };
        Self {
            path: Path::new(node.clone(), first_hop, route.clone(), side.kind()),
            stream,
            socket: AppSocket::new(socket),
            opening,
            side,
            route,
            resume_for,
            suspension: None,
            retained: Retained::default(),
            ack_delay: None,
            silence: SilenceTimer::default(),
            heard: false,
            begun: Instant::now(),
            round_trip,
            record,
            slot,
            is_finished: false,
            _busy: node.busy(),
            node,
        }
    }

    /// The application's socket was lost before the end began: it resets at once.
    pub(crate) fn without_socket(config: StreamConfig) -> Self {
        let mut end = Self::new(config, None);
        end.stream.socket_reset();
        end
    }

    /// Begins on its path, with the address that the other end answers to.
    pub(crate) fn begin(&mut self, registration: Registration) {
        self.path.begin(registration);
        self.introduce();
        self.resume();
        self.perform_actions();
    }

    /// Has an `Open` along the path introduce the client.
    fn introduce(&mut self) {
        if let Side::Inlet { introduction, .. } = &self.side {
            self.path.introduce(introduction.clone());
        }
    }

    /// Goes on with what has come since the last turn.
    pub(crate) fn poll(&mut self, task: &mut Context<'_>) -> Progress {
        self.poll_path(task);
        self.poll_silence(task);
        self.poll_connecting(task);
        self.poll_write(task);
        self.poll_answer(task);
        self.poll_resend(task);
        self.poll_read(task);
        self.poll_ack(task);
        self.perform_actions();
        self.poll_flush(task);
        // Last, as the path may be lost in any step before.
        match self.poll_suspension(task) {
            Some(first_hop) => Progress::NewPath(first_hop),
            None if self.is_over() => Progress::Over,
            None => Progress::Waits,
        }
    }

    /// Whether the stream has ended and nothing is left to be done for it.
    fn is_over(&self) -> bool {
        self.is_finished && !self.path.has_unsent() && !self.has_last_words()
    }

    /// Resets the stream, and tells the other end: the node stops.
    pub(crate) fn stop(&mut self) {
        self.opening.stop_waiting();
        self.stream.stop(ResetReason::Stopped);
        self.perform_actions();
    }

    /// Resets the stream, and tells the other end as far as that goes without waiting: the actor
    /// ends before the stream does.
    pub(crate) fn abandon(&mut self) {
        if !self.path.has_begun() || self.stream.end().is_some() || self.node.is_stopping() {
            return;
        }
        self.stream.stop(ResetReason::Stopped);
        if let Some(Action::Send(reset)) = self.stream.poll_action() {
            self.queue_control(reset);
            self.path.flush_last();
        }
    }

    // ----- the path ------------------------------------------------------------------------------

    fn poll_path(&mut self, task: &mut Context<'_>) {
        if self.path.poll_lost(task).is_ready() {
            self.lose_path();
        }
    }

    /// Checks a stream that has lasted, as long as nothing else would tell of a loss.
    fn poll_silence(&mut self, task: &mut Context<'_>) {
        if self.silence.is_unset() {
            return self.silence.set(self.slot.silence(), task);
        }
        if !self.silence.has_ended() {
            return;
        }
        self.socket.keep_alive();
        let is_watched = self.path.is_watched() && self.stream.is_established();
        if is_watched && !self.stream.is_resumable() {
            self.silence = SilenceTimer::Off;
            return;
        }
        if !std::mem::take(&mut self.heard) {
            self.stream.handle_silence();
        }
        // The other end may have left a path that is not lost, and wait for another one.
        let factor = if is_watched { WATCHED_SILENCES } else { 1 };
        self.silence.set(self.slot.silence() * factor, task);
    }

    fn poll_flush(&mut self, task: &mut Context<'_>) {
        if self.path.poll_flush(task).is_err() {
            self.lose_path();
            self.perform_actions();
        }
    }

    // ----- the application's socket --------------------------------------------------------------

    fn poll_connecting(&mut self, task: &mut Context<'_>) {
        let Poll::Ready(connected) = self.opening.poll_connected(task) else { return };
        match connected {
            Ok(Connected { socket, reset }) => {
                Metrics::of(&self.node).target_connects.observe(self.begun.elapsed());
                self.socket.connected(socket, reset.as_ref());
                match self.stream.end() {
                    Some(_) => {
                        self.write_last();
                        self.socket.close();
                    }
                    None => self.open(),
                }
            }
            Err(_) if self.stream.end().is_some() => {}
            Err(no_target) => self.refuse(&no_target),
        }
        self.perform_actions();
    }

    /// The target is connected.
    fn open(&mut self) {
        if self.client_asked() {
            self.opening.await_answer();
        }
        self.stream.connected();
        let written = self.socket.write_now();
        self.wrote(written);
    }

    /// Whether the client sent something short, and no end, before the target was connected: an
    /// answer is likely then. Nothing waits for `Opened`, since the client may send more without
    /// it.
    fn client_asked(&self) -> bool {
        let sent = self.socket.unwritten_bytes();
        sent > 0 && sent as u64 <= EARLY_CREDIT / 2 && !self.stream.is_ended_by_peer()
    }

    fn refuse(&mut self, no_target: &NoTarget) {
        if let Side::Outlet { dial, .. } = &self.side {
            let (target, why) = (&dial.target, &no_target.why);
            let what =
                format_args!("cannot connect to the target {target}: {why}; the client is reset");
            self.warn("target-unreachable", what);
        }
        self.stream.refuse(no_target.reason);
    }

    fn poll_write(&mut self, task: &mut Context<'_>) {
        let written = self.socket.poll_write(task);
        self.wrote(written);
    }

    /// Notes that the socket took bytes.
    fn wrote(&mut self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.stream.set_receive_cap(self.slot.receive_cap());
        self.record.traffic.count_received(bytes);
        let now = self.begun.elapsed();
        if let Err(misuse) = self.stream.socket_wrote(bytes, now, self.round_trip.estimate()) {
            log::error!("a bug in a portal, please report it: {misuse}");
            self.stream.stop(ResetReason::Stopped);
        }
        self.slot.promise(self.stream.promised());
    }

    /// Sends `Opened` if the target has answered, or had time enough to.
    fn poll_answer(&mut self, task: &mut Context<'_>) {
        if !self.opening.awaits_answer() {
            return;
        }
        let is_due = self.socket.was_reset()
            || self.opening.is_too_late(task)
            || self.socket.is_readable(task);
        if is_due {
            self.opening.stop_waiting();
            self.perform_actions();
        }
    }

    // ----- what the stream's state asks for ------------------------------------------------------

    /// Performs what the stream's state asks for. Messages to the other end go with the next bytes,
    /// or at the end of the turn.
    fn perform_actions(&mut self) {
        if self.opening.awaits_answer() && self.stream.end().is_none() {
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
                    let reply = match self.stream.end() {
                        Some(End::Refused(reason)) => reason.into(),
                        _ => Reply::Failed,
                    };
                    match self.reply_to_client(reply) {
                        true => self.socket.close_cleanly(),
                        // Closed with `SO_LINGER` 0, which it has had from the start.
                        false => self.socket.close(),
                    }
                }
                Action::Finished(end) => self.finish(end),
            }
        }
        if ended_by_peer {
            self.slot.promise(self.stream.promised());
            self.socket.shut_down();
        }
        if self.stream.end().is_some() && self.suspension.is_some() {
            // What is left to be said takes no room.
            self.forget_acknowledged();
            self.slot.promise(0);
        }
        if !self.socket.is_open() && self.stream.resendable() == 0 {
            self.path.give_data_room_up();
        }
    }

    fn queue_control(&mut self, control: Control<'static>) {
        self.round_trip.sent(&control, self.begun.elapsed());
        self.path.queue(control);
    }

    /// Whether something came before a reset and the target is not connected yet: it is written
    /// once it is.
    fn has_last_words(&self) -> bool {
        self.opening.is_connecting() && (self.socket.has_unwritten() || self.stream.has_all())
    }

    /// Lets the application see what came before a reset, as it would without a tunnel: as many
    /// bytes as its socket takes at once, and the end after the last.
    fn write_last(&mut self) {
        self.socket.write_now();
        if !self.socket.has_unwritten() && self.stream.has_all() {
            self.socket.shut_down();
        }
        self.socket.drop_unwritten();
    }

    /// Replies to the request of a client that speaks SOCKS. Returns whether that was due.
    fn reply_to_client(&mut self, reply: Reply) -> bool {
        let Side::Inlet { owes_reply, .. } = &mut self.side else { return false };
        let is_due = std::mem::take(owes_reply);
        if is_due {
            self.socket.write_first(&reply.bytes());
        }
        is_due
    }

    fn finish(&mut self, end: End) {
        self.is_finished = true;
        let leaves_doubt = self.stream.leaves_doubt();
        if let Side::Outlet { kept: Some(kept), .. } = &mut self.side {
            kept.is_over(leaves_doubt);
        }
        match end {
            End::Clean => self.socket.close_cleanly(),
            // Closed, which ends both directions.
            End::Refused(_) | End::ByPeer(_) | End::Here(_) => self.socket.close(),
        }
        if let End::ByPeer(_) = end {
            // Nobody waits for the pending messages.
            self.path.forget_unsent();
        }
        if self.has_last_words() {
            // For the rest of its life, nobody else knows of it.
            self.path.give_address_back();
        }
        match (&self.side, end) {
            (Side::Inlet { client, introduction, .. }, End::Refused(reason)) => {
                let (why, route) = (reason.text(), self.path.route());
                let named = match introduction.as_deref().map(Introduction::of) {
                    Some(client) if !client.target().is_empty() => client.target(),
                    _ => "the target",
                };
                let what =
                    format_args!("reset the client {client}: {why} ({named} through {route})");
                self.warn("client-reset", what);
            }
            (Side::Inlet { client, .. }, End::ByPeer(why @ ResetReason::Forgotten)) => {
                let route = &self.route;
                let what = format_args!("reset the client {client}: {why} (through {route})");
                self.warn("client-reset", what);
            }
            (Side::Inlet { client, .. }, end) => {
                log::debug!("the stream of client {client} ended: {end:?}")
            }
            (Side::Outlet { dial, .. }, end) => {
                log::debug!("a stream to {} ended: {end:?}", dial.target)
            }
        }
    }

    /// Warns in the refusal log, since clients and peers can cause as many of these as they like.
    fn warn(&self, rule: &'static str, what: fmt::Arguments<'_>) {
        self.node.refusals().warn(rule, what);
    }
}
