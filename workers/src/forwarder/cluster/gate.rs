//! Where other hubs introduce themselves, and where their messages come in: to the forwarders of
//! this hub alone, so that a message makes one hop between hubs and never a second.

use std::sync::{Arc, Weak};

use ockam_actix_runtime::{
    clock::Instant,
    lock::Lock,
    message::undelivered::Undelivered,
    node::entry::{Deliver, Description, Entry},
    trust::{members::Members, rate::SourceRates},
    Address, Class, Host, Message, MessageKind, Node, Origin, Result, Route, UndeliverableReason,
};

use crate::{
    forwarder::{
        cluster::{
            introduction::{Introduction, Nonces},
            key::ForwarderKey,
            member::Member,
            message::Said,
            stand_in::CLUSTER_SERVICE,
        },
        limits::INTRODUCTIONS,
    },
    relay::pass_on,
};

pub(super) struct Gate {
    member: Weak<Member>,
    members: Arc<Members>,
    nonces: Nonces,
    since: Instant,
    rates: Lock<SourceRates>,
}

impl Gate {
    /// Registers it for as long as the node runs.
    pub(super) fn start(node: &Node, member: &Arc<Member>, nonces: Nonces) -> Result<()> {
        let members = Members::of(node);
        members.expect();
        let description = Description::new(CLUSTER_SERVICE, Class::Service);
        let (since, rates) = (Instant::now(), Lock::default());
        let gate = Self { member: Arc::downgrade(member), members, nonces, since, rates };
        node.register_delivery(description, gate)?.detach();
        Ok(())
    }

    /// Whether what this sender has signed is examined, which costs many signatures.
    fn may_sign(&self, sender: &Origin) -> bool {
        let (source, now) = (sender.source(), self.since.elapsed());
        self.rates.lock().take(source, INTRODUCTIONS, now)
    }

    /// Answers a hub that introduces itself over the connection `via`.
    fn introduce(
        &self,
        member: &Member,
        via: &Address,
        message: Message,
    ) -> Result<(), Box<Undelivered>> {
        let refuse =
            |message, reason| Err(Undelivered::new(message, &CLUSTER_SERVICE.into(), reason));
        let answer = match Introduction::decode(&message.payload) {
            Ok(Introduction::MayI) => Introduction::Sign { nonce: self.nonces.issue(via) },
            Ok(Introduction::Signed { .. }) if !self.may_sign(&message.origin) => {
                let what = format_args!("{via} shows too often that it is a hub");
                member.node().refusals().warn("cluster-too-often", what);
                return refuse(message, UndeliverableReason::Overloaded);
            }
            Ok(signed @ Introduction::Signed { .. }) => {
                let signer = self.nonces.signer(&member.own().identity, via, &signed);
                match signer.filter(|signer| member.hears(signer)) {
                    Some(_) if self.members.welcome(via) => Introduction::Welcome,
                    Some(_) => return refuse(message, UndeliverableReason::Overloaded),
                    None => {
                        let what = format_args!("{via} has proved to be no hub of the cluster");
                        member.node().refusals().warn("cluster-stranger", what);
                        return refuse(message, UndeliverableReason::Unreachable);
                    }
                }
            }
            _ => return refuse(message, UndeliverableReason::BodyNotUnderstood),
        };
        member.node().answer(message, CLUSTER_SERVICE.into(), answer.encode())
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
                _ => self.introduce(&member, &via, message),
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
            member.say(Said::Gone { key });
        }
        unreachable(message)
    }
}
