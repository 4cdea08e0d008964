//! Where other hubs introduce themselves, and where their messages come in: to the forwarders of
//! this hub alone, so that a message makes one hop between hubs and never a second.

use std::sync::{Arc, Weak};

use ockam_actix_runtime::{
    clock::Instant,
    message::undelivered::Undelivered,
    node::entry::{Deliver, Description, Entry},
    trust::members::Members,
    Address, Class, Host, Message, MessageKind, Node, Origin, Result, Route, UndeliverableReason,
};

use crate::{
    forwarder::cluster::{
        introduction::{Examiner, Introduction, NoMember, Presented},
        key::ForwarderKey,
        member::Member,
        message::Said,
        stand_in::CLUSTER_SERVICE,
    },
    relay::pass_on,
};

pub(super) struct Gate {
    member: Weak<Member>,
    members: Arc<Members>,
    examiner: Examiner,
    since: Instant,
}

impl Gate {
    /// Registers it for as long as the node runs.
    pub(super) fn start(node: &Node, member: &Arc<Member>, examiner: Examiner) -> Result<()> {
        let members = Members::of(node);
        members.expect();
        let description = Description::new(CLUSTER_SERVICE, Class::Service);
        let (member, since) = (Arc::downgrade(member), Instant::now());
        let gate = Self { member, members, examiner, since };
        node.register_delivery(description, gate)?.detach();
        Ok(())
    }

    /// Answers a hub that introduces itself over the connection `via`.
    fn answer_introduction(
        &self,
        member: &Member,
        via: &Address,
        message: Message,
    ) -> Result<(), Box<Undelivered>> {
        let refuse =
            |message, reason| Err(Undelivered::new(message, &CLUSTER_SERVICE.into(), reason));
        let signed = match Introduction::decode(&message.payload) {
            Ok(Introduction::Signed(signed)) => signed,
            Ok(Introduction::MayI) => {
                let nonce = self.examiner.nonce(via, self.since.elapsed());
                let answer = Introduction::Sign { nonce }.encode();
                return member.node().answer(message, CLUSTER_SERVICE.into(), answer);
            }
            _ => return refuse(message, UndeliverableReason::BodyNotUnderstood),
        };
        let presented = Presented { via, source: message.origin.source() };
        let (own, now) = (&member.own().identity, self.since.elapsed());
        let is_heard = |signer: &_| member.hears(signer);
        match self.examiner.examine(own, presented, &signed, is_heard, now) {
            Ok(()) if self.members.welcome(via) => {
                let answer = Introduction::Welcome.encode();
                member.node().answer(message, CLUSTER_SERVICE.into(), answer)
            }
            Ok(()) => refuse(message, UndeliverableReason::Overloaded),
            Err(NoMember::TooOften) => {
                let what = format_args!("{via} shows too often that it is a hub");
                member.node().refusals().warn("cluster-too-often", what);
                refuse(message, UndeliverableReason::Overloaded)
            }
            Err(NoMember::Stranger) => {
                let what = format_args!("{via} has proved to be no hub of the cluster");
                member.node().refusals().warn("cluster-stranger", what);
                refuse(message, UndeliverableReason::Unreachable)
            }
        }
    }
}

impl Deliver for Gate {
    fn deliver(&self, entry: &Entry, message: Message) -> Result<(), Box<Undelivered>> {
        let unreachable = |message: Message| {
            let at = message.onward_route.first().unwrap_or(&entry.address).clone();
            Err(Undelivered::new(message, &at, UndeliverableReason::Unreachable))
        };
        let (Some(member), Origin::Remote(ingress)) = (self.member.upgrade(), &message.origin)
        else {
            return unreachable(message);
        };
        let via = ingress.via.clone();
        let Some(first) = message.onward_route.first() else {
            return match message.kind {
                MessageKind::Notice => Ok(()),
                _ => self.answer_introduction(&member, &via, message),
            };
        };
        if !self.members.has(&via) {
            let what = format_args!("a message over {via}, which is no connection of a member");
            member.node().refusals().warn("cluster-stranger", what);
            return unreachable(message);
        }
        let exactly = ForwarderKey::exactly(first).and_then(|key| member.held(&key));
        if exactly.is_some() {
            return pass_on(member.node(), &entry.address, message, &Route::new());
        }
        if let Some(key) = ForwarderKey::of(first).filter(|key| member.held(key).is_none()) {
            // The other hub has not heard that it left, or before it heard that it was here.
            member.voice.say(Said::Gone { key });
        }
        unreachable(message)
    }
}
