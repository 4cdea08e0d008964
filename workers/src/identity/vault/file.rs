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
//! Several programs may open one file. A write happens under a lock, and its holder first reads
//! what others have written meanwhile, so nobody's change is lost.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use ring::aead::{Aad, LessSafeKey, UnboundKey, AES_256_GCM};
use zeroize::Zeroizing;

use crate::identity::{
    secret_bytes::SecretKey,
    vault::file::{
        disk::WriteLock,
        header::{Header, HEADER_LENGTH, MAX_FILE, TAG_LENGTH},
        random::random,
    },
};

pub(crate) mod disk;
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
        match disk::read(&path, MAX_FILE)? {
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
        let content = unseal(&path, &key, &header, sealed)?;
        Ok((Self { path, key, header }, content))
    }

    /// The key is made before the lock is taken, as that may take long. If others create the vault
    /// meanwhile, theirs is opened.
    fn create(
        path: PathBuf,
        secret: &Secret,
        cost: KdfCost,
        initial: &[u8],
    ) -> Result<(Self, Zeroizing<Vec<u8>>), VaultFileError> {
        let blank = Header::new(secret.kdf(cost), random()?, random()?, 0);
        let key = secret.new_key(&path, &blank)?;
        let lock = WriteLock::take(&path)?;
        if let Some(bytes) = lock.read(MAX_FILE)? {
            drop(lock);
            return Self::open(path, &bytes, secret);
        }
        let (header, bytes) = seal(&key, &blank, initial)?;
        lock.replace(&bytes)?;
        Ok((Self { path, key, header }, Zeroizing::new(initial.to_vec())))
    }

    /// Keeps other programs from writing the file until the result is dropped.
    pub(crate) fn begin_write(&mut self) -> Result<Writing<'_>, VaultFileError> {
        Ok(Writing { lock: WriteLock::take(&self.path)?, file: self })
    }

    /// The error for content that decrypts but makes no sense.
    pub(crate) fn unreadable_content(&self) -> VaultFileError {
        VaultFileError::UnreadableContent { path: self.path.clone() }
    }

    /// The error for content of generation `found`, where `known` was there before.
    pub(crate) fn rolled_back(&self, found: u32, known: u32) -> VaultFileError {
        VaultFileError::RolledBack { path: self.path.clone(), found, known }
    }
}

/// A vault file that only this program may write now.
pub(crate) struct Writing<'a> {
    lock: WriteLock,
    file: &'a mut VaultFile,
}

impl Writing<'_> {
    /// Shows `take` the content, if another program has written it since this one read or wrote it
    /// last. What `take` refuses is not taken over.
    pub(crate) fn catch_up<E: From<VaultFileError>>(
        &mut self,
        take: impl FnOnce(&VaultFile, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let file = &mut *self.file;
        let replaced = || VaultFileError::Replaced { path: file.path.clone() };
        let bytes = self.lock.read(MAX_FILE)?.ok_or_else(replaced)?;
        if bytes.get(..HEADER_LENGTH) == Some(file.header.as_bytes().as_slice()) {
            return Ok(());
        }
        let (header, sealed) = Header::read(&file.path, &bytes)?;
        if (header.kdf(), header.salt()) != (file.header.kdf(), file.header.salt()) {
            return Err(replaced().into());
        }
        take(file, &unseal(&file.path, &file.key, &header, sealed)?)?;
        file.header = header;
        Ok(())
    }

    /// Writes new content in place of the old one. On return it is on disk.
    pub(crate) fn replace(self, content: &[u8]) -> Result<(), VaultFileError> {
        let (header, bytes) = seal(&self.file.key, &self.file.header, content)?;
        let replaced = self.lock.replace(&bytes);
        // Once renamed, this is the file, even if the directory could not be synced.
        if matches!(replaced, Ok(()) | Err(VaultFileError::NotSynced { .. })) {
            self.file.header = header;
        }
        replaced
    }
}

impl fmt::Debug for VaultFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VaultFile({}, key redacted)", self.path.display())
    }
}

/// Decrypts what follows a header.
fn unseal(
    path: &Path,
    key: &SecretKey,
    header: &Header,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, VaultFileError> {
    let mut content = Zeroizing::new(sealed.to_vec());
    let opened =
        cipher(key).open_in_place(header.nonce(), Aad::from(header.as_bytes()), &mut content);
    let secret = header.kdf().secret();
    let damaged = |_| VaultFileError::WrongSecretOrDamaged { path: path.to_owned(), secret };
    let length = opened.map_err(damaged)?.len();
    content.truncate(length);
    Ok(content)
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
