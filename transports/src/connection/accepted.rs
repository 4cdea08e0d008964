//! An accepted connection.
//!
//! * Owns: its carrier, its write queue, the registration of its random address.
//! * Inbox: messages to the peer, which it queues for the socket.
//! * Started by a transport's listener after the greeting, on the arbiter whose turn it is; stops
//!   with the carrier, or when it is a guest that has not proved in time that it is a member's. Its
//!   address is then unregistered, and its sources see it lost.
//! * A panic ends it like a lost socket: the peer connects again.

use std::{io::ErrorKind, sync::Arc};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use ockam_actix_runtime::{
    edge::{connection_pools::ConnectionPools, first_hop::LinkState, lane::Lanes},
    metrics::{
        link::{Link, Opener},
        listing::Recorded,
        Metrics,
    },
    node::{directory::Registration, entry::Description},
    trust::{
        members::{Listed, Members},
        origin::{Door, Ingress},
        source::SourceAddress,
    },
    watched,
    worker::mailbox::Registered,
    Address, Class, Culprit, Error, Host, Node, Payload, Routed,
};

use crate::{
    connection::{
        carrier::Carrier,
        connection_limits::ConnectionSlot,
        queue::WriteQueue,
        session::{Session, SessionEnd},
    },
    limits::GUEST_TIME,
};

pub(crate) struct Accepted<C: Carrier> {
    node: Node,
    via: Address,
    queue: WriteQueue,
    /// For the log.
    peer: String,
    /// The remote end, for caps and rates.
    source: Option<SourceAddress>,
    /// The session to run, until the actor starts it.
    session: Option<(Session<C>, Door, Lanes)>,
    /// Dropped with the actor: the sources of this connection then see it lost.
    state: watched::Sender<LinkState>,
    registration: Option<Registration>,
    _record: Recorded<Link>,
    /// Count this connection, and all that it consists of, against the limits of listeners.
    slots: Vec<ConnectionSlot>,
    /// Where members are expected.
    _listed: Option<Listed>,
}

/// Who is at the other end of an accepted carrier, as its listener knows it.
#[derive(Clone, Debug)]
pub struct Peer {
    /// For the log.
    pub name: String,
    /// What it is counted against, for caps and rates; `None` where the transport knows no address.
    pub source: Option<SourceAddress>,
}

/// Logs why an accepted peer is not served. One that goes away before it has greeted is refused
/// nothing: it checks whether the port is open, or is stopped while it dials.
pub(super) fn log_ungreeted(node: &Node, error: &Error) {
    let what = error.one_line();
    match has_left(error) {
        true => node.refusals().debug("left-early", format_args!("{what}")),
        false => node.refusals().warn("no-greeting", format_args!("{what}")),
    }
}

/// Whether the peer has ended the connection, in order or not.
fn has_left(error: &Error) -> bool {
    let Error::Transport { source, .. } = error else { return false };
    matches!(
        source.kind(),
        ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
    )
}

/// Greets the peer of an accepted carrier and serves it until it is gone. Runs on the arbiter
/// that the connection stays on.
pub async fn accept<C: Carrier>(
    node: Node,
    carrier: C,
    peer: Peer,
    door: Door,
    slots: Vec<ConnectionSlot>,
) {
    let session = match Session::greet(carrier, peer.name.clone()).await {
        Ok(session) => session,
        Err(error) => return log_ungreeted(&node, &error),
    };
    let state = watched::Sender::new(LinkState::established());
    let via = Address::random();
    let record = Link::new(Opener::Peer, via.clone(), peer.name.clone());
    record.up(session.transport(), None);
    let record = Metrics::of(&node).list_connection(record);
    let pools = node.extension(|| ConnectionPools::new(node.limits()));
    let description = Description::new(via.clone(), Class::Reply)
        .with_link_budgets(pools.link_budgets())
        .with_state(state.subscribe());
    let lanes = pools.lanes(peer.source, session.parts());
    let listed = listed(&node, &via, &slots, &lanes);
    let accepted = Accepted {
        node: node.unheld(),
        via,
        queue: session.queue(record.traffic.clone()),
        peer: peer.name,
        source: peer.source,
        session: Some((session, door, lanes)),
        state,
        registration: None,
        _record: record,
        slots,
        _listed: listed,
    };
    if let Err(error) = node.launch_here(description, accepted) {
        log::debug!("{error}");
    }
}

/// Lists a connection where members are expected: as a member's, it leaves the limits for
/// strangers.
fn listed(node: &Node, via: &Address, slots: &[ConnectionSlot], lanes: &Lanes) -> Option<Listed> {
    let members = Members::of(node);
    let (slots, lanes) = (slots.to_vec(), lanes.clone());
    let welcome = move || {
        let has_room = ConnectionSlot::become_members(&slots);
        if has_room {
            lanes.leave_source();
        }
        has_room
    };
    members.are_expected().then(|| members.list(via.clone(), Box::new(welcome)))
}

impl<C: Carrier> Accepted<C> {
    /// Closes the connection if it is a guest still.
    fn see_guest_out(&mut self, context: &mut Context<Self>) {
        let Some(refused) = self.slots.iter().find_map(ConnectionSlot::is_guest) else { return };
        let what = format_args!(
            "closed {} after {GUEST_TIME:?} in which it has not proved to be a member: {refused}",
            self.peer
        );
        self.node.refusals().warn(refused.rule(), what);
        context.stop();
    }
}

impl<C: Carrier> Actor for Accepted<C> {
    type Context = Context<Self>;
}

impl<C: Carrier> Handler<Registered> for Accepted<C> {
    type Result = ();

    fn handle(&mut self, Registered(registration): Registered, context: &mut Context<Self>) {
        self.registration = Some(registration);
        if self.slots.iter().any(|slot| slot.is_guest().is_some()) {
            context.run_later(GUEST_TIME, Self::see_guest_out);
        }
        let Some((session, door, lanes)) = self.session.take() else { return };
        let ingress = Arc::new(Ingress { via: self.via.clone(), door, source: self.source });
        let running = session.run(self.node.clone(), ingress, self.queue.clone(), lanes, || false);
        context.spawn(running.into_actor(self).map(|end, actor, context| {
            let error = match end {
                SessionEnd::Lost(error) => error,
                SessionEnd::GoneAway => {
                    let failure = "the node at the other end has stopped";
                    actor.state.send_modify(|state| state.lose_as_announced(failure.into()));
                    return context.stop();
                }
            };
            // Peers come and go; only one that breaks the protocol is worth a warning.
            match error.culprit() {
                Culprit::Peer => {
                    let refusal_log = actor.node.refusals();
                    refusal_log.warn("protocol-broken", format_args!("{}", error.one_line()));
                }
                Culprit::Caller | Culprit::Transport | Culprit::Bug => {
                    log::debug!("{}", error.one_line());
                }
            }
            context.stop();
        }));
    }
}

impl<C: Carrier> Handler<Routed<Payload>> for Accepted<C> {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut Context<Self>) {
        let mut message = message.into_message();
        self.node.conceal_names(&mut message.return_route, &self.via);
        if let Err(undelivered) = self.queue.push(message) {
            self.node.bounce(undelivered);
        }
    }
}
