//! A dialled connection: the worker that an address such as `(TCP, "host:port")` at the front of a
//! route stands for.
//!
//! * Owns: that address; while connected also a carrier, its write queue, and a random
//!   address that answers come back to.
//! * States: connecting (messages wait), connected (perhaps moving to another peer of its list,
//!   because this one is about to stop), waiting for the next attempt (messages bounce
//!   at once, so that nobody hangs on a peer that is down).
//! * Inbox: messages to the peer.
//! * Started by the node's dialer for the first route that needs it, on an arbiter that
//!   follows from its address. It connects again, with back-off, as long as a source watches its
//!   link; without one it stops at the time of the next attempt.
//! * A panic unregisters it, and its sources see it lost; the next message, or first hop, dials
//!   anew.

mod moving;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, SpawnHandle, WrapFuture,
};
use ockam_actix_runtime::{
    clock::Instant,
    edge::{
        backoff::Backoff, connection_pools::ConnectionPools, first_hop::LinkState,
        link_budgets::LinkBudgets, message_queue::MessageQueue,
    },
    limits::EDGE_BUDGET_BYTES,
    lock::Lock,
    message::undelivered::Undelivered,
    metrics::{
        link::{Link, Opener},
        listing::Recorded,
        Metrics,
    },
    node::{directory::Registration, entry::Description, Dialer},
    socket::connect::{race, NoneAnswered},
    trust::origin::{Door, Ingress},
    watched,
    worker::mailbox::Registered,
    Address, Class, Error, Host, Message, Node, Notice, Payload, Result, Routed, TransportType,
    UndeliverableReason,
};

use crate::{
    connection::{
        carrier::Carrier,
        connectors::{Connector, Connectors},
        queue::WriteQueue,
        session::{Session, SessionEnd},
    },
    limits::{DIAL_TIMEOUT, FIRST_BACKOFF, MAX_BACKOFF, MOVED_LINGER, STEADY_AFTER},
};

/// Makes `node` dial addresses of `transport`, with a connection for each peer, or for each list of
/// peers, that a route begins with. A transport that was added before stays as it is.
pub fn add_connector(node: &impl AsRef<Node>, transport: TransportType, connector: impl Connector) {
    let node = node.as_ref();
    Connectors::of(node).add(transport, connector);
    node.add_dialer(transport.name(), node.extension(ConnectionDialer::default));
}

/// Makes a dialled connection for each address that a route needs.
#[derive(Default)]
struct ConnectionDialer {
    dialling: Lock<()>,
}

impl Dialer for ConnectionDialer {
    fn dial(&self, node: &Node, address: &Address) -> Result<()> {
        let connectors = Connectors::of(node);
        connectors.check(address)?;
        // Two threads may want the same peer: the second finds what the first registered.
        let _one_at_a_time = self.dialling.lock();
        if node.is_registered(address) {
            return Ok(());
        }
        Dialled::launch(node, address.clone(), connectors)
    }
}

struct Dialled {
    node: Node,
    address: Address,
    connectors: Arc<Connectors>,
    budgets: LinkBudgets,
    state: watched::Sender<LinkState>,
    phase: Phase,
    backoff: Backoff,
    /// When the last attempt began, or has succeeded.
    since: Instant,
    /// Of several peers, the one that was connected last.
    last: Option<Address>,
    registration: Option<Registration>,
    record: Recorded<Link>,
}

/// Bytes that may wait for a peer until it is connected: what sources of this node may have under
/// way, and as much again from elsewhere.
const WAITING_BYTES: usize = 2 * EDGE_BUDGET_BYTES;

enum Phase {
    /// Waiting for the peer: messages queue up to [`WAITING_BYTES`].
    Connecting(MessageQueue),
    Connected {
        queue: WriteQueue,
        via: Registration,
        session: SpawnHandle,
        /// The attempts to connect to another peer, as this one is about to stop.
        moving: Option<SpawnHandle>,
    },
    /// Waiting for the time of the next attempt.
    Waiting { failure: Arc<str> },
}

impl Dialled {
    fn launch(node: &Node, address: Address, connectors: Arc<Connectors>) -> Result<()> {
        let mut hasher = DefaultHasher::new();
        address.hash(&mut hasher);
        let arbiter = usize::try_from(hasher.finish() >> 33).unwrap_or(0) % node.arbiter_count();
        let budgets = pools(node).link_budgets();
        let state = watched::Sender::new(LinkState::default());
        let description = Description::new(address.clone(), Class::Internal)
            .on(arbiter)
            .with_link_budgets(budgets.clone())
            .with_state(state.subscribe());
        // It is an entrance to this node from now on, and listed as one.
        drop(node.hub_grants(&address));
        let own = node.unheld();
        let record = Link::new(Opener::Here, address.clone(), address.to_string());
        let record = Metrics::of(node).list_connection(record);
        node.launch(description, move |_| Self {
            node: own,
            record,
            address,
            connectors,
            budgets,
            state,
            phase: Phase::Connecting(MessageQueue::new(WAITING_BYTES)),
            backoff: Backoff::new(FIRST_BACKOFF, MAX_BACKOFF),
            since: Instant::now(),
            last: None,
            registration: None,
        })?;
        Ok(())
    }

