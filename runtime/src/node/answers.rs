//! Answers and notices: messages that go back to the sender of another.
//!
//! An answer holds the bytes of its question on their lane, so that a peer that asks and reads
//! nothing cannot ask more, and holds up nobody else. A notice gives the lane back, as two peers
//! whose notices waited for each other's lanes would wait for ever; it still counts for its
//! connection. So a stranger could fill the connection that it comes through, perhaps that of a hub
//! with many others: therefore, while half of what a connection may hold is in use, answers and
//! notices over it are dropped and counted.

use crate::{
    address::Address,
    message::{notice::UndeliverableReason, payload::Payload, undelivered::Undelivered, Message},
    node::{routing::NextHop, Node},
};

impl Node {
    /// See [`Host::answer`](crate::host::Host::answer).
    pub(crate) fn answer(
        &self,
        question: Message,
        sender: Address,
        payload: Payload,
    ) -> Result<(), Box<Undelivered>> {
        let has_room = self.has_room_to_answer(&question);
        let answer = question.into_reply(sender, payload);
        if !has_room {
            let hop = answer.onward_route.first().cloned().unwrap_or_else(|| "?".into());
            return Err(Undelivered::new(answer, &hop, UndeliverableReason::Overloaded));
        }
        self.try_route(answer, NextHop::Chosen)
    }

    /// Whether what is sent back for `question` may wait until its sender reads it. Over a channel
    /// it may, as its peer is known.
    pub(crate) fn has_room_to_answer(&self, question: &Message) -> bool {
        if !question.permit.as_ref().is_some_and(|permit| permit.is_in_a_crowd()) {
            return true;
        }
        let first = question.return_route.first();
        let entry = first.and_then(|first| self.shared.directory.find(first));
        let is_plain = entry.is_some_and(|entry| entry.link_budgets().is_some());
        if is_plain {
            let what = format_args!("dropped an answer for a peer that reads none");
            self.refusals().warn("answers-unread", what);
        }
        !is_plain
    }
}
