//! What a connection that is a part of a bundle begins with.
//!
//! The bytes `ockam-part`, the number of parts, the number of this one from 0, and 16 random bytes
//! that are the same for all parts. A connection by itself begins with a greeting, whose first byte
//! is 0, the highest of its length.

use ockam_actix_runtime::random;

use crate::limits::MAX_PARTS;

const MAGIC: &[u8; 10] = b"ockam-part";

/// Bytes of a preface.
pub(crate) const PREFACE_BYTES: usize = MAGIC.len() + 2 + 16;

/// The first byte of a preface.
pub(crate) const FIRST_BYTE: u8 = MAGIC[0];

/// What the parts of one bundle have in common. Nobody guesses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BundleId([u8; 16]);

impl BundleId {
    pub(crate) fn random() -> Self {
        Self(random::bytes())
    }
}

/// Which part of which bundle a connection is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Preface {
    pub(crate) bundle: BundleId,
    pub(crate) parts: usize,
    pub(crate) part: usize,
}

impl Preface {
    /// Its bytes, of a bundle of at most [`MAX_PARTS`].
    pub(crate) fn encode(self) -> [u8; PREFACE_BYTES] {
        let mut bytes = [0; PREFACE_BYTES];
        let small = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
        bytes[..10].copy_from_slice(MAGIC);
        (bytes[10], bytes[11]) = (small(self.parts), small(self.part));
        bytes[12..].copy_from_slice(&self.bundle.0);
        bytes
    }

    /// `None` if it is none, or of a bundle that is not allowed.
    pub(crate) fn decode(bytes: [u8; PREFACE_BYTES]) -> Option<Self> {
        let (parts, part) = (usize::from(bytes[10]), usize::from(bytes[11]));
        let mut bundle = [0; 16];
        bundle.copy_from_slice(&bytes[12..]);
        let preface = Self { bundle: BundleId(bundle), parts, part };
        let is_allowed = (2..=MAX_PARTS).contains(&parts) && part < parts;
        (bytes.starts_with(MAGIC) && is_allowed).then_some(preface)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preface_is_read_as_it_was_written() {
        let preface = Preface { bundle: BundleId::random(), parts: 4, part: 3 };
        let bytes = preface.encode();
        assert_eq!(bytes[0], FIRST_BYTE);
        assert!(Preface::decode(bytes) == Some(preface));
    }

    #[test]
    fn bundles_that_are_not_allowed_are_refused() {
        let bundle = BundleId::random();
        for (parts, part) in [(0, 0), (1, 0), (2, 2), (MAX_PARTS + 1, 0), (MAX_PARTS, MAX_PARTS)] {
            assert!(Preface::decode(Preface { bundle, parts, part }.encode()).is_none());
        }
        let mut other = Preface { bundle, parts: 2, part: 0 }.encode();
        other[0] = 0;
        assert!(Preface::decode(other).is_none());
    }
}
