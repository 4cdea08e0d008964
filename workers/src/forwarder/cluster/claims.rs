//! Which of two hubs has the newer registration of an address, as far as they can tell each other.
//!
//! # Who decides
//!
//! The identity that owns the address, as at one hub. A hub that hears of an older registration at
//! another one has its own node sign that it displaces *that* instance, and shows the signature to
//! the other hub, which believes nothing else and shows it to the node that stands back. What hubs
//! say before that only tells them whom to ask for a signature; and they say it with a
//! [`Voucher`], so that nobody who does not know an address can have anything signed about it.
//!
//! ```text
//! node 2       hub B (newer)                        hub A (older)       node 1
//!                     claims: key, B's standing ->
//!                                               <-  claims: key, A's standing
//!       <- challenge, at its next renewal: it displaces node 1's instance
//! proof ->            claims again ->           <-  claims again
//!                     displaced: the proof ->                           -> displaced: the proof
//! ```

use ockam_actix_runtime::{Address, Identifier};

use crate::forwarder::{
    cluster::key::{ForwarderKey, Voucher, VOUCHER_BYTES},
    protocol::{
        claim::{ForwarderId, Instance, Tenure},
        displacement::Displacement,
    },
};

/// Bytes of a [`Standing`].
const STANDING_BYTES: usize = 4 + 8 + 16;

/// Bytes of a [`SharedClaim`].
pub(super) const CLAIM_BYTES: usize = 16 + STANDING_BYTES + VOUCHER_BYTES;

/// How new a registration is: the greater, the newer. A longer history of keys comes first, as at
/// one hub; of two with the same tenure, all hubs choose the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::forwarder) struct Standing {
    pub(in crate::forwarder) keys: u32,
    pub(in crate::forwarder) tenure: Tenure,
    pub(in crate::forwarder) instance: Instance,
}

impl Standing {
    fn to_bytes(self) -> [u8; STANDING_BYTES] {
        let mut bytes = [0; STANDING_BYTES];
        bytes[..4].copy_from_slice(&self.keys.to_be_bytes());
        bytes[4..12].copy_from_slice(&self.tenure.0.to_be_bytes());
        bytes[12..].copy_from_slice(&self.instance.0);
        bytes
    }

    fn from_bytes(bytes: &[u8; STANDING_BYTES]) -> Option<Self> {
        let (keys, rest) = bytes.split_first_chunk()?;
        let (tenure, rest) = rest.split_first_chunk()?;
        Some(Self {
            keys: u32::from_be_bytes(*keys),
            tenure: Tenure(u64::from_be_bytes(*tenure)),
            instance: Instance(*rest.first_chunk()?),
        })
    }
}

/// A claim as one hub tells the others of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SharedClaim {
    pub(super) key: ForwarderKey,
    pub(super) standing: Standing,
    voucher: Voucher,
}

/// The hub that says something, as it is dialled, and its identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Speaker {
    pub(super) at: Address,
    pub(super) identity: Identifier,
}

impl Speaker {
    /// Uses what a voucher covers for something that this hub says about a forwarder.
    pub(super) fn with_voucher_input<T>(
        &self,
        what: &[u8],
        use_it: impl FnOnce(&[&[u8]]) -> T,
    ) -> T {
        use_it(&[what, self.identity.as_bytes(), self.at.as_str().as_bytes()])
    }
}

impl SharedClaim {
    /// What `speaker` has at `forwarder`; `None` if that is no forwarder's address.
    pub(super) fn new(speaker: &Speaker, forwarder: &Address, standing: Standing) -> Option<Self> {
        let key = ForwarderKey::of(forwarder)?;
        let what = standing.to_bytes();
        let voucher = speaker.with_voucher_input(&what, |input| Voucher::new(forwarder, input));
        Some(Self { key, standing, voucher })
    }

    /// Whether `speaker` knows the address `forwarder`, and said this about it.
    pub(super) fn is_vouched(&self, speaker: &Speaker, forwarder: &Address) -> bool {
        let what = self.standing.to_bytes();
        speaker.with_voucher_input(&what, |input| self.voucher.fits(forwarder, input))
    }

    pub(super) fn to_bytes(self) -> [u8; CLAIM_BYTES] {
        let mut bytes = [0; CLAIM_BYTES];
        bytes[..16].copy_from_slice(&self.key.0);
        bytes[16..16 + STANDING_BYTES].copy_from_slice(&self.standing.to_bytes());
        bytes[16 + STANDING_BYTES..].copy_from_slice(&self.voucher.0);
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; CLAIM_BYTES]) -> Option<Self> {
        let (key, rest) = bytes.split_first_chunk()?;
        let (standing, rest) = rest.split_first_chunk()?;
        let standing = Standing::from_bytes(standing)?;
        let voucher = Voucher(*rest.first_chunk()?);
        Some(Self { key: ForwarderKey(*key), standing, voucher })
    }
}

/// The claimed registrations of a hub, as its cluster sees them.
pub(in crate::forwarder) trait LocalClaims: Send + Sync {
    /// How new the registration at an address is; `None` if there is none with a claim.
    fn standing(&self, id: &ForwarderId) -> Option<Standing>;

    /// Another hub has an older registration, of `other`. Returns the proof that the one here
    /// displaces it, or has its node make one and returns `None`.
    fn contest(&self, id: &ForwarderId, other: Instance) -> Option<Box<Displacement>>;

    /// Ends the registration here if the proof displaces it, and tells its node.
    fn displace(&self, proof: Box<Displacement>);

    /// All registrations with a claim.
    fn all(&self) -> Vec<ForwarderId>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(keys: u32, tenure: u64, instance: u8) -> Standing {
        Standing { keys, tenure: Tenure(tenure), instance: Instance([instance; 16]) }
    }

    #[test]
    fn keys_come_before_tenures_and_instances() {
        let ordered = [standing(1, 5, 9), standing(1, 6, 1), standing(1, 6, 2), standing(2, 1, 0)];
        assert!(ordered.windows(2).all(|two| two[0] < two[1]));
    }

    #[test]
    fn a_claim_is_what_one_hub_said() {
        let forwarder = ForwarderId([3; 16]).address();
        let (at, identity) = (Address::from("tcp#a:1"), Identifier::from_bytes([1; 32]));
        let speaker = Speaker { at, identity };
        let claim = SharedClaim::new(&speaker, &forwarder, standing(1, 2, 3)).unwrap();
        assert_eq!(SharedClaim::from_bytes(&claim.to_bytes()), Some(claim));
        assert!(claim.is_vouched(&speaker, &forwarder));
        let changed = SharedClaim { standing: standing(1, 2, 4), ..claim };
        assert!(!changed.is_vouched(&speaker, &forwarder));
        let others = Speaker { identity: Identifier::from_bytes([2; 32]), ..speaker.clone() };
        assert!(!claim.is_vouched(&others, &forwarder));
        assert!(!claim.is_vouched(&speaker, &ForwarderId([4; 16]).address()));
    }
}
