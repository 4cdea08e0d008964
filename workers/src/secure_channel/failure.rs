//! Why there is no channel, or no new keys, by culprit.

use ockam_actix_runtime::Notice;

use crate::{
    invitation::InvitationRefusal,
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
    /// Peer: it does not take the invitation that it was shown.
    #[error(transparent)]
    Invitation(#[from] InvitationRefusal),
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
    /// What the payload of a notice about a message of the handshake says.
    pub(super) fn of_notice(payload: &[u8]) -> Self {
        let Some(notice) = Notice::decode(payload) else {
            return Self::Undelivered("it came back".into());
        };
        let refusal = InvitationRefusal::of(&notice);
        refusal.map_or_else(|| Self::Undelivered(notice.to_string()), Self::Invitation)
    }

    /// The cause in a few words, for a notice.
    pub(super) fn brief(&self) -> String {
        match self {
            Self::Handshake(HandshakeError::Rejected { reason, .. }) => reason.to_string(),
            other => other.to_string(),
        }
    }

    /// Whether the peer has shown an invitation, and is trusted at its next attempt.
    pub(super) fn is_admission(&self) -> bool {
        match self {
            Self::Handshake(HandshakeError::Rejected { reason, .. }) => reason.is_admission(),
            _ => false,
        }
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

#[cfg(test)]
mod tests {
    use ockam_actix_runtime::{Identifier, UndeliverableReason};

    use super::*;
    use crate::identity::policy::Decision;

    #[test]
    fn an_invitations_refusal_is_told_by_its_code() {
        let told = |reason, detail: &str| {
            let notice = Notice::new("door".into(), reason).with_detail(detail);
            FailureReason::of_notice(&notice.encode())
        };
        for refusal in [InvitationRefusal::Expired, InvitationRefusal::Unknown] {
            assert_eq!(told(refusal.reason(), "in other words"), refusal.into());
            let said = told(UndeliverableReason::Unreachable, &refusal.to_string());
            assert!(matches!(said, FailureReason::Undelivered(_)), "{said}");
        }
    }

    #[test]
    fn an_admission_is_none_by_its_words() {
        let peer = Identifier::from_bytes([1; 32]);
        let is_admission = |decision| {
            let Decision::Rejected(reason) = decision else { return false };
            FailureReason::from(HandshakeError::Rejected { own: peer, peer, reason }).is_admission()
        };
        assert!(is_admission(Decision::admit("in any words")));
        let Decision::Rejected(admission) = Decision::admit("it is being written down") else {
            panic!("it is no rejection");
        };
        assert!(!is_admission(Decision::reject(admission.to_string())));
    }
}
