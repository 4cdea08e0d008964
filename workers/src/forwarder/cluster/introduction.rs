//! How a hub shows over its connection to another one that it is a member of the cluster.
//!
//! ```text
//! [0]                                               may I?
//! [1, bin 32 nonce]                                 sign this
//! [2, bin 32 nonce, bin 64 signature, bin identity] signed
//! [3]                                               you are a member on this connection
//! signature = Ed25519, by the identity's newest key, over
//!             "ockam-actix/1 cluster member\0" || nonce || identifier of the hub that asked for it
//! ```
//!
//! The nonce is a stateless cookie for the connection, as in a forwarder's registration. The
//! identity that signs has to be one that was heard on the bus; and it signs for the identity that
//! it heard there, so that no hub can pass another one's nonce on to be signed.
//!
//! It is not a secure channel because its peer would have the rights of one, to all workers of the
//! other hub that have a name: a member is to reach forwarders, and nothing else.

use std::fmt;

use ockam_actix_runtime::{
    clock::Instant,
    message::messagepack::{DecodeError, Reader, Writer},
    Address, Identifier, Payload,
};
use ring::rand::SystemRandom;

use crate::{
    identity::{
        local_identity::LocalIdentity,
        signature::{Purpose, Signature},
        Identity, MAX_ENCODED,
    },
    secure_channel::cookie::{Cookies, COOKIE_LENGTH},
};

const MAY_I: u8 = 0;
const SIGN: u8 = 1;
const SIGNED: u8 = 2;
const WELCOME: u8 = 3;

/// What a nonce is made for.
const MEMBERSHIP: &[u8] = b"membership";

/// What the two hubs say.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Introduction {
    MayI,
    Sign { nonce: [u8; COOKIE_LENGTH] },
    Signed { nonce: [u8; COOKIE_LENGTH], signature: Signature, identity: Vec<u8> },
    Welcome,
}

impl Introduction {
    pub(super) fn encode(&self) -> Payload {
        let mut writer = Writer::with_capacity(64);
        let mut begin = |fields, kind| {
            writer.array(fields);
            writer.number(kind);
        };
        match self {
            Self::MayI => begin(1, MAY_I),
            Self::Sign { nonce } => {
                begin(2, SIGN);
                writer.bin(nonce);
            }
            Self::Signed { nonce, signature, identity } => {
                begin(4, SIGNED);
                writer.bin(nonce);
                writer.bin(signature);
                writer.bin(identity);
            }
            Self::Welcome => begin(1, WELCOME),
        }
        Payload::from(writer.finish())
    }

    /// Reads what [`encode`](Self::encode) has written.
    ///
    /// # Errors
    /// If it is anything else.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let fields = reader.array(1..=4)?;
        let said = match (reader.number()?, fields) {
            (MAY_I, 1) => Self::MayI,
            (SIGN, 2) => Self::Sign { nonce: *reader.bin()? },
            (SIGNED, 4) => Self::Signed {
                nonce: *reader.bin()?,
                signature: *reader.bin()?,
                identity: reader.bytes(1..=MAX_ENCODED)?.to_vec(),
            },
            (WELCOME, 1) => Self::Welcome,
            _ => return Err(DecodeError::WrongType),
        };
        reader.finish()?;
        Ok(said)
    }

    /// Signs a nonce of the hub with the identity `asking`.
    pub(super) fn sign(
        local: &LocalIdentity,
        nonce: [u8; COOKIE_LENGTH],
        asking: &Identifier,
    ) -> Self {
        let signature = local.sign_for(Purpose::ClusterMember, &[&nonce, asking.as_bytes()]);
        Self::Signed { nonce, signature, identity: local.identity().encode() }
    }
}

impl fmt::Debug for Introduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MayI => "MayI",
            Self::Sign { .. } => "Sign",
            Self::Signed { .. } => "Signed",
            Self::Welcome => "Welcome",
        })
    }
}

/// The nonces of one hub, which it recognises without keeping them.
pub(super) struct Nonces {
    cookies: Cookies,
    since: Instant,
}

impl Nonces {
    /// With a secret of its own; `None` without randomness.
    pub(super) fn new() -> Option<Self> {
        Some(Self { cookies: Cookies::new(&SystemRandom::new())?, since: Instant::now() })
    }

    /// The nonce for the connection `via`.
    pub(super) fn issue(&self, via: &Address) -> [u8; COOKIE_LENGTH] {
        self.cookies.issue(self.now(), via.as_str().as_bytes(), MEMBERSHIP)
    }

    /// Who has signed a nonce of this hub for the connection `via`, as a member of a cluster that
    /// the hub with the identity `own` belongs to.
    pub(super) fn signer(
        &self,
        own: &Identifier,
        via: &Address,
        signed: &Introduction,
    ) -> Option<Identifier> {
        let Introduction::Signed { nonce, signature, identity } = signed else { return None };
        if !self.cookies.verify(self.now(), via.as_str().as_bytes(), MEMBERSHIP, nonce) {
            return None;
        }
        let identity = Identity::decode(identity).ok()?;
        let parts: [&[u8]; 2] = [nonce, own.as_bytes()];
        let is_signed = identity.verify_for(Purpose::ClusterMember, &parts, signature);
        is_signed.then(|| identity.identifier())
    }

    fn now(&self) -> u64 {
        self.since.elapsed().as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(seed: u8) -> LocalIdentity {
        LocalIdentity::dangerous_from_fixed_secrets([seed; 32], [seed; 32])
    }

    #[test]
    fn a_signature_is_for_one_hub_and_connection() {
        let (hub, dialling, nonces) = (identity(1), identity(2), Nonces::new().unwrap());
        let (own, via) = (hub.identifier(), Address::from("via"));
        let nonce = nonces.issue(&via);
        let signed = Introduction::sign(&dialling, nonce, &own);
        assert_eq!(nonces.signer(&own, &via, &signed), Some(dialling.identifier()));
        assert_eq!(nonces.signer(&own, &"other".into(), &signed), None);
        // What a hub in the middle would have to have signed.
        let for_another = Introduction::sign(&dialling, nonce, &identity(3).identifier());
        assert_eq!(nonces.signer(&own, &via, &for_another), None);
        let forged = Introduction::sign(&dialling, [7; COOKIE_LENGTH], &own);
        assert_eq!(nonces.signer(&own, &via, &forged), None);
        assert_eq!(nonces.signer(&own, &via, &Introduction::Welcome), None);
    }

    #[test]
    fn introductions_are_read_back_and_nothing_else() {
        let all = [
            Introduction::MayI,
            Introduction::Sign { nonce: [1; COOKIE_LENGTH] },
            Introduction::sign(&identity(1), [2; COOKIE_LENGTH], &identity(2).identifier()),
            Introduction::Welcome,
        ];
        for said in all {
            let bytes = said.encode();
            assert_eq!(Introduction::decode(&bytes), Ok(said));
            for length in 0..bytes.len() {
                Introduction::decode(&bytes[..length]).unwrap_err();
            }
            Introduction::decode(&[&bytes[..], &[0]].concat()).unwrap_err();
        }
    }
}
