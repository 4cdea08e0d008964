//! The encryptor at the accepting end of a channel.
//!
//! * Owns: a random address, which is prepended to the return route of everything that comes out of
//!   the channel; and, with [`Sealing`](super::sealing::Sealing), the sealing keys of its only
//!   session.
//! * State: established; the actor does not exist without a verified peer.
//! * Inbox: messages for the peer that `Sealing` did not intercept; [`Event`]s from the decryptor
//!   and from `Sealing`.
//! * Started by the decryptor at the end of the handshake, on the same arbiter. It ends with the
//!   session: its address is unregistered and the streams that watch it are notified.
//! * A panic unregisters it, and cuts its lifeline: the decryptor ends too.

use actix::{Actor, ActorContext, Context, Handler};
use ockam_actix_runtime::{
    edge::first_hop::LinkState,
    metrics::{
        link::{Link, Opener},
        listing::Recorded,
        Metrics,
    },
    node::directory::Registration,
    watched,
    worker::mailbox::Registered,
    Payload, Routed,
};

use crate::{
    identity::peer_names::Peer,
    secure_channel::{
        event::{Ending, Event},
        lifeline::Gone,
        outbound::Outbound,
        session::{self, End, OpenEnd, SessionSetup},
    },
};

/// Seals messages for the initiator.
pub(super) struct AcceptedEnd {
    peer: Peer,
    state: watched::Sender<LinkState>,
    /// Until the actor is registered.
    setup: Option<(SessionSetup, Gone)>,
    end: Option<OpenEnd>,
    registration: Option<Registration>,
    record: Option<Recorded<Link>>,
}

impl AcceptedEnd {
    pub(super) fn new(
        peer: Peer,
        state: watched::Sender<LinkState>,
        setup: SessionSetup,
        decryptor: Gone,
    ) -> Self {
        let setup = Some((setup, decryptor));
        Self { peer, state, setup, end: None, registration: None, record: None }
    }
}

impl End for AcceptedEnd {
    fn open_end(&mut self) -> Option<&mut OpenEnd> {
        self.end.as_mut()
    }

    fn in_use(&self) -> bool {
        // The entry in the routing table watches too.
        self.state.receiver_count() > 1
    }

    fn over(&mut self, ending: Ending, context: &mut Context<Self>) {
        let Some(end) = self.end.take() else { return };
        self.record = None;
        log::info!("the secure channel with {} has ended: {}", self.peer, ending.why);
        end.end(&ending, context);
        self.state.send_modify(|state| state.lose(ending.why.into()));
        context.stop();
    }

    fn retire(&mut self, context: &mut Context<Self>) {
        context.stop();
    }
}

impl Actor for AcceptedEnd {
    type Context = Context<Self>;
}

impl Handler<Registered> for AcceptedEnd {
    type Result = ();

    fn handle(&mut self, Registered(registration): Registered, context: &mut Context<Self>) {
        self.registration = Some(registration);
        let Some((setup, gone)) = self.setup.take() else { return };
        let Outbound { node, channel, peer_route, .. } = &setup.outbound;
        let record = Link::along(Opener::Peer, channel.clone(), peer_route);
        record.up("", Some(self.peer.identifier().to_string()));
        self.record = Some(Metrics::of(node).channels.list(record));
        session::watch_decryptor(setup.session, gone, context);
        self.end = Some(OpenEnd::begin(setup, context));
    }
}

impl Handler<Routed<Payload>> for AcceptedEnd {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, context: &mut Context<Self>) {
        session::send(self, message.into_message(), context);
    }
}

impl Handler<Event> for AcceptedEnd {
    type Result = ();

    fn handle(&mut self, event: Event, context: &mut Context<Self>) {
        session::handle(self, event, context);
    }
}
