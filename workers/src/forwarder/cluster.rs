//! Hubs that share their forwarders: whoever reaches one of them reaches what is at any of them.
//!
//! ```text
//! inlet's node      hub A                              hub B                   private node
//! [A, F..., rest] -> F... is a stray: where is it? -> [cluster_service, F..., rest] -> F... -> rest
//!                    from now on a stand-in
//! ```
//!
//! | idea | module |
//! |---|---|
//! | how hubs talk to all others | [`bus`] |
//! | what they say | `message` |
//! | the names of forwarders that they use | `key` |
//! | messages that wait while a forwarder is looked for | `strays` |
//! | a looked-up forwarder's place on this hub | `stand_in` |
//! | what other hubs send their messages through | `gate` |
//!
//! # Why nothing is stored
//!
//! A hub asks all others at the first message to an address that it does not have, and remembers
//! the answer. So a forwarder costs nothing outside its hub, no store must be kept right when a hub
//! is killed, and a hub that cannot reach the bus goes on with what it knows. The messages
//! themselves go from hub to hub, never over the bus.
//!
//! # What a hub of a cluster can do
//!
//! What every hub can: refuse. It is asked with a hash of the address, so that nobody learns an
//! address from being asked. One that claims to have it gets the messages to it, which it cannot
//! read, and cannot answer in the outlet's name.

pub mod bus;
mod gate;
mod key;
mod message;
mod stand_in;
mod strays;

use std::{
    fmt,
    sync::{Arc, Weak},
};

use bytes::Bytes;
use ockam_actix_runtime::{
    edge::first_hop::FirstHop, lock::Lock, message::undelivered::Undelivered, node::strays::Strays,
    trust::tally::Tally, Address, Error, Host, Message, Node, Origin, Result, Route,
    UndeliverableReason,
};
use tokio::time::timeout;

use self::{
    bus::Bus,
    gate::Gate,
    key::ForwarderKey,
    message::HubMessage,
    stand_in::{StandIn, StandIns},
    strays::{Taken, Waiting},
};
use crate::forwarder::limits::{FIND_LIMIT, REACH_LIMIT};

/// The address at which a hub takes messages from the other hubs of its cluster.
pub const CLUSTER_SERVICE: &str = "cluster_service";

/// A hub's part in a cluster. Clones share it.
///
/// Give it to [`ForwardingOptions::cluster`](crate::forwarder::ForwardingOptions::cluster).
#[derive(Clone)]
pub struct Cluster(Arc<Member>);

/// What the parts of one hub's membership share.
struct Member {
    node: Node,
    /// This hub, as the others dial it.
    own: Address,
    bus: Box<dyn Bus>,
    /// The forwarders of this hub. One that is registered again is here twice for a moment.
    held: Lock<Tally<ForwarderKey>>,
    waiting: Lock<Waiting>,
    stand_ins: StandIns,
}

impl Cluster {
    /// Joins the cluster whose hubs are on `bus`; the others dial this hub at `advertised`, such as
    /// `tcp#hub-a:4000`.
    ///
    /// # Errors
    /// If `advertised` is no address that can be dialled, if the node has joined a cluster before,
    /// or if it is stopped.
    pub fn join(
        node: &impl AsRef<Node>,
        advertised: impl Into<Address>,
        bus: impl Bus + 'static,
    ) -> Result<Self> {
        let (node, own) = (node.as_ref(), advertised.into());
        own.validate()?;
        if own.dial_parts().is_none() {
            return Err(Error::Usage(format!(
                "\"{own}\" is not where other hubs reach this one: expected host:port"
            )));
        }
        let member = Arc::new(Member {
            node: node.unheld(),
            own,
            bus: Box::new(bus),
            held: Lock::default(),
            waiting: Lock::default(),
            stand_ins: StandIns::default(),
        });
        if !node.keep_strays(Arc::new(Lookups(Arc::downgrade(&member)))) {
            return Err(Error::Usage("this node has joined a cluster already".into()));
        }
        Gate::start(node, member.clone())?;
        let listening = Arc::downgrade(&member);
        member.bus.listen(Box::new(move |bytes| listening.upgrade()?.handle(&bytes)));
        log::info!("in a cluster of hubs, which reach this one at {}", member.own);
        Ok(Self(member))
    }

    /// Notes that the forwarder at `address` is here, until what is returned is dropped.
    pub(super) fn announce(&self, address: &Address) -> Option<Announced> {
        let key = ForwarderKey::of(address)?;
        self.0.held.lock().add(key);
        Some(Announced { member: self.0.clone(), key })
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cluster").field(&self.0.own).finish()
    }
}

/// Keeps a forwarder of this hub known to it; the others learn of its end.
pub(super) struct Announced {
    member: Arc<Member>,
    key: ForwarderKey,
}

impl Drop for Announced {
    fn drop(&mut self) {
        let mut held = self.member.held.lock();
        held.remove(&self.key);
        let is_gone = held.of(&self.key) == 0;
        drop(held);
        if is_gone {
            let gone = HubMessage::Gone { key: self.key, hub: self.member.own.clone() };
            self.member.bus.publish(gone.encode());
        }
    }
}

/// What the router gives strays to.
struct Lookups(Weak<Member>);

impl Strays for Lookups {
    fn take(&self, address: &Address, message: Box<Message>) -> Result<(), Box<Message>> {
        match (self.0.upgrade(), ForwarderKey::of(address)) {
            (Some(member), Some(key)) => {
                member.take(key, address, *message);
                Ok(())
            }
            _ => Err(message),
        }
    }
}

impl Member {
    /// Whether this hub has the forwarder.
    fn holds(&self, key: &ForwarderKey) -> bool {
        self.held.lock().of(key) > 0
    }

    /// Handles what another hub says; returns the answer, if there is one.
    fn handle(&self, bytes: &[u8]) -> Option<Bytes> {
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
    fn take(self: &Arc<Self>, key: ForwarderKey, address: &Address, message: Message) {
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
