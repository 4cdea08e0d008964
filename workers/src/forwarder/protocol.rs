//! The messages between a node and the forwarding service on its hub.
//!
//! | message | array | direction |
//! |---|---|---|
//! | `Register` | `[0, destination, claim]` | node to hub |
//! | `Challenge` | `[1, bin 32 nonce, instance]` | hub to node, where the claim is not empty |
//! | `Proof` | `[2, destination, claim, nonce, displaced, bin 64 signature, bin identity]` | node to hub |
//! | `Registered` | `[3, bin 16 bits, lease in seconds, tenure]` | hub to node |
//! | `Refused` | `[4, code, text]` | hub to node |
//! | `Renew` | `[5, bin 16 bits]` | node to hub, answered by `Registered`, `Refused` or `Challenge` |
//! | `Release` | `[6, bin 16 bits]` | node to hub, not answered unless it is refused |
//! | `Displaced` | `[7, bin 16 bits, displaced, tenure, nonce, destination, signature, identity]` | hub to node |
//! | `Leaving` | `[8, bin 16 bits]` | hub to node, answered by `Release` |
//!
//! `destination` is an array of 1 to 7 addresses as the node knows them, mostly one. `claim` is
//! `[]` or `[bin 32 identifier, bin 16 salt, service, instance, tenure]`; an instance is 16 bytes,
//! a tenure 8, and a service a text of at most 64. `identity` is an
//! [`Identity`](crate::identity) as bytes. What the signature covers and how the bits are made is
//! in [`claim`].
//!
//! Each value has one encoding, limits are checked before anything is allocated, and the whole
//! input is consumed.

pub mod claim;
mod codec;
pub mod displacement;
pub mod refusal;
pub mod service_name;

use std::fmt;

use ockam_actix_runtime::{message::messagepack::DecodeError, Route};

use crate::{
    forwarder::protocol::{
        claim::{Claim, ForwarderId, Instance, Nonce, Tenure},
        displacement::Displacement,
        refusal::RegistrationRefusal,
    },
    identity::signature::Signature,
};

/// What a node asks its hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A forwarder to the destination: at any address, or at the one that a claim stands for.
    Register {
        /// The destination, as the node knows it.
        destination: Route,
        /// The address that is wanted.
        claim: Option<Claim>,
    },
    /// The claim of a `Register` again, now with proof.
    Proof {
        /// The destination, as the node knows it.
        destination: Route,
        /// The address that is wanted.
        claim: Claim,
        /// From the `Challenge`.
        nonce: Nonce,
        /// From the `Challenge`.
        displaced: Instance,
        /// Made with the identity's key in force.
        signature: Signature,
        /// The identity, not yet verified.
        identity: Vec<u8>,
    },
    /// The forwarder is still wanted.
    Renew(ForwarderId),
    /// The forwarder is no longer wanted.
    Release(ForwarderId),
}

/// What a hub answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The claim needs a proof.
    Challenge {
        /// What is to be signed.
        nonce: Nonce,
        /// The other instance that has the address, or none.
        held_by: Instance,
    },
    /// The forwarder exists.
    Registered {
        /// What its address is made of.
        id: ForwarderId,
        /// How long it lives without a `Renew`.
        lease_seconds: u32,
        /// What the instance shows from now on; none without a claim.
        tenure: Tenure,
    },
    /// There is no forwarder.
    Refused {
        /// Why.
        refusal: RegistrationRefusal,
        /// An explanation for people; empty or short.
        text: String,
    },
    /// A newer instance has the address. It is also sent unasked, to where the answer to the
    /// `Proof` went.
    Displaced(Box<Displacement>),
    /// The hub stops soon: the node is to release the forwarder, once another hub has it if there
    /// is one. It is sent unasked, to where the answer to the `Register` or `Proof` went.
    Leaving(ForwarderId),
}

/// Why bytes from a peer are not a request or an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// They are not the expected MessagePack.
    #[error(transparent)]
    Encoding(#[from] DecodeError),
    /// The number of the message is unknown, or belongs to the other direction.
    #[error("message {0} is unknown or not expected here")]
    MessageKind(u8),
    /// A proof has no claim.
    #[error("a proof without a claim")]
    NoClaim,
    /// An address of the destination breaks the rules.
    #[error("an address of the destination breaks the rules")]
    Address,
    /// The lease is 0, or longer than
    /// [`MAX_LEASE_SECONDS`](crate::forwarder::limits::MAX_LEASE_SECONDS).
    #[error("a lease of {0} s is out of range")]
    Lease(u32),
    /// The name of a service has other characters than it may.
    #[error("the name of the service breaks the rules")]
    ServiceName,
}

impl Answer {
    /// A refusal whose text says no more than its code.
    pub fn refused(refusal: RegistrationRefusal) -> Self {
        Self::Refused { refusal, text: refusal.to_string() }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Challenge { .. } => "a challenge",
            Self::Registered { .. } => "a registration",
            Self::Refused { .. } => "a refusal",
            Self::Displaced(_) => "a displacement",
            Self::Leaving(_) => "a farewell",
        })
    }
}

#[cfg(test)]
mod tests;
