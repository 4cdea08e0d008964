//! Why a handshake failed, and whose fault that is.

use std::fmt;

use thiserror::Error;

use crate::{
    identity::{policy::Rejection, IdentityError},
    secure_channel::record::RecordError,
};
use ockam_actix_runtime::{address::identifier::Identifier, message::messagepack::DecodeError};

/// A message of the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeMessage {
    /// From the initiator: its ephemeral key.
    One,
    /// From the responder: its ephemeral key, its static key, its identity.
    Two,
    /// From the initiator: its static key, its identity.
    Three,
    /// From the responder, under the transport keys.
    Ready,
}

impl fmt::Display for HandshakeMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::One => "message 1",
            Self::Two => "message 2",
            Self::Three => "message 3",
            Self::Ready => "the ready record",
        })
    }
}

/// Why there is no channel.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HandshakeError {
    /// Peer: the message cannot have this length.
    #[error("{message} of the handshake cannot have {length} bytes")]
    BadLength {
        /// Which one.
        message: HandshakeMessage,
        /// Its length.
        length: usize,
    },
    /// Peer or network: the message does not decrypt. It was altered, belongs to another handshake,
    /// or the peer runs another version.
    #[error(
        "{0} of the handshake is not authentic: it was altered in transit, or the peer runs \
         another protocol version"
    )]
    NotAuthentic(HandshakeMessage),
    /// Peer: a key that makes the shared secret zero.
    #[error("{0} of the handshake involves a key of small order")]
    WeakKey(HandshakeMessage),
    /// Peer: the payload is not an identity with a proof.
    #[error("the payload of {message} is malformed: {cause}")]
    Malformed {
        /// Which message.
        message: HandshakeMessage,
        /// What is wrong.
        cause: DecodeError,
    },
    /// Peer: its identity does not verify.
    #[error("the peer's identity is refused: {0}")]
    Identity(#[from] IdentityError),
    /// Peer: it showed an identity without proving that it is its own.
    #[error("the peer claims to be {0} and did not prove it")]
    BadProof(Identifier),
    /// Peer: the history of keys that it showed costs more to verify than it may now.
    #[error(
        "the {keys} keys that the peer showed, which claims to be {peer}, were not verified: \
             too many long histories have come from there, or a policy refuses it anyway"
    )]
    Unverified {
        /// The identity that it claims to be.
        peer: Identifier,
        /// How many keys it showed.
        keys: usize,
    },
    /// The policy does not trust this peer. Final: trying again changes nothing.
    #[error("{peer} is not trusted by {own}: {reason}")]
    Rejected {
        /// The identity that asked.
        own: Identifier,
        /// The identity that came.
        peer: Identifier,
        /// Why the policy said no.
        reason: Rejection,
    },
    /// The responder proved its identity, does not trust ours, and said so under the transport
    /// keys. Final.
    #[error("{peer} does not trust {own}: add that to its --trust, its trust file or its policy")]
    Refused {
        /// The identity that asked.
        own: Identifier,
        /// The identity that refused.
        peer: Identifier,
    },
    /// Peer or network: something else came in place of the ready record.
    #[error("the responder did not confirm the channel: {0}")]
    NotReady(RecordError),
    /// Peer: the ready record is authentic but says something else.
    #[error("the responder confirmed the channel with an unknown text")]
    UnknownReady,
    /// System: no randomness for an ephemeral key.
    #[error("the system gave no randomness for the handshake")]
    NoRandomness,
    /// Bug: the Noise library refused what must always work.
    #[error("internal error in the handshake, please report: {0}")]
    Internal(String),
}

impl HandshakeError {
    /// Whether another attempt with the same peer is pointless, because the identities themselves
    /// do not match.
    #[must_use]
    pub fn is_rejection(&self) -> bool {
        matches!(self, Self::Rejected { .. } | Self::Refused { .. })
    }

    /// What an error of the Noise library means while `message` is read or written.
    pub(super) fn of_noise(message: HandshakeMessage, error: &snow::Error) -> Self {
        match error {
            snow::Error::Decrypt => Self::NotAuthentic(message),
            snow::Error::Dh => Self::WeakKey(message),
            snow::Error::Rng => Self::NoRandomness,
            other => Self::Internal(other.to_string()),
        }
    }
}