    /// The text after the `#` of the address.
    fn peer(&self) -> &str {
        name_of(&self.address)
    }

    /// The peer that was connected last.
    fn connected_peer(&self) -> &str {
        self.last.as_ref().map_or_else(|| self.peer(), name_of)
    }

    /// Whether a source watches: without one, nobody is left to connect for.
    fn is_wanted(&self) -> bool {
        // The entry in the table is a receiver too: a source is one more.
        self.state.receiver_count() > 1
    }

    /// The peers in the order in which they are tried: the one that was lost comes last.
    fn in_order(&self) -> Vec<Address> {
        let mut in_order: Vec<_> = self.address.alternatives().collect();
        // A stable order but for this one.
        in_order.sort_by_key(|peer| Some(peer) == self.last.as_ref());
        in_order
    }

    fn connect(&mut self, context: &mut Context<Self>) {
        self.since = Instant::now();
        let (connectors, in_order) = (self.connectors.clone(), self.in_order());
        let connecting = async move {
            let end = Instant::now() + DIAL_TIMEOUT;
            let connected = race(in_order, end, |peer| greet(&connectors, peer)).await;
            connected.map_err(|none: NoneAnswered<Error>| none.failure)
        };
        context.spawn(connecting.into_actor(self).map(
            |connected, actor, context| match connected {
                Ok((session, peer)) => actor.connected(session, peer, context),
                Err(error) => {
                    let waited_for = format!("a connection to {}", actor.peer());
                    let late = Error::TimedOut { waited_for, limit: DIAL_TIMEOUT };
                    actor.failed(&error.unwrap_or(late), context);
                }
            },
        ));
    }

    fn connected(
        &mut self,
        session: Session<Box<dyn Carrier>>,
        peer: Address,
        context: &mut Context<Self>,
    ) {
        let via = Address::random();
        let mut description = Description::new(via.clone(), Class::Reply)
            .with_link_budgets(self.budgets.clone())
            .with_state(self.state.subscribe());
        description.arbiter = self.node.current_arbiter();
        let Some(own) = &self.registration else { return context.stop() };
        let registered = self.node.register_again(description, own);
        let Ok(registration) = registered else { return context.stop() };
        let proxy = self.connectors.proxy(&peer);
        let through = proxy.map(|proxy| format!(" through the proxy {proxy}")).unwrap_or_default();
        match peer == self.address {
            true => log::info!("connected to {}{through}", self.address),
            false => log::info!("connected to {peer}{through}, of {}", self.address),
        }
        self.note_connected(session.transport(), &peer);
        (self.since, self.last) = (Instant::now(), Some(peer));
        self.record.enters_by(via.clone());
        let queue = session.queue(self.record.traffic.clone());
        let session = self.run(session, &via, queue.clone(), context);
        let connected =
            Phase::Connected { queue: queue.clone(), via: registration, session, moving: None };
        match std::mem::replace(&mut self.phase, connected) {
            Phase::Connecting(waiting) => {
                self.state.send_modify(LinkState::establish);
                waiting.into_iter().for_each(|message| write(&self.node, &queue, &via, message));
            }
            Phase::Waiting { .. } => self.state.send_modify(LinkState::establish),
            Phase::Connected { session: left, .. } => {
                self.state.send_modify(LinkState::moved);
                // What is under way over the connection before has still time to arrive.
                context.run_later(MOVED_LINGER, move |_, context| {
                    context.cancel_future(left);
                });
            }
        }
    }

    /// Runs the session whose answers come back to `via`.
    fn run(
        &mut self,
        session: Session<Box<dyn Carrier>>,
        via: &Address,
        queue: WriteQueue,
        context: &mut Context<Self>,
    ) -> SpawnHandle {
        let door = Door::Outgoing {
            dialled: self.address.clone(),
            grants: self.node.hub_grants(&self.address),
        };
        let ingress = Arc::new(Ingress { via: via.clone(), door, source: None });
        let lanes = pools(&self.node).lanes(None, session.parts());
        let start_move = self.start_move(via, context);
        let running = session.run(self.node.clone(), ingress, queue, lanes, start_move);
        let via = via.clone();
        context.spawn(running.into_actor(self).map(move |end, actor, context| match end {
            // Another has taken its place.
            _ if !actor.is_connected_by(&via) => {}
            SessionEnd::Lost(error) => actor.failed(&error, context),
            SessionEnd::GoneAway => actor.gone_away(context),
        }))
    }

