//! The vault: named identities and their secrets, in memory or kept in a file.
//!
//! A [`Vault`] is a handle; its clones share one vault. Changes are made on a copy, written to the
//! file if there is one, and only then become visible: a change that was reported as failed did not
//! happen (but see [`VaultFileError::NotSynced`]), and one that was reported as done is on disk.
//!
//! Several programs may change one file: each change is made on what is in the file at that time.
//! The content counts its writes, so a program that has seen a newer version refuses an older copy.

use std::{fmt, path::Path, sync::Arc};

use ring::rand::SystemRandom;
use thiserror::Error;

use crate::identity::{
    known_identities::HistoryFile,
    local_identity::LocalIdentity,
    signature::Signature,
    vault::file::{KdfCost, Secret, VaultFile, VaultFileError, Writing},
    Identity, IdentityError,
};
use ockam_actix_runtime::{address::identifier::Identifier, lock::Lock, Node};

mod content;
pub mod file;
#[cfg(test)]
mod tests;

use self::content::{Content, Entry};
pub use self::content::{MAX_IDENTITIES, MAX_NAME};

/// A handle on a vault.
#[derive(Clone)]
pub struct Vault(Arc<State>);

struct State {
    /// What readers see; they never wait for the disk.
    content: Lock<Content>,
    /// Held during a change.
    file: Lock<Option<VaultFile>>,
    /// What is known of the key histories of others, beside the file.
    histories: Option<Arc<HistoryFile>>,
}

/// Why a vault did not do what it was asked to.
#[derive(Debug, Error)]
pub enum VaultError {
    /// Caller: no identity of this vault has this identifier.
    #[error("the vault holds no identity {0}")]
    UnknownIdentifier(Identifier),
    /// Caller: no identity of this vault has this name.
    #[error("the vault holds no identity named {0:?}")]
    UnknownName(String),
    /// Caller: names are unique.
    #[error("the vault already holds an identity named {0:?}: choose another name")]
    NameTaken(String),
    /// Caller: an identity is in a vault once.
    #[error("the vault already holds {0}, as {1:?}")]
    Held(Identifier, String),
    /// Caller: empty, too long or with characters that cannot be seen.
    #[error("{0:?} cannot name an identity: it needs 1 to {MAX_NAME} bytes that can all be seen")]
    BadName(String),
    /// Caller: too many identities.
    #[error("the vault is full: it holds {MAX_IDENTITIES} identities")]
    Full,
    /// Caller: the history of the identity cannot grow.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// System: no randomness.
    #[error("the system gave no randomness for new keys")]
    NoRandomness,
    /// The file was not read or written.
    #[error(transparent)]
    File(#[from] VaultFileError),
}

impl Vault {
    /// An empty vault that is gone with its last handle.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(Content::default(), None, None)
    }

    /// An empty vault for a program on a node. It is gone with its last handle; for identities that
    /// survive the program see [`Vault::open`].
    ///
    /// # Errors
    /// None at present; it returns a result because a vault that asks the operating system for a
    /// key store may fail.
    pub fn create(_: &impl AsRef<Node>) -> Result<Self, VaultError> {
        Ok(Self::in_memory())
    }

    /// Opens the vault in the file at `path`, or creates it there. The directory must exist.
    ///
    /// With a passphrase this takes some tenths of a second, on purpose, and 64 MiB meanwhile:
    /// never call it on an arbiter. Every change waits for the disk. Beside the vault, in a file
    /// with `.known` after its name, the nodes of its entities keep the
    /// [key histories](crate::identity::known_identities) that they have met.
    ///
    /// ```no_run
    /// # use ockam_actix_runtime::{Context, Identifier};
    /// # use ockam_actix_workers::{
    /// #     identity::vault::file::Secret, Entity, SecureChannels, TrustIdentifierPolicy, Vault,
    /// # };
    /// # fn main() {}
    /// # fn open(ctx: Context) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let vault = Vault::open("bank.vault", &Secret::key_file("bank.key"))?;
    /// let mut bank = Entity::open(&ctx, &vault, "bank")?;
    /// let alice: Identifier = std::env::var("ALICE")?.parse()?;
    /// bank.create_secure_channel_listener("door", TrustIdentifierPolicy::new(alice))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`VaultFileError`]; each names the file and what can be done.
    pub fn open(path: impl AsRef<Path>, secret: &Secret) -> Result<Self, VaultError> {
        Self::open_with_cost(path.as_ref(), secret, KdfCost::DEFAULT)
    }

