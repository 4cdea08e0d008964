//! The encrypted payloads of messages 2 and 3: `[history, bin proof]`, an identity and its
//! signature for this handshake.

use crate::{
    identity::{
        local_identity::LocalIdentity,
        policy::{Decision, TrustContext, TrustPolicy},
        signature::{PublicKey, Purpose, Signature},
        Identity, IdentityError, MAX_ENCODED,
    },
    secure_channel::handshake::{
        noise::{Noise, Role},
        HandshakeError, HandshakeMessage, VerifiedPeer,
    },
};
use ockam_actix_runtime::message::messagepack::{DecodeError, Reader, Writer};

/// The purpose of the signature that the end in `role` makes.
fn purpose(role: Role) -> Purpose {
    match role {
        Role::Initiator => Purpose::InitiatorProof,
        Role::Responder => Purpose::ResponderProof,
    }
}

/// The payload with which `local` vouches for its static key. `hash` is the handshake hash after
/// the previous message.
pub(super) fn make(role: Role, local: &LocalIdentity, hash: &[u8; 32]) -> Vec<u8> {
    let proof = local.sign_for(purpose(role), &[hash, local.static_key().public()]);
    encode(local.identity(), &proof)
}

/// Encodes an identity and a signature as a payload.
pub(super) fn encode(identity: &Identity, proof: &Signature) -> Vec<u8> {
    let mut writer = Writer::with_capacity(1 + MAX_ENCODED + 66);
    writer.array(2);
    identity.write(&mut writer);
    writer.bin(proof);
    writer.finish()
}

/// Reads the peer's message and checks everything that it claims, the policy last.
pub(super) fn read_verified(
    noise: &mut Noise,
    message: HandshakeMessage,
    bytes: &[u8],
    local: &LocalIdentity,
    policy: &dyn TrustPolicy,
) -> Result<VerifiedPeer, HandshakeError> {
    let hash = noise.hash();
    let payload = noise.read(message, bytes)?;
    let role = if message == HandshakeMessage::Two { Role::Responder } else { Role::Initiator };
    let peer = verify(message, &payload, role, &hash, &noise.peer_static()?)?;
    let (own, id) = (local.identifier(), peer.identifier());
    match policy.check(&TrustContext::of(own, peer.clone())) {
        Decision::Trusted => Ok(VerifiedPeer { identity: peer }),
        Decision::Rejected(reason) => {
            Err(HandshakeError::Rejected { own, peer: id, reason: reason.into_owned() })
        }
    }
}

/// The identity in a payload, if it signed for this handshake, this role and this static key.
pub(super) fn verify(
    message: HandshakeMessage,
    payload: &[u8],
    role: Role,
    hash: &[u8; 32],
    static_key: &PublicKey,
) -> Result<Identity, HandshakeError> {
    let malformed = |cause: DecodeError| HandshakeError::Malformed { message, cause };
    let mut reader = Reader::new(payload);
    reader.array(2..=2).map_err(malformed)?;
    let identity = Identity::read(&mut reader).map_err(|error| match error {
        IdentityError::Malformed(cause) => malformed(cause),
        other => other.into(),
    })?;
    let proof: &Signature = reader.bin().map_err(malformed)?;
    reader.finish().map_err(malformed)?;
    if !identity.verify_for(purpose(role), &[hash, static_key], proof) {
        return Err(HandshakeError::BadProof(identity.identifier()));
    }
    Ok(identity)
}
