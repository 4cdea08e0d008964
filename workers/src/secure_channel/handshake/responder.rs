//! The responder: the end that a channel is opened to.

use std::fmt;

use crate::{
    identity::{address_secret::AddressSecret, local_identity::LocalIdentity},
    secure_channel::{
        handshake::{
            judge::Judge,
            noise::{Noise, Role},
            payload, HandshakeError, HandshakeMessage, Session, READY, REFUSED,
        },
        record::Sealer,
    },
};

/// Answers handshakes.
#[derive(Debug, Clone, Copy)]
pub struct Responder;

/// Message 2 has been sent.
pub struct AwaitingMessage3 {
    noise: Noise,
    local: LocalIdentity,
}

impl Responder {
    /// Answers message 1 from anyone; returns message 2, which reveals who we are.
    ///
    /// It costs one signature and three multiplications on the curve, and keeps about a kilobyte:
    /// limit how often strangers may cause it.
    ///
    /// # Errors
    /// When message 1 is not one ephemeral key of full order.
    pub fn accept(
        local: &LocalIdentity,
        message1: &[u8],
    ) -> Result<(AwaitingMessage3, Vec<u8>), HandshakeError> {
        Self::accept_with_secret(local, message1, None)
    }

    /// As [`Responder::accept`], with the secret that both ends must have, if any.
    ///
    /// # Errors
    /// As [`Responder::accept`].
    pub fn accept_with_secret(
        local: &LocalIdentity,
        message1: &[u8],
        secret: Option<&AddressSecret>,
    ) -> Result<(AwaitingMessage3, Vec<u8>), HandshakeError> {
        Self::accept_with(local, message1, secret, None)
    }

    /// For test vectors: a known ephemeral key gives the session away.
    #[cfg(test)]
    pub(crate) fn dangerous_accept_with_fixed_ephemeral(
        local: &LocalIdentity,
        message1: &[u8],
        secret: Option<&AddressSecret>,
        ephemeral: &[u8; 32],
    ) -> Result<(AwaitingMessage3, Vec<u8>), HandshakeError> {
        Self::accept_with(local, message1, secret, Some(ephemeral))
    }

    fn accept_with(
        local: &LocalIdentity,
        message1: &[u8],
        secret: Option<&AddressSecret>,
        ephemeral: Option<&[u8; 32]>,
    ) -> Result<(AwaitingMessage3, Vec<u8>), HandshakeError> {
        let mut noise = Noise::start(Role::Responder, local, secret, ephemeral)?;
        noise.read(HandshakeMessage::One, message1)?;
        let proof = payload::make(Role::Responder, local, &noise.hash());
        // A small-order key in message 1 shows up here, in the first agreement with it.
        let message2 = noise.write(HandshakeMessage::Two, &proof).map_err(blame_message1)?;
        Ok((AwaitingMessage3 { noise, local: local.clone() }, message2))
    }
}

fn blame_message1(error: HandshakeError) -> HandshakeError {
    match error {
        HandshakeError::WeakKey(_) => HandshakeError::WeakKey(HandshakeMessage::One),
        other => other,
    }
}

impl AwaitingMessage3 {
    /// Verifies the initiator and asks the policy; returns the session and the ready record to
    /// send.
    ///
    /// # Errors
    /// See [`HandshakeError`]. Send nothing then.
    pub fn handle_message3<'a>(
        self,
        message3: &[u8],
        judge: impl Into<Judge<'a>>,
    ) -> Result<(Session, Vec<u8>), HandshakeError> {
        match self.answer_message3(message3, judge)? {
            Answer::Ready { session, record } => Ok((*session, record)),
            Answer::Refused { error, .. } => Err(error),
        }
    }

    /// Verifies the initiator and asks the policy; returns the record to send. An initiator that
    /// proved its identity but is not trusted is told that, without a reason, under the transport
    /// keys: nobody else can tell it so, and it need not try again.
    ///
    /// # Errors
    /// See [`HandshakeError`]. Send nothing then.
    pub fn answer_message3<'a>(
        mut self,
        message3: &[u8],
        judge: impl Into<Judge<'a>>,
    ) -> Result<Answer, HandshakeError> {
        let verified = payload::read_verified(
            &mut self.noise,
            HandshakeMessage::Three,
            message3,
            &self.local,
            &judge.into(),
        );
        match verified {
            Ok(peer) => {
                let mut session = self.noise.finish(peer)?;
                let record = first_record(&mut session.sealer, READY)?;
                Ok(Answer::Ready { session: Box::new(session), record })
            }
            Err(error) if error.is_rejection() => {
                let record = first_record(&mut self.noise.split()?.sealer, REFUSED)?;
                Ok(Answer::Refused { error, record })
            }
            Err(error) => Err(error),
        }
    }
}

/// The responder's answer to message 3.
#[derive(Debug)]
pub enum Answer {
    /// The channel is established once the initiator has this record.
    Ready {
        /// The responder's end.
        session: Box<Session>,
        /// The ready record.
        record: Vec<u8>,
    },
    /// There is no channel.
    Refused {
        /// Why.
        error: HandshakeError,
        /// The record that says so.
        record: Vec<u8>,
    },
}

fn first_record(sealer: &mut Sealer, text: &[u8]) -> Result<Vec<u8>, HandshakeError> {
    let mut text = text.to_vec();
    let sealed = sealer.seal_in_place(&mut text);
    let (counter, tag) = sealed.map_err(|error| HandshakeError::Internal(error.to_string()))?;
    Ok([&counter[..], &text, &tag].concat())
}

impl fmt::Debug for AwaitingMessage3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AwaitingMessage3(as {}, keys redacted)", self.local.identifier())
    }
}
