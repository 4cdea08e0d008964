//! The messages between a node and the forwarding service on its hub.
//!
//! | message | array | direction |
//! |---|---|---|
//! | `Register` | `[0, destination, claim]` | node to hub |
//! | `Challenge` | `[1, bin 32 nonce]` | hub to node, where the claim is not empty |
//! | `Proof` | `[2, destination, claim, bin 32 nonce, bin 64 signature, bin identity]` | node to hub |
//! | `Registered` | `[3, bin 16 bits, lease in seconds]` | hub to node |
//! | `Refused` | `[4, code, text]` | hub to node |
//! | `Renew` | `[5, bin 16 bits]` | node to hub, answered by `Registered` or `Refused` |
//! | `Release` | `[6, bin 16 bits]` | node to hub, not answered |
//!
//! `destination` is an array of 1 to 7 addresses as the node knows them, mostly one. `claim` is
//! `[]` or `[bin 32 identifier, bin 16 salt]`; `identity` is an [`Identity`](crate::identity) as
//! bytes. What the signature covers and how the bits are made is in [`claim`].
//!
//! Each value has one encoding, limits are checked before anything is allocated, and the whole
//! input is consumed.

pub mod claim;
pub mod refusal;

use std::fmt;

use ockam_actix_runtime::{
    message::messagepack::{DecodeError, Reader, Writer},
    Address, Identifier, Payload, Route,
};

use crate::{
    forwarder::{
        limits::{MAX_FORWARDING_ADDRESSES, MAX_LEASE_SECONDS, MAX_REFUSAL_BYTES},
        protocol::{
            claim::{ForwarderId, Nonce, Salt},
            refusal::RegistrationRefusal,
        },
    },
    identity::{self, signature::Signature},
};

const REGISTER: u8 = 0;
const CHALLENGE: u8 = 1;
const PROOF: u8 = 2;
const REGISTERED: u8 = 3;
const REFUSED: u8 = 4;
const RENEW: u8 = 5;
const RELEASE: u8 = 6;

/// What a node asks its hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A forwarder to the destination: at any address, or at the one that a claim stands for.
    Register {
        /// The destination, as the node knows it.
        destination: Route,
        /// The identity and the salt of the address.
        claim: Option<(Identifier, Salt)>,
    },
    /// The claim of a `Register` again, now with proof.
    Proof {
        /// The destination, as the node knows it.
        destination: Route,
        /// The identity and the salt of the address.
        claim: (Identifier, Salt),
        /// From the `Challenge`.
        nonce: Nonce,
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
    Challenge(Nonce),
    /// The forwarder exists.
    Registered {
        /// What its address is made of.
        id: ForwarderId,
        /// How long it lives without a `Renew`.
        lease_seconds: u32,
    },
    /// There is no forwarder.
    Refused {
        /// Why.
        refusal: RegistrationRefusal,
        /// An explanation for people; empty or short.
        text: String,
    },
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
    /// The lease is 0 or longer than [`MAX_LEASE_SECONDS`].
    #[error("a lease of {0} s is out of range")]
    Lease(u32),
}

impl Request {
    /// The bytes of the request.
    pub fn encode(&self) -> Payload {
        let mut writer = Writer::with_capacity(64);
        match self {
            Self::Register { destination, claim } => {
                begin(&mut writer, 3, REGISTER);
                write_route(&mut writer, destination);
                write_claim(&mut writer, claim.as_ref());
            }
            Self::Proof { destination, claim, nonce, signature, identity } => {
                begin(&mut writer, 6, PROOF);
                write_route(&mut writer, destination);
                write_claim(&mut writer, Some(claim));
                writer.bin(nonce);
                writer.bin(signature);
                writer.bin(identity);
            }
            Self::Renew(id) => {
                begin(&mut writer, 2, RENEW);
                writer.bin(&id.0);
            }
            Self::Release(id) => {
                begin(&mut writer, 2, RELEASE);
                writer.bin(&id.0);
            }
        }
        Payload::from(writer.finish())
    }

