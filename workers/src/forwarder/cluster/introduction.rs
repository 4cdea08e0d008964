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

use std::{fmt, time::Duration};

use ockam_actix_runtime::{
    lock::Lock,
    message::messagepack::{DecodeError, Reader, Writer},
    trust::{rate::SourceRates, source::SourceAddress},
    Address, Identifier, Payload,
};
use ring::rand::SystemRandom;

use crate::{
    forwarder::limits::INTRODUCTIONS,
    identity::{
        claimed::ClaimedIdentity,
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
    Signed(Signed),
    Welcome,
}

/// A nonce, signed by the identity that a hub says that it has.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Signed {
    nonce: [u8; COOKIE_LENGTH],
    signature: Signature,
    identity: Vec<u8>,
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
            Self::Signed(signed) => {
                begin(4, SIGNED);
                writer.bin(&signed.nonce);
                writer.bin(&signed.signature);
                writer.bin(&signed.identity);
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
            (SIGNED, 4) => Self::Signed(Signed {
                nonce: *reader.bin()?,
                signature: *reader.bin()?,
                identity: reader.bytes(1..=MAX_ENCODED)?.to_vec(),
            }),
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
        Self::Signed(Signed { nonce, signature, identity: local.identity().encode() })
    }
}

impl fmt::Debug for Introduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MayI => "MayI",
            Self::Sign { .. } => "Sign",
            Self::Signed(_) => "Signed",
            Self::Welcome => "Welcome",
        })
    }
}

/// Tells hubs of the cluster from strangers, for one hub. It recognises its nonces without keeping
/// them; times are counted from any fixed moment.
pub(super) struct Examiner {
    cookies: Cookies,
    examined: Lock<SourceRates>,
}

/// Where a proof comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Presented<'a> {
    /// The connection.
    pub(super) via: &'a Address,
    /// Its remote end, where a listener accepted it.
    pub(super) source: Option<SourceAddress>,
}

/// Why a proof makes nobody a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoMember {
    /// It shows no hub of the cluster.
    Stranger,
    /// Too many that name this hub have come from there.
    TooOften,
}

impl Examiner {
    /// With a secret of its own; `None` without randomness.
    pub(super) fn new() -> Option<Self> {
        let cookies = Cookies::new(&SystemRandom::new())?;
        Some(Self { cookies, examined: Lock::default() })
    }

    /// The nonce for the connection `via`.
    pub(super) fn nonce(&self, via: &Address, now: Duration) -> [u8; COOKIE_LENGTH] {
        self.cookies.issue(now.as_secs(), via.as_str().as_bytes(), MEMBERSHIP)
    }

