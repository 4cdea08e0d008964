//! The header of a vault file: 62 bytes that are not secret.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `OCKVAULT` |
//! | 8 | 1 | version, 1 |
//! | 9 | 1 | how the key is made: 0 from a key file, 1 from a passphrase with Argon2id |
//! | 10 | 4 | Argon2id memory in KiB (all three 0 for a key file) |
//! | 14 | 4 | Argon2id passes |
//! | 18 | 4 | Argon2id lanes |
//! | 22 | 16 | salt |
//! | 38 | 12 | nonce |
//! | 50 | 4 | bytes that follow the header, tag included |
//! | 54 | 8 | the first 8 bytes of SHA-256 over bytes 0 to 53 |
//!
//! Numbers are big-endian. The checksum tells a damaged header from a wrong passphrase; it protects
//! against nothing else.

use std::path::Path;

use ring::{
    aead::Nonce,
    digest::{digest, SHA256},
};

use crate::identity::vault::file::error::VaultFileError;

/// Bytes of the header.
pub(super) const HEADER_LENGTH: usize = 62;

/// Bytes that encryption adds.
pub(super) const TAG_LENGTH: usize = 16;

/// Bytes of the largest file that is read: room for a full vault with full histories.
pub(super) const MAX_FILE: usize = 1024 * 1024;

const MAGIC: &[u8; 8] = b"OCKVAULT";
const VERSION: u8 = 1;
const CHECKED: usize = 54;

/// What Argon2id spends on a passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KdfCost {
    /// KiB of memory.
    pub(crate) memory: u32,
    /// Passes over it.
    pub(crate) passes: u32,
    /// Lanes.
    pub(crate) lanes: u32,
}

impl KdfCost {
    /// RFC 9106's second recommendation with one lane, because this implementation runs lanes one
    /// after the other.
    pub(crate) const DEFAULT: Self = Self { memory: 64 * 1024, passes: 3, lanes: 1 };

    /// Limits for a file from elsewhere: 512 MiB and some seconds, so that opening it harms nobody.
    const MOST: Self = Self { memory: 512 * 1024, passes: 16, lanes: 16 };

    fn is_allowed(self) -> bool {
        (1..=Self::MOST.lanes).contains(&self.lanes)
            && (1..=Self::MOST.passes).contains(&self.passes)
            && (8 * self.lanes..=Self::MOST.memory).contains(&self.memory)
    }
}

/// How the key is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kdf {
    KeyFile,
    Passphrase(KdfCost),
}

impl Kdf {
    /// What whoever opens the vault has to have.
    pub(super) fn secret(self) -> &'static str {
        match self {
            Self::KeyFile => "key file",
            Self::Passphrase(_) => "passphrase",
        }
    }
}

/// A header that is whole and within its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    kdf: Kdf,
    bytes: [u8; HEADER_LENGTH],
}

impl Header {
    pub(super) fn new(kdf: Kdf, salt: [u8; 16], nonce: [u8; 12], body: usize) -> Self {
        let (kind, cost) = match kdf {
            Kdf::KeyFile => (0, KdfCost { memory: 0, passes: 0, lanes: 0 }),
            Kdf::Passphrase(cost) => (1, cost),
        };
        let mut bytes = [0; HEADER_LENGTH];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..10].copy_from_slice(&[VERSION, kind]);
        bytes[10..14].copy_from_slice(&cost.memory.to_be_bytes());
        bytes[14..18].copy_from_slice(&cost.passes.to_be_bytes());
        bytes[18..22].copy_from_slice(&cost.lanes.to_be_bytes());
        bytes[22..38].copy_from_slice(&salt);
        let blank = Self { kdf, bytes };
        blank.renewed(nonce, body)
    }

    /// The same key derivation, for another nonce and content.
    pub(super) fn renewed(&self, nonce: [u8; 12], body: usize) -> Self {
        let mut bytes = self.bytes;
        bytes[38..50].copy_from_slice(&nonce);
        // A vault's limits keep its content below 1 MiB.
        bytes[50..54].copy_from_slice(&u32::try_from(body).unwrap_or(u32::MAX).to_be_bytes());
        let checksum = digest(&SHA256, &bytes[..CHECKED]);
        bytes[CHECKED..].copy_from_slice(&checksum.as_ref()[..HEADER_LENGTH - CHECKED]);
        Self { kdf: self.kdf, bytes }
    }

    /// Splits a file into its header and what follows.
    pub(super) fn read<'a>(
        path: &Path,
        file: &'a [u8],
    ) -> Result<(Self, &'a [u8]), VaultFileError> {
        let path = || path.to_owned();
        let damaged = |what| VaultFileError::Damaged { path: path(), what };
        // A file that breaks off inside the magic bytes may still be recognised as ours.
        if !file.starts_with(&MAGIC[..MAGIC.len().min(file.len())]) {
            return Err(VaultFileError::NotAVault { path: path() });
        }
        if file.is_empty() {
            return Err(damaged("it is empty"));
        }
        match file.get(8) {
            Some(&version) if version != VERSION => {
                return Err(VaultFileError::Version { path: path(), version });
            }
            _ => {}
        }
        let (bytes, body) =
            file.split_first_chunk().ok_or_else(|| damaged("it ends inside its header"))?;
        if digest(&SHA256, &bytes[..CHECKED]).as_ref()[..HEADER_LENGTH - CHECKED]
            != bytes[CHECKED..]
        {
            return Err(damaged("its header was altered"));
        }
        let cost = KdfCost {
            memory: number(bytes, 10),
            passes: number(bytes, 14),
            lanes: number(bytes, 18),
        };
        let kdf = match bytes[9] {
            0 => Kdf::KeyFile,
            1 if cost.is_allowed() => Kdf::Passphrase(cost),
            _ => return Err(damaged("its header asks for a key derivation outside the limits")),
        };
        if u32::try_from(body.len()) != Ok(number(bytes, 50)) || body.len() < TAG_LENGTH {
            return Err(damaged("it is longer or shorter than its header says"));
        }
        Ok((Self { kdf, bytes: *bytes }, body))
    }

    pub(super) fn kdf(&self) -> Kdf {
        self.kdf
    }

    pub(super) fn salt(&self) -> &[u8] {
        &self.bytes[22..38]
    }

    pub(super) fn nonce(&self) -> Nonce {
        let mut bytes = [0; 12];
        bytes.copy_from_slice(&self.bytes[38..50]);
        Nonce::assume_unique_for_key(bytes)
    }

    pub(super) fn as_bytes(&self) -> &[u8; HEADER_LENGTH] {
        &self.bytes
    }
}

fn number(bytes: &[u8; HEADER_LENGTH], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}
