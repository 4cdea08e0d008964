//! One forwarder.
//!
//! * Owns: its registrations (`F…`, and `F….I…` where an identity proved that the address is its
//!   own), its slot in the hub's [`Ledger`], and the route to the destination.
//! * States: forwarding; leaving, since its hub stops and has told the node that registered it.
//! * Inbox: none. Forwarded messages pass through no mailbox: the delivery [`Onward`] puts its
//!   route before the rest of the message's own and hands the message to the connection, which
//!   costs a few reference counts.
//! * Started by the forwarding service, on the arbiter of the connection that it forwards to.
//! * Ends with that connection, with its lease, or when the ledger drops its entry because the
//!   node released it or registered again. A hub that stops waits for that.
//! * A panic frees addresses and slot, as every end does. The node learns of it at its next
//!   renewal, and registers again.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, WrapFuture};
use ockam_actix_runtime::{
    clock,
    edge::first_hop::FirstHop,
    lock::Lock,
    message::undelivered::Undelivered,
    metrics::{listing::Recorded, Forwarder as ForwarderRecord, Metrics},
    node::{
        directory::Registration,
        entry::{Deliver, Description, Entry},
        Busy,
    },
    watched, Address, Class, Host, Identifier, Message, Node, Result, Route,
};
use tokio::time::{sleep, sleep_until, Instant};

use crate::{
    forwarder::{
        address::ForwardingAddress,
        cluster::Announced,
        hub::{
            journal::Journal,
            ledger::{Generation, Ledger},
            notify::notify_node,
        },
        limits::{LONGEST_EXTENSION, MOVE_LINGER, TIMELY},
        protocol::{claim::ForwarderId, Answer},
    },
    relay::pass_on,
};

/// Keeps a forwarder alive until the instant that it holds; renewing it means sending a later one.
pub(super) type Lease = watched::Sender<Instant>;

/// The ledger as the service and its forwarders share it, from several arbiters.
pub(super) type SharedLedger = Arc<Lock<Ledger<Lease>>>;

/// A slot in the ledger, given back when it is dropped.
pub(super) struct LedgerSlot {
    pub(super) ledger: SharedLedger,
    pub(super) id: ForwarderId,
    pub(super) generation: Generation,
}

impl Drop for LedgerSlot {
    fn drop(&mut self) {
        let mut ledger = self.ledger.lock();
        ledger.leave(&self.id, self.generation);
    }
}

/// What ends a forwarder.
pub(super) struct Life {
    /// The first hop of its route.
    pub(super) first_hop: FirstHop,
    /// The epoch of that hop's link in which it forwards.
    pub(super) epoch: u64,
    pub(super) lease: watched::Receiver<Instant>,
    /// Where its end is noted.
    pub(super) journal: Arc<Journal>,
    /// What makes it known to the other hubs of a cluster.
    pub(super) announced: Option<Announced>,
    /// This hub.
    pub(super) node: Node,
    /// Makes it wait, when it stops, until the forwarder has moved to another hub.
    pub(super) moving: Busy,
    /// Where the node that registered it is told that the hub stops.
    pub(super) inbox: Route,
}

/// See the documentation of this module.
pub(super) struct Forwarder {
    _slot: LedgerSlot,
    _registrations: Vec<Registration>,
    _record: Recorded<ForwarderRecord>,
}

impl Forwarder {
    /// Starts a forwarder at `addresses`, along `route`, whose first hop is that of `life`.
    pub(super) fn launch(
        node: &Node,
        slot: LedgerSlot,
        addresses: Vec<Address>,
        route: &Route,
        life: Life,
    ) -> Result<()> {
        let arbiter = node.arbiter_for(&life.first_hop);
        let describe = |address| {
            let description = Description::new(address, Class::Forwarder).on(arbiter);
            description.with_budget(life.first_hop.budget.clone())
        };
        let identity = addresses.iter().find_map(claimed_by);
        // All addresses are registered before anybody learns of them.
        let registrations = addresses
            .into_iter()
            .map(|address| {
                let onward = Onward { node: node.unheld(), route: route.clone() };
                node.register_delivery(describe(address), onward)
            })
            .collect::<Result<Vec<_>>>()?;
        let (route, since) = (route.to_string(), clock::Instant::now());
        let over = Some(life.first_hop.address.clone());
        let record = ForwarderRecord { route, over, identity, since };
        let record = Metrics::of(node).forwarders.list(record);
        node.start_on(arbiter, move |context| {
            let id = slot.id;
            let started = Self { _slot: slot, _registrations: registrations, _record: record };
            let life = life.run(id).into_actor(&started);
            context.spawn(life.map(|(), _, context| context.stop()));
            started
        });
        Ok(())
    }
}

