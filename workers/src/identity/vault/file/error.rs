//! What can go wrong with a vault file. Every text names the file and says what to do.

use std::{io, path::PathBuf};

use thiserror::Error;

/// Why a vault file was not opened or not written.
#[derive(Debug, Error)]
pub enum VaultFileError {
    /// The directory is missing or cannot be entered.
    #[error(
        "cannot reach the directory of {}: {source}; {}",
        path.display(),
        remedy(source, "create the directory first")
    )]
    NoDirectory {
        /// The vault.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is there and cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    NotRead {
        /// The vault or the key file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file was not written; the old one, if any, is unchanged.
    #[error("cannot write {}: {source}; what was there before is unchanged", path.display())]
    NotWritten {
        /// The vault or the key file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The new file is in place, but its directory entry may not survive a power failure.
    #[error(
        "wrote {} but could not sync its directory: {source}; the change is made, but a power \
         failure may still undo it",
        path.display()
    )]
    NotSynced {
        /// The vault.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The lock, which writers hold in turn, cannot be used.
    #[error(
        "cannot lock {} by {}: {source}; {}",
        path.display(),
        lock.display(),
        remedy(source, "remove that if it is not an empty file of yours")
    )]
    NotLocked {
        /// The vault, or a file beside it.
        path: PathBuf,
        /// The lock file beside it.
        lock: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another program has held the lock for longer than any write takes.
    #[error(
        "cannot write {}: another program has held {} for {seconds} s; find it with \
         \"lsof {}\", end it, and try again",
        path.display(),
        lock.display(),
        lock.display()
    )]
    LockHeld {
        /// The vault, or a file beside it.
        path: PathBuf,
        /// The lock file beside it.
        lock: PathBuf,
        /// How long it was waited for.
        seconds: u64,
    },
    /// It is a directory, a pipe or a device.
    #[error("{} is not a regular file; check the path", path.display())]
    NotAFile {
        /// What was given as the vault or the key file.
        path: PathBuf,
    },
    /// Somebody else owns the file, or a directory that it is in, and so can replace it.
    #[error(
        "{} belongs to another user (uid {owner}), who can replace what is kept there; use a path \
         of your own, or change its owner with chown",
        path.display()
    )]
    ForeignOwner {
        /// The vault, the key file, the lock beside it, or a directory above them.
        path: PathBuf,
        /// The user's number.
        owner: u32,
    },
    /// Others can write the file, or a directory that it is in, and so can replace it.
    #[error(
        "others can replace what is kept in {} (mode {mode:03o}); run: chmod go-w {}",
        path.display(),
        path.display()
    )]
    LooseDirectory {
        /// The directory, or a file that others may read.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Users other than the owner have rights on the file.
    #[error(
        "others can access {} (mode {mode:03o}); run: chmod 600 {}",
        path.display(),
        path.display()
    )]
    LoosePermissions {
        /// The vault or the key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The first bytes are not those of a vault.
    #[error("{} is not a vault file; check the path", path.display())]
    NotAVault {
        /// The file.
        path: PathBuf,
    },
    /// Written by a newer program.
    #[error(
        "{} is a vault of version {version}, and this program knows version 1; use a newer program",
        path.display()
    )]
    Version {
        /// The vault.
        path: PathBuf,
        /// Its version.
        version: u8,
    },
    /// The file is damaged in a way that no passphrase explains.
    #[error("{} is damaged: {what}; restore it from a backup", path.display())]
    Damaged {
        /// The vault.
        path: PathBuf,
        /// What was noticed.
        what: &'static str,
    },
    /// The content does not decrypt. Encryption cannot tell the two causes apart.
    #[error(
        "{} does not open: the {secret} is wrong, or the file is damaged; check the {secret}, then \
         restore the file from a backup",
        path.display()
    )]
    WrongSecretOrDamaged {
        /// The vault.
        path: PathBuf,
        /// What it was made with: a passphrase or a key file.
        secret: &'static str,
    },
    /// The vault was made with the other kind of secret.
    #[error("{} was made with a {wanted}; give that to open it", path.display())]
    OtherSecretKind {
        /// The vault.
        path: PathBuf,
        /// What it was made with.
        wanted: &'static str,
    },
    /// The key file is missing although its vault exists.
    #[error(
        "the key file {} of the vault {} is missing; restore it: without it the vault \
         cannot be opened",
        path.display(),
        vault.display()
    )]
    NoKeyFile {
        /// The key file.
        path: PathBuf,
        /// The vault.
        vault: PathBuf,
    },
    /// The key file does not have its 32 bytes.
    #[error(
        "{} is not a key file: that has exactly 32 random bytes, and is made with the vault by \
         \"ockam identity create\" when both are missing",
        path.display()
    )]
    BadKeyFile {
        /// The key file.
        path: PathBuf,
    },
    /// An empty passphrase.
    #[error("the passphrase for {} is empty; choose one", path.display())]
    EmptyPassphrase {
        /// The vault.
        path: PathBuf,
    },
    /// The file was removed since it was read here, or another vault was put in its place.
    #[error(
        "{} was removed, or replaced by another vault, since it was opened; open it again and \
         repeat the change",
        path.display()
    )]
    Replaced {
        /// The vault.
        path: PathBuf,
    },
    /// The file is older than what was read or written here before.
    #[error(
        "{} was replaced by an older copy: it has generation {found}, and {known} was there \
         before; restore the newest copy, or start this program again to go on from the older one",
        path.display()
    )]
    RolledBack {
        /// The vault.
        path: PathBuf,
        /// The generation that is there now.
        found: u32,
        /// The newest generation that was read or written here.
        known: u32,
    },
    /// It decrypts but does not hold a vault: a fault of the program that wrote it.
    #[error(
        "{} opens but its content makes no sense; please report this, and restore it from a backup",
        path.display()
    )]
    UnreadableContent {
        /// The vault.
        path: PathBuf,
    },
    /// The system has not enough memory for the key derivation.
    #[error("cannot derive the key of {}: {what}", path.display())]
    KeyDerivation {
        /// The vault.
        path: PathBuf,
        /// What was missing.
        what: String,
    },
    /// The system gave no randomness.
    #[error("the system gave no randomness for the vault file")]
    NoRandomness,
}

/// What helps against `source`: `otherwise`, unless the system does not let this user.
fn remedy(source: &io::Error, otherwise: &'static str) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied => {
            "run this as the user whose directory it is, or use one of your own"
        }
        _ => otherwise,
    }
}
