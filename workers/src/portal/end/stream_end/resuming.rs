//! A stream that outlives its path: suspended, taken to another path, and sent again from where the
//! other end has it.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use actix::{dev::ToEnvelope, Addr, Handler};
use ockam_actix_runtime::{
    clock::Instant, edge::first_hop::FirstHop, metrics::Metrics, Node, Notice, Payload,
    UndeliverableReason,
};
use tokio::task::unconstrained;

use crate::portal::{
    end::{
        config::Side,
        joined_delay::ack_delay,
        path::Path,
        silence::SilenceTimer,
        stream_end::StreamEnd,
        suspension::{Outcome, Suspension},
    },
    kept_streams::GoOn,
    limits::{CHUNKS_IN_A_ROW, MAX_READ_BYTES, PATH_PATIENCE},
    pool::ResetNow,
    protocol::{action::End, message::data_header, reason::ResetReason},
};

impl StreamEnd {
    /// The node that it is on.
    pub(crate) const fn node(&self) -> &Node {
        &self.node
    }

    /// Notes that nothing reaches the other end any more, along this path.
    pub(super) fn lose_path(&mut self) {
        self.lose_path_for(self.resume_for);
    }

    /// Notes the same because of a notice. Until the outlet has answered, nobody knows whether
    /// there is one, and the client waits no longer than one that comes while a path is being
    /// made.
    pub(super) fn lose_path_by(&mut self, notice: &Notice) {
        if notice.reason == UndeliverableReason::TooLarge {
            // It would be as large along any path.
            return self.stream.give_up();
        }
        self.lose_path_for(match self.stream.is_unanswered() {
            true => self.resume_for.min(PATH_PATIENCE),
            false => self.resume_for,
        });
        if let Some(suspension) = &mut self.suspension {
            suspension.note(notice);
        }
    }

    fn lose_path_for(&mut self, limit: Duration) {
        self.path.end();
        if !self.stream.suspend() {
            self.suspension = None;
            return;
        }
        log::debug!("a stream waits for another path than {}", self.path.route());
        self.record.suspend();
        let now = Instant::now();
        let is_another = |suspension: &mut Suspension| suspension.is_another_loss(now);
        if self.suspension.as_mut().is_some_and(is_another) {
            self.suspension = None;
        }
        let suspension = self.suspension.get_or_insert_with(|| Suspension::new(limit));
        if let Side::Inlet { .. } = self.side {
            suspension.find_path(&self.node, &self.route);
        }
    }

    /// The first hop of another path, once there is one.
    pub(super) fn poll_suspension(&mut self, task: &mut Context<'_>) -> Option<FirstHop> {
        self.count_resumption();
        let suspension = self.suspension.as_mut()?;
        if !self.stream.is_suspended() {
            suspension.note_resumed(Instant::now());
            return None;
        }
        match suspension.poll(task) {
            Poll::Pending => None,
            Poll::Ready(Outcome::Path(first_hop)) => Some(first_hop),
            Poll::Ready(Outcome::NoAnswer) => {
                self.lose_path();
                // To have the task woken by what is awaited now.
                task.waker().wake_by_ref();
                None
            }
            Poll::Ready(Outcome::Over) => {
                let why = suspension.why();
                // An outlet that may have begun the stream still learns that it is over, once there
                // is a path.
                let tells = suspension.wait_on(self.resume_for);
                self.wait_no_longer(&why, tells);
                task.waker().wake_by_ref();
                None
            }
            Poll::Ready(Outcome::Gone(error)) => {
                self.wait_no_longer(&error.one_line(), false);
                None
            }
        }
    }

    /// Resets the client, or the target, of a stream that has waited in vain. With `tells`, the
    /// other end is still to be told.
    fn wait_no_longer(&mut self, why: &str, tells: bool) {
        // A node that stops has said so.
        let is_news = self.stream.end().is_none() && !self.node.is_stopping();
        match tells {
            true => self.stream.stop(ResetReason::PathLost),
            false => {
                self.suspension = None;
                self.stream.give_up();
            }
        }
        if let (Side::Inlet { client, .. }, Some(End::Here(_)), true) =
            (&self.side, self.stream.end(), is_news)
        {
            let what = format_args!("reset the client {client}: {why} ({})", self.route);
            self.warn("client-reset", what);
        }
        self.perform_actions();
    }

    /// Counts that the stream goes on, once.
    fn count_resumption(&self) {
        let goes_on = !self.stream.is_suspended() && self.stream.end().is_none();
        if !self.record.is_suspended() || !goes_on {
            return;
        }
        let metrics = Metrics::of(&self.node);
        metrics.resumptions.increment();
        if let Some(stalled) = self.record.go_on(Some(self.path.first_hop().clone())) {
            metrics.stalls.observe(stalled);
        }
    }

