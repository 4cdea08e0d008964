//! The responder's decryptor, until the channel is open.

use std::sync::{atomic::AtomicBool, Arc};

use actix::{AsyncContext, Context};
use ockam_actix_runtime::{
    clock::Instant, edge::first_hop::LinkState, node::entry::Description, watched, Address, Class,
    Error, Host, MessageKind, Node, Origin, Permit, Route,
};

use crate::{
    identity::peer_names::PeerNames,
    secure_channel::{
        accepted_end::AcceptedEnd,
        admission::HandshakeSlot,
        decryptor::{Decryptor, DecryptorConfig, Opened, Role},
        exchange::{Credentials, Exchange},
        failure::FailureReason,
        handshake::{Session, Work},
        inbound::Inbound,
        lifeline::{lifeline, Lifeline},
        limits::Limits,
        outbound::Outbound,
        packet::Packet,
        relayed::{relay_of, RelayedListeners},
        sealing::Sealing,
        session::{Partner, SessionSetup},
    },
};

/// What only a responder's decryptor has.
pub(in crate::secure_channel) struct Responding {
    /// The listener that started it.
    listener: Address,
    /// Counts the handshake against the listener's limits.
    slot: HandshakeSlot,
    /// Noise message 1, until it is answered.
    noise: Vec<u8>,
    permit: Option<Permit>,
    /// The hub that it came through, if it did.
    relay: Option<Address>,
    /// Rates count from this moment.
    since: Instant,
    /// Cut when this actor is gone.
    lifeline: Option<Lifeline>,
}

impl Responding {
    /// For answering `noise`, message 1, which arrived at `listener`; `since` is the moment that
    /// the listener counts rates from.
    pub(in crate::secure_channel) fn new(
        listener: Address,
        slot: HandshakeSlot,
        noise: Vec<u8>,
        permit: Option<Permit>,
        since: Instant,
    ) -> Self {
        Self { listener, slot, noise, permit, relay: None, since, lifeline: None }
    }

    /// The hub that the handshake came through, if it did.
    pub(super) const fn relay(&self) -> Option<&Address> {
        self.relay.as_ref()
    }

    /// Whether the initiator may cause this work now.
    pub(super) fn affords(&self, work: Work, limits: &Limits) -> bool {
        self.slot.pay(work, self.since.elapsed(), limits)
    }

    /// Opens the session: the initiator is verified and trusted, and its channel gets an encryptor.
    pub(super) fn open(
        &mut self,
        config: &DecryptorConfig,
        session: Session,
        peer_route: Route,
        context: &mut Context<Decryptor>,
    ) -> Result<Opened, FailureReason> {
        let undelivered = |error: Error| FailureReason::Undelivered(error.one_line());
        let first_hop = config.node.first_hop(&peer_route).map_err(undelivered)?.for_channel();
        let peer = session.peer.identifier();
        let channel = Address::random();
        let heard = Arc::new(AtomicBool::new(false));
        let (own_lifeline, gone) = lifeline();
        let (encryptor_lifeline, encryptor_gone) = lifeline();
        let state = watched::Sender::new(LinkState::established());
        let sealing = Arc::new(Sealing::default());
        let description = Description::new(channel.clone(), Class::Reply)
            .with_budget(first_hop.budget.clone())
            .with_state(state.subscribe())
            .intercepted_by(sealing.clone());
        let setup = SessionSetup {
            session: config.session,
            renews: false,
            outbound: Outbound {
                node: config.node.clone(),
                channel: channel.clone(),
                via: channel.clone(),
                sealer: session.sealer,
                kind: MessageKind::Reply,
                peer_route,
                decryptor: Route::from(config.address.clone()),
            },
            sealing,
            partner: Partner {
                decryptor: context.address(),
                heard: heard.clone(),
                lifeline: encryptor_lifeline,
            },
            epoch: first_hop.state().epoch,
            first_hop,
            limits: config.limits.clone(),
            busy: config.node.busy(),
        };
        let shown = PeerNames::of(&config.node).show(&peer);
        let encryptor = AcceptedEnd::new(shown.clone(), state, setup, gone);
        let encryptor = config.node.launch_here(description, encryptor).map_err(undelivered)?;
        self.slot.establish();
        self.lifeline = Some(own_lifeline);
        Decryptor::live_with(encryptor_gone, context);
        log::info!("{shown} has opened the secure channel {channel} to \"{}\"", self.listener);
        let inbound = Inbound::new(session.opener, peer, channel, None, self.slot.source());
        Ok((inbound, encryptor.recipient(), heard))
    }

    /// The credentials for a renewal that begins with this message. Through a forwarder, its
    /// sender must show again that it has the secret, which may have been renewed.
    pub(super) fn renewing<'a>(
        &self,
        config: &DecryptorConfig,
        message: Packet<'a>,
    ) -> Result<(Credentials, &'a [u8]), FailureReason> {
        let credentials = config.credentials.clone();
        match (message, &self.relay) {
            // A direct handshake, or one to a listener that is reached by name.
            (Packet::One { noise, .. }, _) if credentials.secret.is_none() => {
                Ok((credentials, noise))
            }
            (Packet::OneWithSecret { noise, tag, .. }, Some(relay)) => {
                let (relayed, own) =
                    (config.node.extension(RelayedListeners::default), credentials.local.now());
                let secret = relayed.secret_of(relay, &self.listener, &own, tag, noise);
                let secret = Some(secret.ok_or(FailureReason::SecretRenewed)?);
                Ok((Credentials { secret, ..credentials }, noise))
            }
            _ => Err(FailureReason::OutOfTurn),
        }
    }

    pub(super) fn log(&self, node: &Node, why: &FailureReason, peer_route: Option<&Route>) {
        let route = peer_route.map(Route::to_string).unwrap_or_default();
        let said = PeerNames::of(node).annotate(&why.to_string());
        let what = format_args!(
            "no secure channel at \"{}\" for the peer at {route}: {said}",
            self.listener
        );
        if why.is_admission() {
            return log::info!("{what}");
        }
        node.refusals().warn("handshake-failed", what);
    }
}

impl Decryptor {
    /// A decryptor for one message 1 that came from `origin` and is answered along `peer_route`,
    /// and the description to register it with: it accepts only messages that come in where
    /// message 1 did.
    pub(in crate::secure_channel) fn responding(
        config: DecryptorConfig,
        mut responding: Responding,
        origin: Origin,
        peer_route: Route,
    ) -> (Description, Self) {
        responding.relay = relay_of(&origin).cloned();
        let description = Description::new(config.address.clone(), Class::Reply)
            .with_access(move |from| came_in_where(&origin, from));
        (description, Self::new(config, Role::Responder(responding), Some(peer_route)))
    }

    pub(super) fn respond(&mut self) -> Result<Exchange, FailureReason> {
        let Role::Responder(responding) = &mut self.role else {
            return Err(FailureReason::OutOfTurn);
        };
        let (noise, permit) = (std::mem::take(&mut responding.noise), responding.permit.take());
        let (exchange, message2) = Exchange::respond(self.config.credentials.clone(), &noise)?;
        let route = self.peer_route.clone().unwrap_or_default();
        self.send(route, message2, permit)?;
        Ok(exchange)
    }
}

fn came_in_where(first: &Origin, now: &Origin) -> bool {
    match first {
        Origin::Remote(ingress) => now.came_through(&ingress.via),
        Origin::Local => now.is_local(),
    }
}
