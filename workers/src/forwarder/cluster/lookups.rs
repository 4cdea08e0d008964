//! How a hub finds the forwarders of others, and what waits meanwhile.

use std::sync::Arc;

use ockam_actix_runtime::{
    edge::first_hop::FirstHop, message::undelivered::Undelivered, Address, Host, Message, Origin,
    Route, UndeliverableReason,
};
use tokio::time::timeout;

use crate::forwarder::{
    cluster::{
        claims::Speaker,
        key::{forwarder_of, ForwarderKey},
        member::Member,
        message::{HubMessage, Said, HAS},
        stand_in::StandIn,
        strays::Taken,
    },
    limits::{FIND_LIMIT, REACH_LIMIT},
};

impl Member {
    /// Has a message wait until its forwarder is found.
    pub(super) fn take(self: &Arc<Self>, key: ForwarderKey, address: &Address, message: Message) {
        let asking = match &message.origin {
            Origin::Local => None,
            Origin::Remote(ingress) => Some(ingress.via.clone()),
        };
        let mut waiting = self.waiting.lock();
        // One that was found since the message was routed.
        if self.stand_ins.has(address) {
            drop(waiting);
            return self.node.route(message);
        }
        let taken = waiting.take(address, asking, message);
        drop(waiting);
        match taken {
            Taken::Waits => {}
            Taken::First => {
                let (member, address) = (self.clone(), address.clone());
                let arbiter = self.node.current_arbiter().unwrap_or_default();
                self.node.spawn_on(arbiter, async move { member.look_for(key, address).await });
            }
            Taken::Full(message) => self.refuse(*message, address, UndeliverableReason::Overloaded),
        }
    }

    async fn look_for(self: Arc<Self>, key: ForwarderKey, address: Address) {
        match self.find(key, &address).await {
            Some(first_hop) => {
                let arbiter = self.node.arbiter_for(&first_hop);
                let member = self.clone();
                // There, so that what waits and what follows goes the same way, in order.
                self.node
                    .spawn_on(arbiter, async move { member.stand_in(key, address, first_hop) });
            }
            None => {
                let missed = self.waiting.lock().end(&address);
                // It may have been registered here meanwhile.
                let is_here = self.held(&key).is_some();
                missed.into_iter().for_each(|message| match is_here {
                    true => self.node.route(message),
                    false => self.refuse(message, &address, UndeliverableReason::Unreachable),
                });
            }
        }
    }

    /// The connection to the hub that has the forwarder.
    async fn find(&self, key: ForwarderKey, address: &Address) -> Option<FirstHop> {
        let forwarder = forwarder_of(address)?;
        let asked = self.bus.ask(
            self.message(Said::Find { key }),
            Box::new(move |answer| hub_of(answer, &forwarder).is_some()),
        );
        let answer = timeout(FIND_LIMIT, asked).await.ok()??;
        let hub = hub_of(&answer, &forwarder_of(address)?).filter(|hub| hub != self.own())?;
        let mut first_hop = self.node.first_hop(&Route::from(hub.at)).ok()?;
        timeout(REACH_LIMIT, first_hop.attempted()).await.ok()?.ok()?;
        first_hop.state().up.then_some(first_hop)
    }

    /// Puts a stand-in where the forwarder was looked for, and sends on what waits.
    fn stand_in(self: &Arc<Self>, key: ForwarderKey, address: Address, first_hop: FirstHop) {
        let stand_in = StandIn::new(self.node.clone(), &address, first_hop);
        loop {
            let mut waiting = self.waiting.lock();
            let batch = waiting.batch(&address);
            if batch.is_empty() {
                // Nothing waits, and nothing comes to wait before there is the stand-in.
                waiting.end(&address);
                let begun = self.stand_ins.begin(key, &address, stand_in);
                drop(waiting);
                if let Err(error) = begun {
                    log::debug!("no stand-in for a forwarder: {}", error.one_line());
                }
                return;
            }
            drop(waiting);
            batch.into_iter().for_each(|message| stand_in.pass_first(message));
        }
    }

    /// Sends a message back that goes nowhere.
    fn refuse(&self, message: Message, address: &Address, reason: UndeliverableReason) {
        self.node.bounce(Undelivered::new(message, address, reason));
    }
}

/// The hub that answers that it has the forwarder, if it knows that address: every hub that was
/// asked can answer.
pub(super) fn hub_of(answer: &[u8], forwarder: &Address) -> Option<Speaker> {
    let HubMessage { speaker, said: Said::Has { voucher } } = HubMessage::decode(answer).ok()?
    else {
        return None;
    };
    let fits = speaker.saying(&[HAS], |said| voucher.fits(forwarder, said));
    fits.then_some(speaker)
}
