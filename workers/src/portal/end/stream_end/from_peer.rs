//! What comes from the other end of a stream: its messages, and notices about ours.

use bytes::{Buf, Bytes};
use ockam_actix_runtime::{Message, MessageKind, MessageParts, Notice, Route};

use crate::portal::{
    end::{config::Side, stream_end::StreamEnd},
    limits::MAX_MESSAGES,
    protocol::message::{decode, Control, DecodeError, Decoded},
    socks::wire::Reply,
};

impl StreamEnd {
    /// Handles a message from the other end, or a notice about one of ours.
    pub(crate) fn receive(&mut self, message: Message) {
        self.heard = true;
        self.opening.stop_waiting();
        match message.kind {
            MessageKind::Notice => self.handle_notice(&message),
            _ => self.handle_messages(message),
        }
        // The turn goes on with `poll`, which writes what waits.
        self.perform_actions();
    }

    fn handle_messages(&mut self, message: Message) {
        // The permit is dropped with the envelope: the stream's credit bounds these bytes from
        // here on, so the sender's edge is free again.
        let MessageParts { payload, return_route, .. } = message.into_parts();
        let mut rest = payload.into_bytes();
        for _ in 0..MAX_MESSAGES {
            if let Err(error) = self.handle_first(&mut rest, &return_route) {
                return self.handle_malformed(&return_route, &error);
            }
            if rest.is_empty() {
                return;
            }
        }
        self.handle_malformed(&return_route, &DecodeError::TooMany);
    }

    /// Takes the first message off `rest`.
    fn handle_first(&mut self, rest: &mut Bytes, return_route: &Route) -> Result<(), DecodeError> {
        let (decoded, length) = decode(rest)?;
        if let Decoded::Control(control) = &decoded {
            self.note_answer(control, return_route);
        }
        self.round_trip.received(&decoded, self.begun.elapsed());
        self.record.traffic.note_round_trip(self.round_trip.measured());
        let was_unanswered = self.stream.is_unanswered();
        match self.stream.handle_message(decoded) {
            Ok(Some(range)) => {
                let mut data = rest.split_to(length);
                data.truncate(range.end);
                data.advance(range.start);
                self.socket.queue(data);
                self.note_progress();
                return Ok(());
            }
            Ok(None) => {
                self.forget_acknowledged();
                if was_unanswered && !self.stream.is_unanswered() {
                    self.note_progress();
                }
                if self.stream.is_established() {
                    self.reply_to_client(Reply::Connected);
                }
            }
            Err(violation) => {
                let what =
                    format_args!("the other end of a stream broke the protocol: {violation}");
                self.warn("portal-protocol", what);
            }
        }
        rest.advance(length);
        Ok(())
    }

    /// Notes what an inlet learns from its outlet's answers: the address of the other end, and the
    /// outlet's life.
    fn note_answer(&mut self, control: &Control<'_>, return_route: &Route) {
        let Side::Inlet { outlet, introduction, .. } = &mut self.side else { return };
        match control {
            Control::Opened { life, .. } => {
                // No other `Open` follows.
                *introduction = None;
                self.path.introduce(None);
                // An outlet keeps only streams that are to be kept.
                if self.stream.is_resumable() {
                    outlet.set(*life);
                }
                self.path.turn_to(return_route.clone());
            }
            Control::Resumed { .. } => self.path.turn_to(return_route.clone()),
            Control::Unknown { life } => outlet.set(*life),
            _ => {}
        }
    }

    fn handle_malformed(&mut self, return_route: &Route, error: &DecodeError) {
        let what = format_args!("a portal message from {return_route} is malformed: {error}");
        self.warn("portal-protocol", what);
        self.stream.handle_garbage();
    }

    fn handle_notice(&mut self, message: &Message) {
        let Some(notice) = Notice::decode(&message.payload) else { return };
        // Where both directions had ended, nothing is lost.
        let had_ended = self.stream.end().is_some();
        self.lose_path_by(&notice);
        match &self.side {
            Side::Inlet { client, .. } if !had_ended && self.stream.end().is_some() => {
                let what = format_args!("reset the client {client}: nothing passes {notice}");
                self.warn("client-reset", what);
            }
            _ => log::debug!("a stream's message was not delivered: {notice}"),
        }
    }
}