/// The identity in a forwarder's address, which has proved that the address is its own.
fn claimed_by(address: &Address) -> Option<Identifier> {
    let parsed: ForwardingAddress = address.as_str().parse().ok()?;
    parsed.identifier
}

impl Actor for Forwarder {
    type Context = Context<Self>;
}

impl Life {
    /// Runs until the forwarder is to end.
    #[expect(
        clippy::manual_async_fn,
        reason = "there are many of these, and an async function holds its arguments twice"
    )]
    fn run(mut self, id: ForwarderId) -> impl Future<Output = ()> {
        async move {
            let mut is_leaving = false;
            let mut until = *self.lease.borrow_and_update();
            let mut extension = Duration::ZERO;
            let ended = {
                let mut evacuating = pin!(self.node.evacuating());
                loop {
                    tokio::select! {
                        biased;
                        () = self.first_hop.lost(self.epoch) => break Some("its connection is gone"),
                        renewed = self.lease.changed() => {
                            if renewed.is_err() {
                                // Released or replaced, which the service has noted.
                                break None;
                            }
                            until = *self.lease.borrow_and_update();
                            extension = Duration::ZERO;
                        }
                        () = &mut evacuating, if !is_leaving => {
                            is_leaving = true;
                            notify_node(&self.node, self.inbox.clone(), &Answer::Leaving(id));
                        }
                        () = sleep_until(until) => {
                            let now = Instant::now();
                            let more = more_time(now.saturating_duration_since(until), extension);
                            if more.is_zero() {
                                break Some("it was not renewed");
                            }
                            extension += more;
                            until = now + more;
                        }
                    }
                }
            };
            match ended {
                Some(why) => self.journal.departed(&id, why),
                None => self.linger(is_leaving),
            }
        }
    }

    /// Has a hub of a cluster that stops go on for a moment after the forwarder has moved: channels
    /// that came from other hubs still pass here, until their ends learn of the move.
    fn linger(self, is_leaving: bool) {
        if !is_leaving || self.announced.is_none() {
            return;
        }
        let (arbiter, moving) = (self.node.current_arbiter().unwrap_or_default(), self.moving);
        self.node.spawn_on(arbiter, async move {
            sleep(MOVE_LINGER).await;
            drop(moving);
        });
    }
}

/// How much longer a lease lasts whose end is noticed so `late`, and which was extended before
/// since it was renewed: time in which this node did not run does not count, as a renewal may be
/// among what is still to be read.
fn more_time(late: Duration, before: Duration) -> Duration {
    match late > TIMELY {
        true => late.min(LONGEST_EXTENSION.saturating_sub(before)),
        false => Duration::ZERO,
    }
}

/// The delivery of a forwarder, with the route that it puts before the rest of a message's own.
struct Onward {
    node: Node,
    route: Route,
}

impl Deliver for Onward {
    fn deliver(&self, entry: &Entry, message: Message) -> Result<(), Box<Undelivered>> {
        pass_on(&self.node, &entry.address, message, &self.route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_of_the_node_ends_no_lease() {
        for (late, before, more) in [
            (0, 0, 0),
            (20, 0, 0),
            (700, 0, 700),
            (700, 19_500, 500),
            (700, 20_000, 0),
            (3_600_000, 0, 20_000),
        ] {
            let [late, before, more] = [late, before, more].map(Duration::from_millis);
            assert_eq!(more_time(late, before), more, "{late:?} late, {before:?} before");
        }
    }
}