    /// Takes another path, at the inlet: the stream is resumed along it once it has an address.
    pub(crate) fn go_on(&mut self, first_hop: FirstHop) {
        let kind = self.side.kind();
        self.path = Path::new(self.node.clone(), first_hop, self.route.clone(), kind);
        self.silence = SilenceTimer::default();
        // It would wake the actor that has the stream now.
        self.ack_delay = None;
    }

    /// Takes the path by which the inlet has come back, at the outlet. Returns whether the stream
    /// goes on along it.
    pub(crate) fn go_on_as_asked(&mut self, resume: GoOn) -> bool {
        let GoOn { first_hop, attempt, received, limit, rest } = resume;
        if let Err(violation) = self.stream.resumed_by(attempt, received, limit) {
            let what = format_args!("the other end of a stream broke the protocol: {violation}");
            self.warn("portal-protocol", what);
            return false;
        }
        self.forget_acknowledged();
        self.route = rest.return_route.clone();
        self.go_on(first_hop);
        if !rest.payload.is_empty() {
            self.receive(rest);
        }
        true
    }

    /// Notes which actor has the stream now.
    pub(crate) fn held_by<A>(&self, actor: &Addr<A>)
    where
        A: Handler<GoOn> + Handler<ResetNow>,
        A::Context: ToEnvelope<A, GoOn> + ToEnvelope<A, ResetNow>,
    {
        self.slot.held_by(actor.clone().recipient());
        if let Side::Outlet { kept: Some(kept), .. } = &self.side {
            kept.moved_to(actor.clone().recipient());
        }
    }

    /// Asks the outlet along the new path to go on.
    pub(super) fn resume(&mut self) {
        let is_inlet = matches!(self.side, Side::Inlet { .. });
        if !is_inlet || !self.stream.is_suspended() {
            return;
        }
        match (self.stream.resume(), &mut self.suspension) {
            (Some(resume), Some(suspension)) => {
                suspension.await_answer();
                self.queue_control(resume);
            }
            _ => self.stream.give_up(),
        }
    }

    // ----- what the other end may not have -------------------------------------------------------

    /// Keeps sent bytes until they are acknowledged.
    pub(super) fn retain(&mut self, bytes: &[u8]) {
        if self.stream.is_resumable() {
            self.retained.push(bytes);
            self.slot.retain(self.retained.bytes() as u64);
        }
    }

    /// Forgets the bytes that the other end has.
    pub(super) fn forget_acknowledged(&mut self) {
        let before = self.retained.bytes();
        if before > 0 {
            self.retained.forget_to(self.stream.acknowledged());
            self.slot.retain(self.retained.bytes() as u64);
        }
        if self.retained.bytes() < before {
            self.note_progress();
        }
    }

    /// Something has passed: the next loss of the path counts as another one.
    pub(super) fn note_progress(&mut self) {
        if !self.stream.is_suspended() {
            self.suspension = None;
        }
    }

    /// Sends up to [`CHUNKS_IN_A_ROW`] chunks again, as far as the first edge allows.
    pub(super) fn poll_resend(&mut self, task: &mut Context<'_>) {
        for _ in 0..CHUNKS_IN_A_ROW {
            let most = self.stream.resendable().min(MAX_READ_BYTES);
            if most == 0 {
                return;
            }
            let mut permit = match self.path.poll_data_room(most, task) {
                Poll::Ready(Ok(permit)) => permit,
                Poll::Ready(Err(_)) => return self.lose_path(),
                Poll::Pending => return,
            };
            let chunk = self.retained.from(self.stream.next_offset(), most);
            let (mut payload, length) = (Payload::from(chunk), chunk.len());
            let Some(offset) = self.stream.resent(length).ok().filter(|_| length > 0) else {
                // Everything from the acknowledged offset on is retained.
                log::error!("a bug in a portal, please report it: bytes to send again are gone");
                return self.stream.stop(ResetReason::Stopped);
            };
            permit.shrink_to(length);
            payload.prepend(&data_header(offset, u32::try_from(length).unwrap_or(u32::MAX)));
            self.path.send_data(payload, permit);
        }
        // The actors that the chunks pass take their turn before more is sent.
        task.waker().wake_by_ref();
    }

    /// Acknowledges what has come, if nothing was sent that the acknowledgement could go with. The
    /// delay is polled once, to wake the task, and then only queried, as most acknowledgements go
    /// with something before it is over.
    pub(super) fn poll_ack(&mut self, task: &mut Context<'_>) {
        match &self.ack_delay {
            Some(delay) if delay.peek().is_none() => {}
            Some(_) => {
                self.ack_delay = None;
                self.stream.acknowledge();
            }
            None if self.stream.owes_ack() => {
                let mut delay = ack_delay();
                if Pin::new(&mut unconstrained(&mut delay)).poll(task).is_ready() {
                    task.waker().wake_by_ref();
                }
                self.ack_delay = Some(delay);
            }
            None => {}
        }
    }
}
