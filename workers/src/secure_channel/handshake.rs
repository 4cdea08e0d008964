//! The handshake of a secure channel: `Noise_XX_25519_AESGCM_SHA256`, both ends authenticated by
//! their identities.
//!
//! ```text
//! Initiator::start ------------ message 1: e -----------------------------> Responder::accept
//! AwaitingMessage2 <----------- message 2: e, ee, s, es, {identity, proof} - AwaitingMessage3
//!   checks proof, then policy
//! AwaitingReady --------------- message 3: s, se, {identity, proof} ------> checks proof, then policy
//! Session <-------------------- record 0: "ready" or "refused" ------------ Session
//! ```
//!
//! A state is named for what it awaits and is consumed by its transition: after an error nothing is
//! left to go on with.
//!
//! A *proof* is an Ed25519 signature by the identity's current key over `label || h || s`: the
//! label of the role, the handshake hash as it stands after the previous message, and the sender's
//! X25519 static key. So a stolen static key is not enough, and a proof is valid for one handshake,
//! one role and one static key. The initiator shows its identity only to a responder that passed
//! its policy. Both ends make the cheap checks first, and verify a long history of keys last and
//! only once ([`Judge`]). The initiator considers the channel established only after *ready*, which
//! the responder sends once it has accepted the initiator.
//!
//! Where a handshake comes through a forwarder, the pattern is
//! `Noise_XXpsk3_25519_AESGCM_SHA256`, with the secret of the forwarding address as pre-shared key:
//! message 3 does not open without it.
//!
//! [`VerifiedPeer`], [`Sealer`] and [`Opener`] come from here and from nowhere else: there is no
//! encryption to an unverified peer.

use std::fmt;

use crate::{
    identity::Identity,
    secure_channel::record::{Opener, Sealer},
};
use ockam_actix_runtime::address::identifier::Identifier;

mod error;
mod initiator;
mod judge;
mod noise;
mod payload;
mod responder;
#[cfg(test)]
pub(crate) mod tests;

pub use self::{
    error::{HandshakeError, HandshakeMessage},
    initiator::{AwaitingMessage2, AwaitingReady, Initiator},
    judge::{Judge, Work},
    responder::{Answer, AwaitingMessage3, Responder},
};

/// What both ends mix in first: the name and version of this protocol. Another version fails at
/// message 2.
pub const PROLOGUE: &[u8] = b"ockam-actix/1 secure channel\0";

/// Bytes of message 1: an ephemeral key and an empty payload.
pub const MESSAGE1_LENGTH: usize = 32;

/// Bytes of message 1 where both ends have a secret: with a tag.
pub const MESSAGE1_LENGTH_WITH_SECRET: usize = MESSAGE1_LENGTH + 16;

/// Bytes of the longest payload: an identity and a signature need less than 2,800; the rest is room
/// for later versions.
pub const MAX_PAYLOAD: usize = 4096;

/// Bytes of the longest message 2: two keys, two tags and the payload. Message 3 has one key less.
pub const MAX_MESSAGE: usize = 32 + 32 + 16 + MAX_PAYLOAD + 16;

/// The plaintext of record 0 from the responder.
pub(crate) const READY: &[u8] = b"ockam-actix/1 ready\0";

/// The plaintext of record 0 from a responder that does not trust the initiator.
pub(crate) const REFUSED: &[u8] = b"ockam-actix/1 refused\0";

/// Bytes of the ready record.
pub const READY_LENGTH: usize = crate::secure_channel::record::OVERHEAD + READY.len();

/// The other end of a channel. It has proved its identity in this handshake and a policy has
/// trusted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedPeer {
    identity: Identity,
}

impl VerifiedPeer {
    /// Its identity, as verified.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Its identifier.
    #[must_use]
    pub fn identifier(&self) -> Identifier {
        self.identity.identifier()
    }
}

/// An established channel. Split it up: the sealer goes to the encryptor, the opener to the
/// decryptor.
#[non_exhaustive]
pub struct Session {
    /// Who is at the other end.
    pub peer: VerifiedPeer,
    /// Seals what goes to the peer.
    pub sealer: Sealer,
    /// Opens what comes from the peer.
    pub opener: Opener,
    /// Identifies this handshake: the same at both ends, and in no other handshake. It is not
    /// secret.
    pub handshake_hash: [u8; 32],
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session(with {}, keys redacted)", self.peer.identifier())
    }
}
