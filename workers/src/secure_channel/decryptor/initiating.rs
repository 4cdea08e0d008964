//! The initiator's decryptor, until the channel is open.

use std::{
    sync::{atomic::AtomicBool, Arc},
    time::Duration,
};

use actix::{AsyncContext, Context, Recipient};
use ockam_actix_runtime::{
    node::entry::Description, trust::origin::HubGrants, Address, Class, Message, MessageKind, Route,
};

use crate::secure_channel::{
    decryptor::{Decryptor, DecryptorConfig, Opened, Phase, Role},
    event::{notify, Established, Event, EventKind},
    exchange::Exchange,
    failure::FailureReason,
    handshake::Session,
    inbound::Inbound,
    lifeline::{Gone, Lifeline},
    limits::{CONFIRMATION_ROUND_TRIPS, MAX_COOKIES},
    packet::Packet,
};

/// What only an initiator's decryptor has.
pub(in crate::secure_channel) struct Initiating {
    /// The route of message 1.
    pub(in crate::secure_channel) route: Route,
    /// The channel's address.
    pub(in crate::secure_channel) channel: Address,
    /// The session's address, prepended to the return route of what comes out of it.
    pub(in crate::secure_channel) via: Address,
    pub(in crate::secure_channel) encryptor: Recipient<Event>,
    /// What the peer may reach on this node once it is a hub.
    pub(in crate::secure_channel) grants: Arc<HubGrants>,
    pub(in crate::secure_channel) heard: Arc<AtomicBool>,
    /// Cut when this actor is gone.
    pub(in crate::secure_channel) _lifeline: Lifeline,
    /// Resolves when the encryptor is gone.
    pub(in crate::secure_channel) gone: Option<Gone>,
    pub(in crate::secure_channel) sent: Sent,
}

/// What is kept of message 1 in case it must be sent again.
#[derive(Default)]
pub(in crate::secure_channel) struct Sent {
    noise: Vec<u8>,
    /// The last cookie that was asked for.
    cookie: Vec<u8>,
    cookies: u8,
}

impl Decryptor {
    /// A decryptor for one attempt, and the description to register it with: it accepts answers
    /// only from where message 1 goes.
    pub(in crate::secure_channel) fn initiating(
        config: DecryptorConfig,
        initiating: Initiating,
    ) -> (Description, Self) {
        let route = initiating.route.clone();
        // If workers of this node precede it, the connection is not the first hop.
        let description = Description::new(config.address.clone(), Class::Reply)
            .with_access(move |origin| route.iter().any(|hop| origin.came_through(hop)));
        (description, Self::new(config, Role::Initiator(initiating), None))
    }

    pub(super) fn initiate(
        &mut self,
        context: &mut Context<Self>,
    ) -> Result<Exchange, FailureReason> {
        let Role::Initiator(initiating) = &mut self.role else {
            return Err(FailureReason::OutOfTurn);
        };
        if let Some(gone) = initiating.gone.take() {
            Self::live_with(gone, context);
        }
        let (exchange, noise) = Exchange::initiate(self.config.credentials.clone())?;
        initiating.sent.noise = noise;
        self.send_message1()?;
        Self::send_again_after(self.config.limits.resend_after, context);
        Ok(exchange)
    }

    fn send_message1(&self) -> Result<(), FailureReason> {
        let Role::Initiator(Initiating { route, sent, .. }) = &self.role else { return Ok(()) };
        let packet = self.config.credentials.message1(&sent.noise, &sent.cookie);
        self.send(route.clone(), packet, None)
    }

    /// Sends message 1 again after each `pause` until there is an answer.
    fn send_again_after(pause: Duration, context: &mut Context<Self>) {
        context.run_later(pause, move |actor, context| {
            if !matches!(actor.phase, Phase::Handshaking(Exchange::Message2(..))) {
                return;
            }
            match actor.send_message1() {
                Ok(()) => Self::send_again_after(pause, context),
                Err(why) => actor.fail(why, context),
            }
        });
    }

    /// How long the responder may take to answer message 3. The path has just carried two messages,
    /// so one of the next two that is lost without a word costs no more than this.
    pub(super) fn confirmation_limit(&self) -> Duration {
        let limits = &self.config.limits;
        let limit = self.begun.elapsed() * CONFIRMATION_ROUND_TRIPS;
        limit.max(2 * limits.resend_after).min(limits.handshake_deadline)
    }

    /// Whether it answers a message 1 that was sent again, although another answer has come.
    pub(super) fn is_late_answer(&self, message: &Message) -> bool {
        let awaits_answer = matches!(self.phase, Phase::Handshaking(Exchange::Message2(..)));
        matches!(self.role, Role::Initiator(_))
            && !awaits_answer
            && message.kind != MessageKind::Notice
            && Packet::is_answer(&message.payload)
    }

    /// Whether the listener wants message 1 again, with a cookie.
    pub(super) fn is_asked_for_cookie(&self, exchange: &Exchange, message: &Message) -> bool {
        matches!(exchange, Exchange::Message2(..))
            && matches!(Packet::decode(&message.payload), Ok(Packet::Cookie(_)))
    }

    /// Sends message 1 again with the cookie in `message`.
    pub(super) fn send_with_cookie(&mut self, message: &Message) -> Result<(), FailureReason> {
        let Role::Initiator(initiating) = &mut self.role else { return Ok(()) };
        initiating.sent.cookies += 1;
        if initiating.sent.cookies > MAX_COOKIES {
            return Err(FailureReason::OutOfTurn);
        }
        let Packet::Cookie(cookie) = Packet::decode(&message.payload)? else {
            return Err(FailureReason::OutOfTurn);
        };
        initiating.sent.cookie = cookie.to_vec();
        self.send_message1()
    }
}

impl Initiating {
    /// Opens the session: the responder has said that it is ready.
    pub(super) fn open(
        &mut self,
        config: &DecryptorConfig,
        session: Session,
        peer_route: Route,
    ) -> Opened {
        let peer = session.peer.identifier();
        let established = Established { sealer: session.sealer, peer, peer_route };
        notify(&self.encryptor, config.session, EventKind::Established(Box::new(established)));
        let (channel, grants) = (self.channel.clone(), Some(self.grants.clone()));
        let inbound =
            Inbound::new(session.opener, peer, channel, grants, None).answered_at(self.via.clone());
        (inbound, self.encryptor.clone(), self.heard.clone())
    }
}
