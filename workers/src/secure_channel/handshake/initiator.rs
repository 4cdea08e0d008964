//! The initiator: the end that opens a channel.

use std::fmt;

use crate::{
    identity::{address_secret::AddressSecret, local_identity::LocalIdentity},
    secure_channel::handshake::{
        judge::Judge,
        noise::{Noise, Role},
        payload, HandshakeError, HandshakeMessage, Session, VerifiedPeer, READY, REFUSED,
    },
};
use ockam_actix_runtime::address::identifier::Identifier;

/// Starts handshakes.
#[derive(Debug, Clone, Copy)]
pub struct Initiator;

/// Message 1 has been sent.
pub struct AwaitingMessage2 {
    noise: Noise,
    local: LocalIdentity,
}

/// Message 3 has been sent: the responder is verified and trusted, and decides about us.
pub struct AwaitingReady {
    noise: Noise,
    own: Identifier,
    peer: VerifiedPeer,
}

impl Initiator {
    /// Starts a handshake as `local`; returns message 1.
    ///
    /// # Errors
    /// Only when the system has no randomness, or by a bug.
    pub fn start(local: &LocalIdentity) -> Result<(AwaitingMessage2, Vec<u8>), HandshakeError> {
        Self::start_with_secret(local, None)
    }

    /// As [`Initiator::start`], with the secret that both ends must have, if any.
    ///
    /// # Errors
    /// As [`Initiator::start`].
    pub fn start_with_secret(
        local: &LocalIdentity,
        secret: Option<&AddressSecret>,
    ) -> Result<(AwaitingMessage2, Vec<u8>), HandshakeError> {
        Self::start_with(local, secret, None)
    }

    /// For test vectors: a known ephemeral key gives the session away.
    #[cfg(test)]
    pub(crate) fn dangerous_start_with_fixed_ephemeral(
        local: &LocalIdentity,
        secret: Option<&AddressSecret>,
        ephemeral: &[u8; 32],
    ) -> Result<(AwaitingMessage2, Vec<u8>), HandshakeError> {
        Self::start_with(local, secret, Some(ephemeral))
    }

    fn start_with(
        local: &LocalIdentity,
        secret: Option<&AddressSecret>,
        ephemeral: Option<&[u8; 32]>,
    ) -> Result<(AwaitingMessage2, Vec<u8>), HandshakeError> {
        let mut noise = Noise::start(Role::Initiator, local, secret, ephemeral)?;
        let message1 = noise.write(HandshakeMessage::One, &[])?;
        Ok((AwaitingMessage2 { noise, local: local.clone() }, message1))
    }
}

impl AwaitingMessage2 {
    /// Verifies the responder and asks the policy; only then makes message 3, which reveals who we
    /// are.
    ///
    /// # Errors
    /// See [`HandshakeError`]. Send nothing then.
    pub fn handle_message2<'a>(
        mut self,
        message2: &[u8],
        judge: impl Into<Judge<'a>>,
    ) -> Result<(AwaitingReady, Vec<u8>), HandshakeError> {
        let peer = payload::read_verified(
            &mut self.noise,
            HandshakeMessage::Two,
            message2,
            &self.local,
            &judge.into(),
        )?;
        let proof = payload::make(Role::Initiator, &self.local, &self.noise.hash());
        let message3 = self.noise.write(HandshakeMessage::Three, &proof)?;
        let own = self.local.identifier();
        Ok((AwaitingReady { noise: self.noise, own, peer }, message3))
    }
}

impl AwaitingReady {
    /// Opens the responder's first record; the channel is established when it says *ready*.
    ///
    /// # Errors
    /// When anything else came: [`HandshakeError::Refused`] if the responder does not trust us.
    pub fn handle_ready(self, record: &mut [u8]) -> Result<Session, HandshakeError> {
        let mut session = self.noise.finish(self.peer)?;
        match session.opener.open_in_place(record).map_err(HandshakeError::NotReady)? {
            text if text == READY => Ok(session),
            text if text == REFUSED => {
                let peer = session.peer.identifier();
                Err(HandshakeError::Refused { own: self.own, peer })
            }
            _ => Err(HandshakeError::UnknownReady),
        }
    }

    /// The responder, verified and trusted. It has not said yet that it trusts us.
    #[must_use]
    pub fn peer(&self) -> &VerifiedPeer {
        &self.peer
    }
}

impl fmt::Debug for AwaitingMessage2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AwaitingMessage2(as {}, keys redacted)", self.local.identifier())
    }
}

impl fmt::Debug for AwaitingReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AwaitingReady(from {}, keys redacted)", self.peer.identifier())
    }
}
