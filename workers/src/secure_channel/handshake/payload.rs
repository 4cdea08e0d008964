//! The encrypted payloads of messages 2 and 3: `[history, bin proof]`, an identity and its
//! signature for this handshake.

use crate::{
    identity::{
        claimed::ClaimedIdentity,
        local_identity::LocalIdentity,
        policy::{Decision, TrustContext},
        signature::{PublicKey, Purpose, Signature},
        Identity, MAX_ENCODED,
    },
    secure_channel::handshake::{
        judge::{Judge, Work},
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

/// Reads the peer's message and checks everything that it claims. What is cheap comes first: the
/// signature of the newest key over this handshake, then what the policy says to the identifier,
/// and only then the signatures of the history.
///
/// Only a peer that has proved all of its claim is [`Rejected`](HandshakeError::Rejected), which a
/// responder tells it: otherwise strangers could learn whom a node trusts by claiming to be others.
pub(super) fn read_verified(
    noise: &mut Noise,
    message: HandshakeMessage,
    bytes: &[u8],
    local: &LocalIdentity,
    judge: &Judge<'_>,
) -> Result<VerifiedPeer, HandshakeError> {
    let hash = noise.hash();
    let payload = noise.read(message, bytes)?;
    let role = if message == HandshakeMessage::Two { Role::Responder } else { Role::Initiator };
    let claimed = read_claim(message, &payload, role, &hash, &noise.peer_static()?)?;
    let (own, peer) = (local.identifier(), claimed.identifier());
    let rejected = |reason| HandshakeError::Rejected { own, peer, reason };
    let early = judge.policy.precheck(&TrustContext::new(own, peer));
    let known = judge.verified_history(&peer);
    let further_keys = Identity::unverified_keys(&claimed, known.as_ref()).saturating_sub(1);
    let work = match early {
        Decision::Trusted => Work::ToTrust(further_keys),
        Decision::Rejected(_) => Work::ToRefuse(further_keys),
    };
    if further_keys > 0 && !judge.affords(work) {
        return Err(HandshakeError::Unverified { peer, keys: claimed.key_count() });
    }
    let identity = Identity::verified(claimed, known.as_ref())?;
    if let Decision::Rejected(reason) = early {
        return Err(rejected(reason));
    }
    match judge.policy.check(&TrustContext::of(own, identity.clone())) {
        Decision::Trusted => Ok(VerifiedPeer { identity }),
        Decision::Rejected(reason) => Err(rejected(reason)),
    }
}

/// The identity that a payload claims, if its newest key has signed for this handshake, this role
/// and this static key.
fn read_claim(
    message: HandshakeMessage,
    payload: &[u8],
    role: Role,
    hash: &[u8; 32],
    static_key: &PublicKey,
) -> Result<ClaimedIdentity, HandshakeError> {
    let malformed = |cause: DecodeError| HandshakeError::Malformed { message, cause };
    let mut reader = Reader::new(payload);
    reader.array(2..=2).map_err(malformed)?;
    let claimed = ClaimedIdentity::read(&mut reader).map_err(malformed)?;
    let proof: &Signature = reader.bin().map_err(malformed)?;
    reader.finish().map_err(malformed)?;
    if !claimed.is_signed_by_newest(purpose(role), &[hash, static_key], proof) {
        return Err(HandshakeError::BadProof(claimed.identifier()));
    }
    Ok(claimed)
}

/// The identity in a payload, if everything about it is genuine.
#[cfg(test)]
pub(super) fn verify(
    message: HandshakeMessage,
    payload: &[u8],
    role: Role,
    hash: &[u8; 32],
    static_key: &PublicKey,
) -> Result<Identity, HandshakeError> {
    let claimed = read_claim(message, payload, role, hash, static_key)?;
    Ok(Identity::verified(claimed, None)?)
}