    /// Reads a request.
    ///
    /// # Errors
    /// [`ProtocolError`] for anything that is not in the table of this module.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(bytes);
        let fields = reader.array(2..=6)?;
        let request = match (reader.number()?, fields) {
            (REGISTER, 3) => {
                let destination = read_route(&mut reader)?;
                Self::Register { destination, claim: read_claim(&mut reader)? }
            }
            (PROOF, 6) => Self::Proof {
                destination: read_route(&mut reader)?,
                claim: read_claim(&mut reader)?.ok_or(ProtocolError::NoClaim)?,
                nonce: *reader.bin()?,
                signature: *reader.bin()?,
                identity: reader.bytes(1..=identity::MAX_ENCODED)?.to_vec(),
            },
            (RENEW, 2) => Self::Renew(ForwarderId(*reader.bin()?)),
            (RELEASE, 2) => Self::Release(ForwarderId(*reader.bin()?)),
            (kind, _) => return Err(ProtocolError::MessageKind(kind)),
        };
        reader.finish()?;
        Ok(request)
    }
}

impl Answer {
    /// A refusal whose text says no more than its code.
    pub fn refused(refusal: RegistrationRefusal) -> Self {
        Self::Refused { refusal, text: refusal.to_string() }
    }

    /// The bytes of the answer.
    pub fn encode(&self) -> Payload {
        let mut writer = Writer::with_capacity(64);
        match self {
            Self::Challenge(nonce) => {
                begin(&mut writer, 2, CHALLENGE);
                writer.bin(nonce);
            }
            Self::Registered { id, lease_seconds } => {
                begin(&mut writer, 3, REGISTERED);
                writer.bin(&id.0);
                writer.uint(*lease_seconds);
            }
            Self::Refused { refusal, text } => {
                begin(&mut writer, 3, REFUSED);
                writer.uint(refusal.code());
                writer.text(cut(text));
            }
        }
        Payload::from(writer.finish())
    }

    /// Reads an answer. Control characters are left out of its text, which ends up in logs.
    ///
    /// # Errors
    /// [`ProtocolError`] for anything that is not in the table of this module.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(bytes);
        let fields = reader.array(2..=3)?;
        let answer = match (reader.number()?, fields) {
            (CHALLENGE, 2) => Self::Challenge(*reader.bin()?),
            (REGISTERED, 3) => {
                let (id, lease_seconds) = (ForwarderId(*reader.bin()?), reader.uint()?);
                if !(1..=MAX_LEASE_SECONDS).contains(&lease_seconds) {
                    return Err(ProtocolError::Lease(lease_seconds));
                }
                Self::Registered { id, lease_seconds }
            }
            (REFUSED, 3) => {
                let refusal = RegistrationRefusal::from_code(reader.uint()?);
                let text = reader.text(0..=MAX_REFUSAL_BYTES)?;
                Self::Refused { refusal, text: text.chars().filter(|c| !c.is_control()).collect() }
            }
            (kind, _) => return Err(ProtocolError::MessageKind(kind)),
        };
        reader.finish()?;
        Ok(answer)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Challenge(_) => "a challenge",
            Self::Registered { .. } => "a registration",
            Self::Refused { .. } => "a refusal",
        })
    }
}

fn begin(writer: &mut Writer, fields: usize, kind: u8) {
    writer.array(fields);
    writer.number(kind);
}

fn write_route(writer: &mut Writer, route: &Route) {
    writer.array(route.len());
    route.iter().for_each(|address| writer.text(address.as_str()));
}

fn read_route(reader: &mut Reader<'_>) -> Result<Route, ProtocolError> {
    let count = reader.array(1..=MAX_FORWARDING_ADDRESSES - 1)?;
    let mut addresses = Vec::with_capacity(count);
    for _ in 0..count {
        let text = reader.text(1..=ockam_actix_runtime::limits::MAX_ADDRESS_BYTES)?;
        addresses.push(Address::parse(text).map_err(|_| ProtocolError::Address)?);
    }
    Ok(addresses.into())
}

fn write_claim(writer: &mut Writer, claim: Option<&(Identifier, Salt)>) {
    writer.array(if claim.is_some() { 2 } else { 0 });
    if let Some((identifier, salt)) = claim {
        writer.bin(identifier.as_bytes());
        writer.bin(&salt.0);
    }
}

fn read_claim(reader: &mut Reader<'_>) -> Result<Option<(Identifier, Salt)>, ProtocolError> {
    match reader.array(0..=2)? {
        0 => Ok(None),
        2 => Ok(Some((Identifier::from_bytes(*reader.bin()?), Salt(*reader.bin()?)))),
        found => Err(DecodeError::Length { found, least: 2, most: 2 }.into()),
    }
}

/// The part of a text that is sent.
fn cut(text: &str) -> &str {
    let end = (0..=MAX_REFUSAL_BYTES.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests;
