//! Answers and notices: messages that go back to whoever sent another.
//!
//! An answer counts against the edge of its question, so that nobody can make a node hold more than
//! it let in. Where the question came from the far end of a connection that this node made, a hub
//! perhaps, that would be the edge of many: one of them that asks and reads nothing would hold what
//! the others need. So answers that leave there have a budget for each of its peers, and are
//! dropped and counted while that is full.

use crate::{
    address::Address,
    edge::budget::{Budget, Permit},
    message::{notice::UndeliverableReason, payload::Payload, undelivered::Undelivered, Message},
    node::{routing::NextHop, Node},
    trust::origin::{Door, Origin},
};

impl Node {
    /// See [`Host::answer`](crate::host::Host::answer).
    pub(crate) fn answer(
        &self,
        mut question: Message,
        sender: Address,
        payload: Payload,
    ) -> Result<(), Box<Undelivered>> {
        let bytes = payload.len();
        let settled = self.settle(&mut question, |budget| budget.try_acquire(bytes));
        let answer = question.into_reply(sender, payload);
        if !settled {
            let hop = answer.onward_route.first().cloned().unwrap_or_else(|| "?".into());
            return Err(Undelivered::new(answer, &hop, UndeliverableReason::Overloaded));
        }
        self.try_route(answer, NextHop::Chosen)
    }

    /// Lets a question go and takes the room for what is sent back instead, where that has a budget
    /// of its own. Returns whether there is room.
    pub(crate) fn settle(
        &self,
        question: &mut Message,
        take: impl FnOnce(&Budget) -> Option<Permit>,
    ) -> bool {
        let Some(budget) = self.budget_of_answers(question) else { return true };
        question.permit = take(&budget);
        if question.permit.is_none() {
            let what = format_args!("dropped an answer for a peer behind a hub that reads none");
            self.refusals().warn("answers-unread", what);
        }
        question.permit.is_some()
    }

    /// The budget for answers to `question`, if they have one of their own.
    fn budget_of_answers(&self, question: &Message) -> Option<Budget> {
        let Origin::Remote(ingress) = &question.origin else { return None };
        let Door::Outgoing { .. } = &ingress.door else { return None };
        let mut route = question.return_route.iter();
        let (first, next) = (route.next()?, route.next()?);
        let budgets = self.shared.directory.find(first)?.link_budgets()?;
        Some(budgets.for_answers(next))
    }
}
