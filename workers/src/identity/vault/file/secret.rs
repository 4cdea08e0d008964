//! The secret that opens a vault file, and the key that is made from it.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use argon2::{Algorithm, Argon2, Params, Version};
use ring::hmac::{self, HMAC_SHA256};
use zeroize::Zeroizing;

use crate::identity::{
    secret_bytes::SecretKey,
    vault::file::{
        disk::{self, WriteLock},
        error::VaultFileError,
        header::{Header, Kdf, KdfCost},
        random::random,
    },
};

/// Bytes of a key file, raw.
pub const KEY_FILE_LENGTH: usize = 32;

const KEY_FILE_LABEL: &[u8] = b"ockam-actix/1 vault key\0";

/// The secret that opens a vault file.
#[derive(Clone)]
pub enum Secret {
    /// A text that a person knows; Argon2id makes guessing expensive.
    Passphrase(Zeroizing<String>),
    /// A file with 32 random bytes, for machines. It is created together with the vault when both
    /// are missing.
    KeyFile(PathBuf),
}

impl Secret {
    /// A passphrase. The text is wiped when the secret is dropped.
    #[must_use]
    pub fn passphrase(text: impl Into<String>) -> Self {
        Self::Passphrase(Zeroizing::new(text.into()))
    }

    /// A key file.
    #[must_use]
    pub fn key_file(path: impl Into<PathBuf>) -> Self {
        Self::KeyFile(path.into())
    }

    /// How a vault that is created with this secret makes its key.
    pub(super) fn kdf(&self, cost: KdfCost) -> Kdf {
        match self {
            Self::Passphrase(_) => Kdf::Passphrase(cost),
            Self::KeyFile(_) => Kdf::KeyFile,
        }
    }

    /// The key of a vault that exists.
    pub(super) fn existing_key(
        &self,
        vault: &Path,
        header: &Header,
    ) -> Result<SecretKey, VaultFileError> {
        let missing = |path: &Path| {
            Err(VaultFileError::NoKeyFile { path: path.to_owned(), vault: vault.to_owned() })
        };
        self.key(vault, header, missing)
    }

    /// The key of a vault that is about to be created; a key file that is missing is created first.
    pub(super) fn new_key(
        &self,
        vault: &Path,
        header: &Header,
    ) -> Result<SecretKey, VaultFileError> {
        self.key(vault, header, create_key_file)
    }

    fn key(
        &self,
        vault: &Path,
        header: &Header,
        missing: impl FnOnce(&Path) -> Result<Material, VaultFileError>,
    ) -> Result<SecretKey, VaultFileError> {
        match (self, header.kdf()) {
            (Self::Passphrase(text), Kdf::Passphrase(cost)) => {
                stretch(vault, text, header.salt(), cost)
            }
            (Self::KeyFile(path), Kdf::KeyFile) => {
                let path = disk::resolve(path)?;
                let material = read_key_file(&path)?.map_or_else(|| missing(&path), Ok)?;
                Ok(from_key_file(&material, header.salt()))
            }
            (_, kdf) => Err(VaultFileError::OtherSecretKind {
                path: vault.to_owned(),
                wanted: kdf.secret(),
            }),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passphrase(_) => f.write_str("Passphrase(redacted)"),
            Self::KeyFile(path) => write!(f, "KeyFile({})", path.display()),
        }
    }
}

fn stretch(
    vault: &Path,
    passphrase: &str,
    salt: &[u8],
    cost: KdfCost,
) -> Result<SecretKey, VaultFileError> {
    if passphrase.is_empty() {
        return Err(VaultFileError::EmptyPassphrase { path: vault.to_owned() });
    }
    let failed = |error: argon2::Error| VaultFileError::KeyDerivation {
        path: vault.to_owned(),
        what: error.to_string(),
    };
    let params = Params::new(cost.memory, cost.passes, cost.lanes, Some(SecretKey::LENGTH))
        .map_err(failed)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut key = Zeroizing::new([0; SecretKey::LENGTH]);
    argon2.hash_password_into(passphrase.as_bytes(), salt, key.as_mut_slice()).map_err(failed)?;
    Ok(SecretKey::take(&mut key))
}

fn from_key_file(material: &[u8; KEY_FILE_LENGTH], salt: &[u8]) -> SecretKey {
    let tag = hmac::sign(&hmac::Key::new(HMAC_SHA256, material), &[KEY_FILE_LABEL, salt].concat());
    let mut key = [0; SecretKey::LENGTH];
    key.copy_from_slice(tag.as_ref());
    SecretKey::take(&mut key)
}

type Material = Zeroizing<[u8; KEY_FILE_LENGTH]>;

fn read_key_file(path: &Path) -> Result<Option<Material>, VaultFileError> {
    let Some(bytes) = disk::read(path, KEY_FILE_LENGTH)? else { return Ok(None) };
    let bytes = Zeroizing::new(bytes);
    let material = bytes
        .as_slice()
        .try_into()
        .map_err(|_| VaultFileError::BadKeyFile { path: path.to_owned() })?;
    Ok(Some(Zeroizing::new(material)))
}

/// Creates the key file, unless another program has done so meanwhile.
fn create_key_file(path: &Path) -> Result<Material, VaultFileError> {
    let lock = WriteLock::take(path)?;
    if let Some(material) = read_key_file(path)? {
        return Ok(material);
    }
    let material = Zeroizing::new(random()?);
    lock.replace(material.as_slice())?;
    Ok(material)
}