    pub(crate) fn open_with_cost(
        path: &Path,
        secret: &Secret,
        cost: KdfCost,
    ) -> Result<Self, VaultError> {
        let initial = content::encode(&Content::default());
        let (file, content) = VaultFile::open_or_create(path, secret, cost, &initial)?;
        let content = content::decode(&content).ok_or_else(|| file.unreadable_content())?;
        let histories = HistoryFile::open(HistoryFile::path_beside(path))?;
        Ok(Self::new(content, Some(file), Some(Arc::new(histories))))
    }

    /// The file beside this one with the key histories that were met, which
    /// [`Entity`](crate::Entity) has its node use; none for a vault in memory.
    pub(crate) fn histories(&self) -> Option<Arc<HistoryFile>> {
        self.0.histories.clone()
    }

    fn new(content: Content, file: Option<VaultFile>, histories: Option<Arc<HistoryFile>>) -> Self {
        Self(Arc::new(State { content: Lock::new(content), file: Lock::new(file), histories }))
    }

    /// Creates an identity with new keys.
    ///
    /// # Errors
    /// When the name is invalid or already in use, the vault is full, or the file was not written.
    pub fn create_identity(&self, name: &str) -> Result<Identifier, VaultError> {
        check_name(name)?;
        self.change(|entries| {
            check_free(entries, name)?;
            if entries.len() == MAX_IDENTITIES {
                return Err(VaultError::Full);
            }
            let identity =
                LocalIdentity::generate(&SystemRandom::new()).ok_or(VaultError::NoRandomness)?;
            let identifier = identity.identifier();
            entries.push(Entry { name: name.to_owned(), identity });
            Ok(identifier)
        })
    }

    /// Replaces the Ed25519 key and the X25519 static key of an identity. Its identifier stays.
    ///
    /// # Errors
    /// When the vault does not hold it, its history is full, or the file was not written.
    pub fn rotate(&self, identifier: &Identifier) -> Result<Identity, VaultError> {
        self.change(|entries| {
            let entry = entries.iter_mut().find(|entry| entry.identity.identifier() == *identifier);
            let entry = entry.ok_or(VaultError::UnknownIdentifier(*identifier))?;
            entry.identity =
                entry.identity.rotated(&SystemRandom::new()).ok_or(VaultError::NoRandomness)??;
            Ok(entry.identity.identity().clone())
        })
    }

    /// Gives the forwarding addresses of an identity other secrets: whoever was given an address
    /// before can open no channel through it any more.
    ///
    /// # Errors
    /// When the vault does not hold it, or the file was not written.
    pub fn renew_address_secrets(&self, identifier: &Identifier) -> Result<(), VaultError> {
        self.change(|entries| {
            let entry = entries.iter_mut().find(|entry| entry.identity.identifier() == *identifier);
            let entry = entry.ok_or(VaultError::UnknownIdentifier(*identifier))?;
            let renewed = entry.identity.with_new_address_secrets(&SystemRandom::new());
            entry.identity = renewed.ok_or(VaultError::NoRandomness)?;
            Ok(())
        })
    }

    /// Removes an identity and wipes its secrets. Nothing brings them back.
    ///
    /// # Errors
    /// When the vault does not hold it, or the file was not written.
    pub fn remove(&self, identifier: &Identifier) -> Result<(), VaultError> {
        self.change(|entries| {
            let position =
                entries.iter().position(|entry| entry.identity.identifier() == *identifier);
            entries.remove(position.ok_or(VaultError::UnknownIdentifier(*identifier))?);
            Ok(())
        })
    }

    /// Gives an identity another name. Nothing else of it changes.
    ///
    /// # Errors
    /// When the vault holds no `name`, `new` is invalid or in use, or the file was not written.
    pub fn rename(&self, name: &str, new: &str) -> Result<(), VaultError> {
        check_name(new)?;
        self.change(|entries| {
            check_free(entries, new)?;
            let entry = entries.iter_mut().find(|entry| entry.name == name);
            let entry = entry.ok_or_else(|| VaultError::UnknownName(name.to_owned()))?;
            entry.name = new.to_owned();
            Ok(())
        })
    }