    /// Whether a hub of those that are `heard` has signed a nonce of this one, for the connection
    /// that it came over, as a member of a cluster that the hub with the identity `own` belongs to.
    ///
    /// What costs little comes first, and what anybody can send costs nobody else anything: only a
    /// proof with a nonce of its connection that names a hub which is heard takes a token, and that
    /// of this hub at this source. Keys before the newest, two signatures each, are verified last.
    ///
    /// # Errors
    /// [`NoMember`].
    pub(super) fn examine(
        &self,
        own: &Identifier,
        presented: Presented<'_>,
        signed: &Signed,
        is_heard: impl FnOnce(&Identifier) -> bool,
        now: Duration,
    ) -> Result<(), NoMember> {
        let Presented { via, source } = presented;
        let Signed { nonce, signature, identity } = signed;
        let is_fresh =
            self.cookies.verify(now.as_secs(), via.as_str().as_bytes(), MEMBERSHIP, nonce);
        if !is_fresh {
            return Err(NoMember::Stranger);
        }
        let claimed = ClaimedIdentity::decode(identity).map_err(|_| NoMember::Stranger)?;
        let identifier = claimed.identifier();
        if !is_heard(&identifier) {
            return Err(NoMember::Stranger);
        }
        if !self.examined.lock().take((source, identifier), INTRODUCTIONS, now) {
            return Err(NoMember::TooOften);
        }
        let parts: [&[u8]; 2] = [nonce, own.as_bytes()];
        let is_signed = claimed.is_signed_by_newest(Purpose::ClusterMember, &parts, signature);
        if !is_signed || Identity::verified(claimed, None).is_err() {
            return Err(NoMember::Stranger);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const NOW: Duration = Duration::from_secs(100);

    fn identity(seed: u8) -> LocalIdentity {
        LocalIdentity::dangerous_from_fixed_secrets([seed; 32], [seed; 32])
    }

    /// Signed by the identity with the number `by`, for the hub with the number `asking`.
    fn signed(by: u8, nonce: [u8; COOKIE_LENGTH], asking: u8) -> Signed {
        let said = Introduction::sign(&identity(by), nonce, &identity(asking).identifier());
        let Introduction::Signed(signed) = said else { panic!("{said:?}") };
        signed
    }

    /// The hub with the number 1, which hears those with the numbers 2 and 3.
    struct Hub(Examiner);

    impl Hub {
        fn new() -> Self {
            Self(Examiner::new().unwrap())
        }

        fn nonce(&self, via: &str) -> [u8; COOKIE_LENGTH] {
            self.0.nonce(&via.into(), NOW)
        }

        /// What it makes of what came over the connection `via`, all from one source address.
        fn examine(&self, via: &str, signed: &Signed, now: Duration) -> Result<(), NoMember> {
            let source = Some(SourceAddress::of(Ipv4Addr::LOCALHOST.into()));
            let heard = [2, 3].map(|number| identity(number).identifier());
            let is_heard = |hub: &Identifier| heard.contains(hub);
            let presented = Presented { via: &via.into(), source };
            self.0.examine(&identity(1).identifier(), presented, signed, is_heard, now)
        }
    }

    const STRANGER: Result<(), NoMember> = Err(NoMember::Stranger);

    #[test]
    fn a_signature_is_for_one_hub_and_connection() {
        let hub = Hub::new();
        let nonce = hub.nonce("via");
        let genuine = signed(2, nonce, 1);
        assert_eq!(hub.examine("via", &genuine, NOW), Ok(()));
        assert_eq!(hub.examine("other", &genuine, NOW), STRANGER);
        assert_eq!(hub.examine("via", &genuine, NOW + Duration::from_secs(61)), STRANGER);
        // What a hub in the middle would have to have signed.
        assert_eq!(hub.examine("via", &signed(2, nonce, 3), NOW), STRANGER);
        assert_eq!(hub.examine("via", &signed(2, [7; COOKIE_LENGTH], 1), NOW), STRANGER);
        // Somebody whom nobody hears on the bus.
        assert_eq!(hub.examine("via", &signed(4, nonce, 1), NOW), STRANGER);
        let stolen = Signed { identity: identity(3).identity().encode(), ..genuine };
        assert_eq!(hub.examine("via", &stolen, NOW), STRANGER);
    }

    #[test]
    fn garbage_costs_a_hub_behind_it_nothing() {
        let hub = Hub::new();
        let nonce = hub.nonce("stranger");
        let made_up = signed(2, [7; COOKIE_LENGTH], 1);
        let no_hub = signed(4, nonce, 1);
        let no_identity = Signed { identity: vec![7; 10], ..signed(2, nonce, 1) };
        for _ in 0..10 * INTRODUCTIONS.burst {
            for garbage in [&made_up, &no_hub, &no_identity] {
                assert_eq!(hub.examine("stranger", garbage, NOW), STRANGER);
            }
        }
        let genuine = signed(2, hub.nonce("via"), 1);
        assert_eq!(hub.examine("via", &genuine, NOW), Ok(()));
    }

    #[test]
    fn proofs_that_name_a_hub_have_a_rate() {
        let hub = Hub::new();
        let nonce = hub.nonce("stranger");
        let forged = Signed { signature: [0; 64], ..signed(2, nonce, 1) };
        let examined = |now| {
            let tries = 0..10 * INTRODUCTIONS.burst;
            tries.filter(|_| hub.examine("stranger", &forged, now) == STRANGER).count()
        };
        assert_eq!(examined(NOW), INTRODUCTIONS.burst as usize);
        assert_eq!(hub.examine("stranger", &forged, NOW), Err(NoMember::TooOften));
        assert_eq!(examined(NOW + Duration::from_secs(1)), INTRODUCTIONS.per_second as usize);
        // Another hub of that address has tokens of its own.
        let another = signed(3, hub.nonce("via"), 1);
        assert_eq!(hub.examine("via", &another, NOW), Ok(()));
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
