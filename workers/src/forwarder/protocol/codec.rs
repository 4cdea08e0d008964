//! How requests and answers are written and read.

use ockam_actix_runtime::{
    message::messagepack::{DecodeError, Reader, Writer},
    text::Shown,
    Address, Identifier, Payload, Route,
};

use crate::{
    forwarder::{
        limits::{
            MAX_FORWARDING_ADDRESSES, MAX_LEASE_SECONDS, MAX_REFUSAL_BYTES, MAX_SERVICE_NAME,
        },
        protocol::{
            claim::{Claim, ForwarderId, Instance, Salt, Tenure},
            displacement::Displacement,
            refusal::RegistrationRefusal,
            service_name::ServiceName,
            Answer, ProtocolError, Request,
        },
    },
    identity,
};

pub(super) const REGISTER: u8 = 0;
pub(super) const CHALLENGE: u8 = 1;
pub(super) const PROOF: u8 = 2;
pub(super) const REGISTERED: u8 = 3;
pub(super) const REFUSED: u8 = 4;
pub(super) const RENEW: u8 = 5;
pub(super) const RELEASE: u8 = 6;
pub(super) const DISPLACED: u8 = 7;
pub(super) const LEAVING: u8 = 8;

/// Elements of a displacement without its address.
const PROOF_FIELDS: usize = 6;

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
            Self::Proof { destination, claim, nonce, displaced, signature, identity } => {
                begin(&mut writer, 7, PROOF);
                write_route(&mut writer, destination);
                write_claim(&mut writer, Some(claim));
                writer.bin(nonce);
                writer.bin(&displaced.0);
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
        let fields = reader.array(2..=7)?;
        let request = match (reader.number()?, fields) {
            (REGISTER, 3) => {
                let destination = read_route(&mut reader)?;
                Self::Register { destination, claim: read_claim(&mut reader)? }
            }
            (PROOF, 7) => Self::Proof {
                destination: read_route(&mut reader)?,
                claim: read_claim(&mut reader)?.ok_or(ProtocolError::NoClaim)?,
                nonce: *reader.bin()?,
                displaced: Instance(*reader.bin()?),
                signature: *reader.bin()?,
                identity: read_identity(&mut reader)?,
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
    /// The bytes of the answer.
    pub fn encode(&self) -> Payload {
        let mut writer = Writer::with_capacity(64);
        match self {
            Self::Challenge { nonce, held_by } => {
                begin(&mut writer, 3, CHALLENGE);
                writer.bin(nonce);
                writer.bin(&held_by.0);
            }
            Self::Registered { id, lease_seconds, tenure } => {
                begin(&mut writer, 4, REGISTERED);
                writer.bin(&id.0);
                writer.uint(*lease_seconds);
                write_tenure(&mut writer, *tenure);
            }
            Self::Refused { refusal, text } => {
                begin(&mut writer, 3, REFUSED);
                writer.uint(refusal.code());
                writer.text(cut(text));
            }
            Self::Displaced(displacement) => {
                begin(&mut writer, 8, DISPLACED);
                writer.bin(&displacement.id.0);
                write_proof(&mut writer, displacement);
            }
            Self::Leaving(id) => {
                begin(&mut writer, 2, LEAVING);
                writer.bin(&id.0);
            }
        }
        Payload::from(writer.finish())
    }

    /// Reads an answer. What cannot be seen in its text is escaped, as it ends up in logs.
    ///
    /// # Errors
    /// [`ProtocolError`] for anything that is not in the table of this module.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(bytes);
        let fields = reader.array(2..=8)?;
        let answer = match (reader.number()?, fields) {
            (CHALLENGE, 3) => {
                Self::Challenge { nonce: *reader.bin()?, held_by: Instance(*reader.bin()?) }
            }
            (REGISTERED, 4) => {
                let (id, lease_seconds) = (ForwarderId(*reader.bin()?), reader.uint()?);
                if !(1..=MAX_LEASE_SECONDS).contains(&lease_seconds) {
                    return Err(ProtocolError::Lease(lease_seconds));
                }
                Self::Registered { id, lease_seconds, tenure: read_tenure(&mut reader)? }
            }
            (REFUSED, 3) => {
                let refusal = RegistrationRefusal::from_code(reader.uint()?);
                let text = reader.text(0..=MAX_REFUSAL_BYTES)?;
                Self::Refused { refusal, text: Shown(text).to_string() }
            }
            (LEAVING, 2) => Self::Leaving(ForwarderId(*reader.bin()?)),
            (DISPLACED, 8) => {
                let id = ForwarderId(*reader.bin()?);
                Self::Displaced(Box::new(read_proof(&mut reader, id)?))
            }
            (kind, _) => return Err(ProtocolError::MessageKind(kind)),
        };
        reader.finish()?;
        Ok(answer)
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

fn write_claim(writer: &mut Writer, claim: Option<&Claim>) {
    let Some(claim) = claim else { return writer.array(0) };
    writer.array(5);
    writer.bin(claim.identifier.as_bytes());
    writer.bin(&claim.salt.0);
    writer.text(claim.service.as_str());
    writer.bin(&claim.instance.0);
    write_tenure(writer, claim.tenure);
}

fn read_claim(reader: &mut Reader<'_>) -> Result<Option<Claim>, ProtocolError> {
    match reader.array(0..=5)? {
        0 => Ok(None),
        5 => Ok(Some(Claim {
            identifier: Identifier::from_bytes(*reader.bin()?),
            salt: Salt(*reader.bin()?),
            service: read_service(reader)?,
            instance: Instance(*reader.bin()?),
            tenure: read_tenure(reader)?,
        })),
        found => Err(DecodeError::Length { found, least: 5, most: 5 }.into()),
    }
}

fn read_service(reader: &mut Reader<'_>) -> Result<ServiceName, ProtocolError> {
    let text = reader.text(0..=MAX_SERVICE_NAME)?;
    text.parse().map_err(|_| ProtocolError::ServiceName)
}

/// A number of 64 bits as bytes, so that it has one form.
fn write_tenure(writer: &mut Writer, tenure: Tenure) {
    writer.bin(&tenure.0.to_be_bytes());
}

fn read_tenure(reader: &mut Reader<'_>) -> Result<Tenure, ProtocolError> {
    Ok(Tenure(u64::from_be_bytes(*reader.bin()?)))
}

fn read_identity(reader: &mut Reader<'_>) -> Result<Vec<u8>, ProtocolError> {
    Ok(reader.bytes(1..=identity::MAX_ENCODED)?.to_vec())
}

impl Displacement {
    /// The bytes of it without the address, for those who know that.
    pub(in crate::forwarder) fn encode_proof(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(256);
        writer.array(PROOF_FIELDS);
        write_proof(&mut writer, self);
        writer.finish()
    }

    /// Reads what [`encode_proof`](Self::encode_proof) has written, about the address of `id`.
    ///
    /// # Errors
    /// [`ProtocolError`] for anything else.
    pub(in crate::forwarder) fn decode_proof(
        id: ForwarderId,
        bytes: &[u8],
    ) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(bytes);
        reader.array(PROOF_FIELDS..=PROOF_FIELDS)?;
        let displacement = read_proof(&mut reader, id)?;
        reader.finish()?;
        Ok(displacement)
    }
}

fn write_proof(writer: &mut Writer, displacement: &Displacement) {
    writer.bin(&displacement.displaced.0);
    write_tenure(writer, displacement.tenure);
    writer.bin(&displacement.nonce);
    write_route(writer, &displacement.destination);
    writer.bin(&displacement.signature);
    writer.bin(&displacement.identity);
}

fn read_proof(reader: &mut Reader<'_>, id: ForwarderId) -> Result<Displacement, ProtocolError> {
    Ok(Displacement {
        id,
        displaced: Instance(*reader.bin()?),
        tenure: read_tenure(reader)?,
        nonce: *reader.bin()?,
        destination: read_route(reader)?,
        signature: *reader.bin()?,
        identity: read_identity(reader)?,
    })
}

/// The part of a text that is sent.
fn cut(text: &str) -> &str {
    let end = (0..=MAX_REFUSAL_BYTES.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}
