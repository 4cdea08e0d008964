//! Why there is no channel, or no new keys, by culprit.

use crate::{
    invitation::ADMITTED,
    secure_channel::{handshake::HandshakeError, packet::PacketError},
};

/// Why a handshake failed, by culprit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FailureReason {
    /// The handshake itself.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// Peer or network: bytes that are not a handshake message.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// Peer or network: a message other than the one that is due.
    #[error("a message of the handshake came out of turn")]
    OutOfTurn,
    /// Peer: the forwarding address that it was given is no longer valid.
    #[error("the secret of the forwarding address was renewed, or it leads nowhere any more")]
    SecretRenewed,
    /// Peer: it asks for new keys more often than anybody needs.
    #[error("the peer asks for new keys too often")]
    TooOften,
    /// The network: the message did not arrive, or there is no route.
    #[error("{0}")]
    Undelivered(String),
    /// Peer or network: no answer came in time.
    #[error("no answer within {0:?}")]
    Late(std::time::Duration),
    /// Bug: the decryptor panicked.
    #[error("its decryptor stopped")]
    Stopped,
    /// The peer's identity changed while keys were renewed.
    #[error("new keys were agreed on with another identity")]
    OtherPeer,
}

impl FailureReason {
    /// The cause in a few words, for a notice.
    pub(super) fn brief(&self) -> String {
        match self {
            Self::Handshake(HandshakeError::Rejected { reason, .. }) => reason.clone(),
            other => other.to_string(),
        }
    }

    /// Whether the peer has shown an invitation, and is trusted at its next attempt.
    pub(super) fn is_admission(&self) -> bool {
        let admitted = |reason: &String| reason.ends_with(ADMITTED);
        matches!(self, Self::Handshake(HandshakeError::Rejected { reason, .. }) if admitted(reason))
    }

    /// Whether the peer has shown that it is the right one, and refused.
    pub(super) fn is_proved_refusal(&self) -> bool {
        matches!(self, Self::Handshake(HandshakeError::Refused { .. }))
    }

    /// Whether one end does not trust the other: only the owner of one of them can change that.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Handshake(error) if error.is_rejection())
    }
}
