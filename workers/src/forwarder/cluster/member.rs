//! One hub of a cluster: the forwarders that it has, what it answers, and what it looks for.

use std::sync::Arc;

use bytes::Bytes;
use ockam_actix_runtime::{
    edge::first_hop::FirstHop, lock::Lock, message::undelivered::Undelivered, trust::tally::Tally,
    Address, Host, Message, Node, Origin, Route, UndeliverableReason,
};
use tokio::time::timeout;

use crate::forwarder::{
    cluster::{
        bus::{Bus, Receive},
        key::ForwarderKey,
        message::HubMessage,
        stand_in::{StandIn, StandIns},
        strays::{Taken, Waiting},
    },
    limits::{FIND_LIMIT, REACH_LIMIT},
};

/// What the parts of one hub's membership share.
pub(super) struct Member {
    node: Node,
    /// This hub, as the others dial it.
    own: Address,
    bus: Box<dyn Bus>,
    /// The forwarders of this hub. One that is registered again is here twice for a moment.
    held: Lock<Tally<ForwarderKey>>,
    waiting: Lock<Waiting>,
    stand_ins: StandIns,
}

impl Member {
    /// The hub that others dial at `own`.
    pub(super) fn new(node: Node, own: Address, bus: Box<dyn Bus>) -> Self {
        let (held, waiting, stand_ins) = (Lock::default(), Lock::default(), StandIns::default());
        Self { node, own, bus, held, waiting, stand_ins }
    }

    /// The node, which this does not keep running.
    pub(super) const fn node(&self) -> &Node {
        &self.node
    }

    /// Where the other hubs dial it.
    pub(super) const fn own(&self) -> &Address {
        &self.own
    }

    /// Has `receive` get what the other hubs say.
    pub(super) fn listen(&self, receive: Receive) {
        self.bus.listen(receive);
    }

    /// Notes a forwarder of this hub.
    pub(super) fn hold(&self, key: ForwarderKey) {
        self.held.lock().add(key);
    }

    /// A forwarder has ended; the others are told, unless it was registered again.
    pub(super) fn let_go(&self, key: ForwarderKey) {
        let mut held = self.held.lock();
        held.remove(&key);
        let is_gone = held.of(&key) == 0;
        drop(held);
        if is_gone {
            self.bus.publish(HubMessage::Gone { key, hub: self.own.clone() }.encode());
        }
    }

    /// Whether this hub has the forwarder.
    pub(super) fn holds(&self, key: &ForwarderKey) -> bool {
        self.held.lock().of(key) > 0
    }

    /// Handles what another hub says; returns the answer, if there is one.
    pub(super) fn handle(&self, bytes: &[u8]) -> Option<Bytes> {
        match HubMessage::decode(bytes) {
            Ok(HubMessage::Find { key }) => {
                let has = HubMessage::Has { hub: self.own.clone() };
                self.holds(&key).then(|| has.encode())
            }
            Ok(HubMessage::Gone { key, hub }) => {
                self.stand_ins.end(&key, &hub);
                None
            }
            Ok(HubMessage::Has { .. }) => None,
            Err(error) => {
                let what = format_args!("a hub of the cluster said what it must not: {error}");
                self.node.refusals().warn("cluster-protocol", what);
                None
            }
        }
    }

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
        match self.find(key).await {
            Some(first_hop) => {
                let arbiter = self.node.arbiter_for(&first_hop);
                let member = self.clone();
                // There, so that what waits and what follows goes the same way, in order.
                self.node
                    .spawn_on(arbiter, async move { member.stand_in(key, address, first_hop) });
            }
            None => {
                let missed = self.waiting.lock().end(&address);
                let unreachable = UndeliverableReason::Unreachable;
                missed.into_iter().for_each(|message| self.refuse(message, &address, unreachable));
            }
        }
    }

    /// The connection to the hub that has the forwarder.
    async fn find(&self, key: ForwarderKey) -> Option<FirstHop> {
        let asked = self.bus.ask(HubMessage::Find { key }.encode());
        let answer = timeout(FIND_LIMIT, asked).await.ok()??;
        let Ok(HubMessage::Has { hub }) = HubMessage::decode(&answer) else { return None };
        if hub == self.own || hub.dial_parts().is_none() {
            return None;
        }
        let route = Route::from(hub);
        let mut first_hop = self.node.first_hop(&route).ok()?;
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
