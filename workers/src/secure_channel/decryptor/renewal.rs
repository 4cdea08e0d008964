//! Renewal: new keys for an open session, agreed on inside it.
//!
//! ```text
//! initiator                                      responder
//!   handshake(message 1)       --------------->
//!                              <---------------  handshake(message 2)
//!   handshake(message 3)       --------------->
//!                              <---------------  handshake(ready), the last record with its old key
//!   switch, the last record with its old key -->
//! ```
//!
//! The messages of a whole handshake travel in records of the session whose keys they replace.
//! Records are strictly ordered, so each direction changes its key at an exact record, and no
//! message is lost, late or repeated. Addresses and routes stay, and so do the streams of both
//! ends. Both policies are asked again, and the peer must be the same as before.
//!
//! The initiator must renew in time: either end closes a session whose keys have expired, by
//! [age](super::super::key_age) or by volume.

use actix::Context;
use ockam_actix_runtime::{clock::Instant, Payload};

use crate::secure_channel::{
    decryptor::{Decryptor, Open, Phase, Role},
    event::{Ending, EventKind},
    exchange::{Exchange, Step},
    failure::FailureReason,
    handshake::Session,
    inbound::Inbound,
    packet::Packet,
    plaintext::Tag,
    record::{Opener, Sealer},
};

impl Decryptor {
    /// Starts the handshake for new keys by sending message 1.
    pub(super) fn renew(&mut self, context: &mut Context<Self>) {
        let Phase::Open(open) = &mut self.phase else { return };
        match Exchange::initiate(self.config.credentials.clone()) {
            Ok((exchange, noise)) => {
                open.renewal = Some(exchange);
                let packet = self.config.credentials.message1(&noise, &[]);
                self.control(Tag::Handshake, packet, None);
            }
            Err(error) => self.end(Ending::telling_peer(error), context),
        }
    }

    /// Handles a message of the handshake for new keys.
    pub(super) fn handle_renewal(&mut self, payload: Payload, context: &mut Context<Self>) {
        if let Err(why) = self.try_renewal(payload) {
            self.end(Ending::telling_peer(format!("no new keys: {why}")), context);
        }
    }

    fn try_renewal(&mut self, mut payload: Payload) -> Result<(), FailureReason> {
        let Phase::Open(open) = &mut self.phase else { return Ok(()) };
        let step = match (open.renewal.take(), &self.role) {
            (Some(exchange), _) => {
                // Renewals are few, and a history that was verified before costs nothing.
                let step = open.listed.renewing(|| exchange.handle(&mut payload, &|_| true));
                step.map_err(|failure| failure.why)?
            }
            (None, Role::Responder(responding)) => {
                let message = Packet::decode(&payload)?;
                let (credentials, noise) = responding.renewing(&self.config, message)?;
                if !open.renewal_rate.admit(Instant::now(), &self.config.limits) {
                    return Err(FailureReason::TooOften);
                }
                let (exchange, answer) = Exchange::respond(credentials, noise)?;
                Step::Send(answer, exchange)
            }
            (None, Role::Initiator(_)) => return Err(FailureReason::OutOfTurn),
        };
        match step {
            Step::Send(bytes, exchange) => {
                open.renewal = Some(exchange);
                self.control(Tag::Handshake, bytes, None);
            }
            Step::Established(session) => {
                let sealer = open.accept(*session, Inbound::switch_now)?;
                self.notify(EventKind::NewKeys { sealer, announce: true });
            }
            Step::Confirm(record, session) => {
                let sealer = open.accept(*session, Inbound::switch_when_told)?;
                self.control(Tag::Handshake, record, None);
                self.notify(EventKind::NewKeys { sealer, announce: false });
            }
        }
        Ok(())
    }

    /// Asks for new keys when so much was opened that they are due, and ends the session when they
    /// have expired.
    pub(super) fn check_volume(&mut self, context: &mut Context<Self>) {
        let Phase::Open(open) = &self.phase else { return };
        let (limits, opened) = (&self.config.limits, open.inbound.volume());
        if limits.is_expired(opened) {
            return self.end(Ending::expired(), context);
        }
        let ours = matches!(self.role, Role::Initiator(_));
        if ours && open.renewal.is_none() && limits.is_due(opened) {
            self.notify(EventKind::Due);
        }
    }
}

impl Open {
    /// Installs the opening key of a new session with the same peer; returns the sealing one.
    fn accept(
        &mut self,
        session: Session,
        switch: fn(&mut Inbound, Opener),
    ) -> Result<Box<Sealer>, FailureReason> {
        if self.inbound.peer() != Some(session.peer.identifier()) {
            return Err(FailureReason::OtherPeer);
        }
        self.listed.admitted_again(session.peer.identity().clone());
        switch(&mut self.inbound, session.opener);
        Ok(Box::new(session.sealer))
    }
}