    /// Takes the identity that `from` holds as `name` over into this vault as `new`, with its keys.
    /// Both vaults have it then: replace its keys in one of them alone, as two successors of one
    /// key have peers refuse the identity.
    ///
    /// # Errors
    /// When `from` holds no `name`, this vault has the identity or the name `new` already or is
    /// full, the name is invalid, or the file was not written.
    pub fn import(&self, from: &Self, name: &str, new: &str) -> Result<Identifier, VaultError> {
        check_name(new)?;
        let identifier = from.find(name)?;
        let identity = from.local_identity(&identifier)?;
        self.change(|entries| {
            check_free(entries, new)?;
            let mut held = entries.iter().filter(|e| e.identity.identifier() == identifier);
            if let Some(entry) = held.next() {
                return Err(VaultError::Held(identifier, entry.name.clone()));
            }
            if entries.len() == MAX_IDENTITIES {
                return Err(VaultError::Full);
            }
            entries.push(Entry { name: new.to_owned(), identity });
            Ok(identifier)
        })
    }

    /// The public part of an identity.
    ///
    /// # Errors
    /// When the vault does not hold it.
    pub fn identity(&self, identifier: &Identifier) -> Result<Identity, VaultError> {
        self.local_identity(identifier).map(|local| local.identity().clone())
    }

    /// The identity with its secrets as they are now: what a handshake is given.
    ///
    /// # Errors
    /// When the vault does not hold it.
    pub fn local_identity(&self, identifier: &Identifier) -> Result<LocalIdentity, VaultError> {
        let content = self.0.content.lock();
        let entry = content.entries.iter().find(|entry| entry.identity.identifier() == *identifier);
        entry.map(|entry| entry.identity.clone()).ok_or(VaultError::UnknownIdentifier(*identifier))
    }

    /// The identifier of the identity that has this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(&self, name: &str) -> Result<Identifier, VaultError> {
        let content = self.0.content.lock();
        let entry = content.entries.iter().find(|entry| entry.name == name);
        entry
            .map(|entry| entry.identity.identifier())
            .ok_or_else(|| VaultError::UnknownName(name.to_owned()))
    }

    /// Every name with its identifier, the oldest first.
    #[must_use]
    pub fn names(&self) -> Vec<(String, Identifier)> {
        let content = self.0.content.lock();
        content
            .entries
            .iter()
            .map(|entry| (entry.name.clone(), entry.identity.identifier()))
            .collect()
    }

    /// Signs a message with the key in force; [`Identity::verify`] checks it.
    ///
    /// # Errors
    /// When the vault does not hold the identity.
    pub fn sign(&self, identifier: &Identifier, message: &[u8]) -> Result<Signature, VaultError> {
        self.local_identity(identifier).map(|local| local.sign(message))
    }

    /// Takes over what other programs have written.
    fn catch_up(&self, writing: &mut Writing<'_>) -> Result<(), VaultError> {
        writing.catch_up(|file, bytes| {
            let found = content::decode(bytes).ok_or_else(|| file.unreadable_content())?;
            let mut content = self.0.content.lock();
            // A copy that was changed by somebody who had not seen the newest one is older, too.
            if found.generation <= content.generation {
                return Err(file.rolled_back(found.generation, content.generation).into());
            }
            *content = found;
            Ok(())
        })
    }

    /// Makes a change on a copy of what is in the file now, and keeps it once it is safe.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Vec<Entry>) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        let mut file = self.0.file.lock();
        let mut writing = file.as_mut().map(VaultFile::begin_write).transpose()?;
        if let Some(writing) = &mut writing {
            self.catch_up(writing)?;
        }
        let mut content = self.0.content.lock().clone();
        let result = change(&mut content.entries)?;
        // Nobody writes so often; who did would be refused as one with an older copy.
        content.generation = content.generation.saturating_add(1);
        let written = writing.map_or(Ok(()), |writing| writing.replace(&content::encode(&content)));
        if matches!(written, Ok(()) | Err(VaultFileError::NotSynced { .. })) {
            *self.0.content.lock() = content;
        }
        written?;
        Ok(result)
    }
}

fn check_name(name: &str) -> Result<(), VaultError> {
    match content::is_name(name) {
        true => Ok(()),
        false => Err(VaultError::BadName(name.to_owned())),
    }
}

fn check_free(entries: &[Entry], name: &str) -> Result<(), VaultError> {
    match entries.iter().any(|entry| entry.name == name) {
        true => Err(VaultError::NameTaken(name.to_owned())),
        false => Ok(()),
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({} identities, secrets redacted)", self.0.content.lock().entries.len())
    }
}