    fn note_connected(&self, transport: &'static str, peer: &Address) {
        let metrics = Metrics::of(&self.node);
        metrics.node_connects.observe(self.since.elapsed());
        if self.record.up(transport, Some(name_of(peer).to_owned())) {
            metrics.reconnects.increment();
        }
    }

    /// The peer stops, and has said so.
    fn gone_away(&mut self, context: &mut Context<Self>) {
        let failure: Arc<str> = format!("the node at {} stops", self.connected_peer()).into();
        log::info!("{failure}; connecting again to {}", self.peer());
        self.down(failure, LinkState::lose_as_announced, context);
    }

    /// An attempt failed, or the connection was lost.
    fn failed(&mut self, error: &Error, context: &mut Context<Self>) {
        let failure: Arc<str> = error.one_line().into();
        let first = {
            let state = self.state.borrow();
            state.up || state.failure.is_none()
        };
        if self.node.is_stopping() {
            // The peer has closed because it was told so.
            log::debug!("{failure}");
        } else if first && self.is_wanted() {
            log::warn!("{failure}; trying again until {} answers", self.peer());
        } else if first {
            log::warn!("{failure}");
        }
        self.down(failure, LinkState::lose, context);
    }

    fn down(
        &mut self,
        failure: Arc<str>,
        lose: fn(&mut LinkState, Arc<str>),
        context: &mut Context<Self>,
    ) {
        self.record.down(failure.clone());
        self.state.send_modify(|state| lose(state, failure.clone()));
        let phase = Phase::Waiting { failure: failure.clone() };
        let was_up = match std::mem::replace(&mut self.phase, phase) {
            Phase::Connected { moving, .. } => {
                if let Some(moving) = moving {
                    context.cancel_future(moving);
                }
                true
            }
            Phase::Connecting(waiting) => {
                waiting.into_iter().for_each(|message| self.bounce(message, &failure));
                false
            }
            Phase::Waiting { .. } => false,
        };
        context.run_later(self.pause(was_up), |actor, context| match actor.is_wanted() {
            true => actor.connect(context),
            false => context.stop(),
        });
    }

    /// The pause before the next attempt: none after a connection that lasted. An attempt that has
    /// taken long was a pause itself.
    fn pause(&mut self, was_up: bool) -> Duration {
        let lasted = self.since.elapsed();
        if was_up && lasted >= STEADY_AFTER {
            self.backoff.reset();
            if self.is_wanted() {
                return Duration::ZERO;
            }
        }
        // Not at once when nobody watches: whoever asked for this connection on another arbiter may
        // be about to watch it, and wants to know why it failed.
        self.backoff.next_pause().saturating_sub(lasted).max(FIRST_BACKOFF / 2)
    }

    fn bounce(&self, message: Message, failure: &str) {
        let notice = Notice::new(self.address.clone(), UndeliverableReason::Disconnected)
            .with_detail(failure);
        self.node.bounce(Box::new(Undelivered { message, notice }));
    }
}

/// Connects to one peer and greets it, so that one that says nothing is not taken for one that
/// answers.
async fn greet(
    connectors: &Connectors,
    peer: Address,
) -> Result<(Session<Box<dyn Carrier>>, Address)> {
    let carrier = connectors.connect(&peer).await?;
    Ok((Session::greet(carrier, name_of(&peer).to_owned()).await?, peer))
}

/// The text after the `#` of an address.
fn name_of(address: &Address) -> &str {
    address.dial_parts().map_or("", |(_, peer)| peer)
}

fn pools(node: &Node) -> Arc<ConnectionPools> {
    node.extension(|| ConnectionPools::new(node.limits()))
}

/// Queues a message, which leaves by `via`.
fn write(node: &Node, queue: &WriteQueue, via: &Address, mut message: Message) {
    node.conceal_names(&mut message.return_route, via);
    if let Err(undelivered) = queue.push(message) {
        node.bounce(undelivered);
    }
}

impl Actor for Dialled {
    type Context = Context<Self>;
}

impl Handler<Registered> for Dialled {
    type Result = ();

    fn handle(&mut self, Registered(registration): Registered, context: &mut Context<Self>) {
        self.registration = Some(registration);
        self.connect(context);
    }
}

impl Handler<Routed<Payload>> for Dialled {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut Context<Self>) {
        let message = message.into_message();
        match &mut self.phase {
            Phase::Connected { queue, via, .. } => {
                write(&self.node, queue, via.address(), message);
            }
            Phase::Connecting(waiting) => {
                let Err(message) = waiting.push(message) else { return };
                let hop = self.address.clone();
                self.node.bounce(Undelivered::new(message, &hop, UndeliverableReason::Overloaded));
            }
            Phase::Waiting { failure } => {
                let failure = failure.clone();
                self.bounce(message, &failure);
            }
        }
    }
}
