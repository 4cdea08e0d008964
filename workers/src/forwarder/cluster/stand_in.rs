//! A forwarder of another hub, as this hub has it: messages to its address go on to that hub.
//!
//! It ends with the connection to that hub, when that hub has the forwarder no longer, and when
//! nothing was sent through it for a while. The next message looks for the forwarder again.

use std::{
    collections::HashMap,
    str::FromStr as _,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
};

use ockam_actix_runtime::{
    clock::Instant,
    edge::first_hop::FirstHop,
    lock::Lock,
    message::undelivered::Undelivered,
    metrics::{listing::Recorded, Forwarder as ForwarderRecord, Metrics},
    node::{
        directory::Registration,
        entry::{Deliver, Description, Entry},
    },
    route, watched, Address, Class, Error, Host, Message, Node, Result, Route,
};
use tokio::time::sleep;

use crate::{
    forwarder::{address::ForwardingAddress, cluster::key::ForwarderKey, limits::STAND_IN_IDLE},
    relay::pass_on,
};

/// The address at which a hub takes messages from the other hubs of its cluster.
pub const CLUSTER_SERVICE: &str = "cluster_service";

/// One that has not begun.
pub(super) struct StandIn {
    node: Node,
    address: Address,
    first_hop: FirstHop,
    epoch: u64,
    /// To the gate of the other hub; the forwarder's address follows.
    route: Route,
}

impl StandIn {
    /// For the forwarder at `address` of the hub behind `first_hop`, as long as its `epoch` lasts.
    pub(super) fn new(node: Node, address: &Address, first_hop: FirstHop, epoch: u64) -> Self {
        let route = route![first_hop.address.clone(), CLUSTER_SERVICE, address.clone()];
        Self { node, address: address.clone(), first_hop, epoch, route }
    }

    /// Sends on a message that waited for it, whose route begins with the forwarder's address.
    pub(super) fn pass_first(&self, mut message: Message) {
        message.onward_route.pop_front();
        if let Err(undelivered) = pass_on(&self.node, &self.address, message, &self.route) {
            self.node.bounce(undelivered);
        }
    }
}

/// All of one hub.
#[derive(Clone, Default)]
pub(super) struct StandIns(Arc<Lock<HashMap<Address, Begun>>>);

/// One that has begun. Its address is free when this is dropped, which is done under the lock of
/// all: whoever does not find it there can have the address.
struct Begun {
    key: ForwarderKey,
    hub: Address,
    /// Whether a message was sent through it of late. It tells it from a later one, too.
    used: Arc<AtomicBool>,
    _registration: Registration,
    /// Dropped to end its task.
    _life: watched::Sender<()>,
}

impl StandIns {
    /// Ends those for a forwarder that `hub` has no longer.
    pub(super) fn end(&self, key: &ForwarderKey, hub: &Address) {
        self.0.lock().retain(|_, begun| begun.key != *key || begun.hub != *hub);
    }

    /// Ends those at addresses that a forwarder of this hub has now.
    pub(super) fn give_way(&self, addresses: &[Address]) {
        let mut all = self.0.lock();
        addresses.iter().for_each(|address| drop(all.remove(address)));
    }

    /// Registers a stand-in, until it ends, unless the forwarder `is_here` by now: whoever notes
    /// that it is has them [give way](Self::give_way) after that.
    ///
    /// # Errors
    /// If its address is taken.
    pub(super) fn begin(
        &self,
        key: ForwarderKey,
        address: &Address,
        stand_in: StandIn,
        is_here: impl FnOnce() -> bool,
    ) -> Result<()> {
        let StandIn { node, first_hop, epoch, route, .. } = stand_in;
        let arbiter = node.arbiter_for(&first_hop);
        let hub = first_hop.address.clone();
        // A budget for each forwarder, so that a slow one holds up no others.
        let budget = match node.first_hop(&route![hub.clone(), address.clone()]) {
            Ok(own) => own.budget,
            Err(_) => first_hop.budget.clone(),
        };
        let record = ForwarderRecord {
            route: route.to_string(),
            over: Some(hub.clone()),
            identity: ForwardingAddress::from_str(address.as_str())?.identifier,
            since: Instant::now(),
        };
        let description = Description::new(address.clone(), Class::Forwarder);
        let used = Arc::new(AtomicBool::new(true));
        let onward = Onward { node: node.clone(), route, used: used.clone() };
        let (life, ended) = watched::channel(());
        let mut all = self.0.lock();
        if is_here() {
            return Err(Error::AddressInUse(address.clone()));
        }
        let registration =
            node.register_delivery(description.on(arbiter).with_budget(budget), onward)?;
        let begun =
            Begun { key, hub, used: used.clone(), _registration: registration, _life: life };
        all.insert(address.clone(), begun);
        drop(all);
        let record = Metrics::of(&node).cluster.stand_ins.list(record);
        let address = address.clone();
        let living = Living { address, first_hop, epoch, used, ended, _record: record };
        let all = self.clone();
        node.spawn_on(arbiter, async move { living.live(&all).await });
        Ok(())
    }
}

/// What a stand-in lives by.
struct Living {
    address: Address,
    first_hop: FirstHop,
    epoch: u64,
    used: Arc<AtomicBool>,
    ended: watched::Receiver<()>,
    _record: Recorded<ForwarderRecord>,
}

impl Living {
    async fn live(mut self, all: &StandIns) {
        loop {
            tokio::select! {
                biased;
                () = self.first_hop.lost(self.epoch) => break,
                // An error says that it was ended, as nothing else is sent.
                _ = self.ended.changed() => return,
                () = sleep(STAND_IN_IDLE) => {
                    if !self.used.swap(false, Ordering::Relaxed) {
                        break;
                    }
                }
            }
        }
        let mut all = all.0.lock();
        if all.get(&self.address).is_some_and(|begun| Arc::ptr_eq(&begun.used, &self.used)) {
            all.remove(&self.address);
        }
    }
}

/// The delivery of a stand-in.
struct Onward {
    node: Node,
    route: Route,
    used: Arc<AtomicBool>,
}

impl Deliver for Onward {
    fn deliver(&self, entry: &Entry, message: Message) -> Result<(), Box<Undelivered>> {
        self.used.store(true, Ordering::Relaxed);
        pass_on(&self.node, &entry.address, message, &self.route)
    }
}
