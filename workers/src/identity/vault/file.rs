//! A vault on disk: encrypted, replaced as a whole, readable by its owner only.
//!
//! ```text
//! file   = header || ciphertext || tag (16 bytes)      AES-256-GCM, the header is the additional data
//! header = see `header.rs`: magic, version, how the key is made, salt, nonce, length, checksum
//! key    = Argon2id(passphrase, salt)  or  HMAC-SHA256(key file, "ockam-actix/1 vault key\0" || salt)
//! ```
//!
//! The nonce is random for every write; at 2^32 writes with one key a repeat is still less likely
//! than 2^-32. The key is made once, kept while the vault is open, and wiped on drop.
//!
//! Several programs may open one file. A write happens under a lock and only if the file is still
//! the one this program read or wrote last, so nobody's change is lost in silence.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use ring::aead::{Aad, LessSafeKey, UnboundKey, AES_256_GCM};
use zeroize::Zeroizing;

use crate::identity::{
    secret_bytes::SecretKey,
    vault::file::{
        header::{Header, HEADER_LENGTH, TAG_LENGTH},
        random::random,
    },
};

pub(in crate::identity) mod disk;
mod error;
mod header;
mod random;
mod secret;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::{decode_header, example_header};

pub use self::{
    error::VaultFileError,
    secret::{Secret, KEY_FILE_LENGTH},
};

pub(crate) use self::header::KdfCost;

/// A vault file that was opened or created, and the key to write it again.
pub(crate) struct VaultFile {
    path: PathBuf,
    key: SecretKey,
    /// The header as it stands on disk; it contains the nonce, so every write has another one.
    header: Header,
}

impl VaultFile {
    /// Opens the file and returns its content, or creates it with `initial`.
    pub(crate) fn open_or_create(
        path: &Path,
        secret: &Secret,
        cost: KdfCost,
        initial: &[u8],
    ) -> Result<(Self, Zeroizing<Vec<u8>>), VaultFileError> {
        let path = disk::resolve(path)?;
        match disk::read(&path, header::MAX_FILE)? {
            Some(bytes) => Self::open(path, &bytes, secret),
            None => Self::create(path, secret, cost, initial),
        }
    }

    fn open(
        path: PathBuf,
        bytes: &[u8],
        secret: &Secret,
    ) -> Result<(Self, Zeroizing<Vec<u8>>), VaultFileError> {
        let (header, sealed) = Header::read(&path, bytes)?;
        let key = secret.existing_key(&path, &header)?;
        let mut content = Zeroizing::new(sealed.to_vec());
        let opened =
            cipher(&key).open_in_place(header.nonce(), Aad::from(header.as_bytes()), &mut content);
        let length =
            opened.map_err(|_| VaultFileError::WrongSecretOrDamaged { path: path.clone() })?.len();
        content.truncate(length);
        Ok((Self { path, key, header }, content))
    }

    fn create(
        path: PathBuf,
        secret: &Secret,
        cost: KdfCost,
        initial: &[u8],
    ) -> Result<(Self, Zeroizing<Vec<u8>>), VaultFileError> {
        let blank = Header::new(secret.kdf(cost), random()?, random()?, 0);
        let key = secret.new_key(&path, &blank)?;
        let (header, bytes) = seal(&key, &blank, initial)?;
        disk::replace(&path, &bytes, |found| found.is_none())?;
        Ok((Self { path, key, header }, Zeroizing::new(initial.to_vec())))
    }

    /// Writes new content in place of the old one. On return it is on disk.
    pub(crate) fn replace(&mut self, content: &[u8]) -> Result<(), VaultFileError> {
        let (header, bytes) = seal(&self.key, &self.header, content)?;
        let known = self.header.as_bytes();
        let replaced = disk::replace(&self.path, &bytes, |found| {
            found.is_some_and(|found| found.get(..HEADER_LENGTH) == Some(known.as_slice()))
        });
        // Once renamed, this is the file, even if the directory could not be synced; the next write
        // must recognise it.
        if matches!(replaced, Ok(()) | Err(VaultFileError::NotSynced { .. })) {
            self.header = header;
        }
        replaced
    }

    /// The error for content that decrypts but makes no sense.
    pub(crate) fn unreadable_content(&self) -> VaultFileError {
        VaultFileError::UnreadableContent { path: self.path.clone() }
    }
}

impl fmt::Debug for VaultFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VaultFile({}, key redacted)", self.path.display())
    }
}

/// Encrypts `content` under a new nonce; everything else in the header stays.
fn seal(
    key: &SecretKey,
    header: &Header,
    content: &[u8],
) -> Result<(Header, Vec<u8>), VaultFileError> {
    let header = header.renewed(random()?, content.len().saturating_add(TAG_LENGTH));
    let mut sealed = Zeroizing::new(Vec::with_capacity(content.len().saturating_add(TAG_LENGTH)));
    sealed.extend_from_slice(content);
    let aad = Aad::from(header.as_bytes());
    cipher(key)
        .seal_in_place_append_tag(header.nonce(), aad, &mut *sealed)
        .expect("ring refuses only 64 GiB, and a vault has limits for names and identities");
    let bytes = [header.as_bytes().as_slice(), &sealed].concat();
    Ok((header, bytes))
}

fn cipher(key: &SecretKey) -> LessSafeKey {
    let key = UnboundKey::new(&AES_256_GCM, key.expose())
        .expect("ring rejects only lengths other than 32, and the type has 32");
    LessSafeKey::new(key)
}
