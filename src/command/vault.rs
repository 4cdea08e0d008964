//! The vault that a command works with, and the secret that opens it.

use std::{
    env, fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use clap::Args;
use ockam::{Error, Result, Secret, Vault};

use crate::command::passphrase::{choose, from_descriptor, open_typed, Sealed};

/// The variable that names the vault.
const VAULT: &str = "OCKAM_VAULT";

/// The variable that holds the passphrase.
const PASSPHRASE: &str = "OCKAM_PASSPHRASE";

/// The options of every command that opens a vault.
#[derive(Args, Clone)]
pub(crate) struct VaultArguments {
    /// File that keeps the identities; by default $OCKAM_VAULT, or else ~/.ockam/vault.
    #[arg(long, value_name = "PATH", global = true)]
    vault: Option<PathBuf>,

    /// Open the vault with this key file instead of a passphrase ($OCKAM_PASSPHRASE, or asked for).
    ///
    /// It has 32 random bytes. `identity create` makes it together with a new vault.
    #[arg(long, value_name = "FILE", global = true)]
    key_file: Option<PathBuf>,

    /// Read the passphrase from this descriptor, up to the end of its first line; 0 is standard
    /// input. An argument or a variable would be visible to others.
    #[arg(long, value_name = "N", global = true, conflicts_with = "key_file")]
    passphrase_fd: Option<u16>,
}

impl VaultArguments {
    /// Whether any of them was given.
    pub(crate) fn are_given(&self) -> bool {
        self.vault.is_some() || self.key_file.is_some() || self.passphrase_fd.is_some()
    }

    /// The words of a command line that say the same.
    pub(crate) fn words(&self) -> Vec<String> {
        let shown = |path: &PathBuf| path.display().to_string();
        let descriptor = self.passphrase_fd.map(|descriptor| descriptor.to_string());
        let all = [
            ("--vault", self.vault.as_ref().map(shown)),
            ("--key-file", self.key_file.as_ref().map(shown)),
            ("--passphrase-fd", descriptor),
        ];
        let words = |(option, value): (&str, Option<String>)| Some([option.to_owned(), value?]);
        all.into_iter().filter_map(words).flatten().collect()
    }

    /// The vault's file.
    ///
    /// # Errors
    /// If there is no home directory to look in.
    pub(crate) fn path(&self) -> Result<PathBuf> {
        let named = self.vault.clone().or_else(|| env::var_os(VAULT).map(PathBuf::from));
        named.map_or_else(default_path, Ok)
    }

    /// Opens the vault, which must exist. With a passphrase this takes long, so never on an
    /// arbiter.
    ///
    /// # Errors
    /// If there is no vault, or it does not open; the error names the file and what to do.
    pub(crate) fn open(&self) -> Result<Vault> {
        let path = self.path()?;
        if !exists(&path)? {
            return Err(Error::Usage(format!(
                "there is no vault at {}: create one with \"ockam identity create NAME\", \
                 or give --vault PATH",
                path.display()
            )));
        }
        match self.given()? {
            Some(secret) => Ok(Vault::open(&path, &secret)?),
            None => open_typed(sealed(&path)),
        }
    }

    /// Opens the vault, or creates a new one.
    ///
    /// # Errors
    /// If it does not open, or cannot be created; the error names the file and what to do.
    pub(crate) fn open_or_create(&self) -> Result<Vault> {
        let path = self.path()?;
        if exists(&path)? {
            return self.open();
        }
        if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
            create_private(directory)?;
        }
        let secret = self.given()?.map_or_else(|| choose(sealed(&path)), Ok)?;
        Ok(Vault::open(path, &secret)?)
    }

    /// Whether the passphrase, if it has to be asked for, can be.
    pub(crate) fn can_ask(&self) -> bool {
        self.key_file.is_some()
            || self.passphrase_fd.is_some()
            || env::var_os(PASSPHRASE).is_some()
            || io::stdin().is_terminal()
    }

    /// What opens the vault, unless a person has to type it.
    fn given(&self) -> Result<Option<Secret>> {
        if let Some(path) = &self.key_file {
            return Ok(Some(Secret::key_file(path)));
        }
        if let Some(descriptor) = self.passphrase_fd {
            return from_descriptor(descriptor).map(Some);
        }
        match env::var(PASSPHRASE) {
            Ok(text) => Ok(Some(Secret::passphrase(text))),
            Err(env::VarError::NotUnicode(_)) => {
                Err(Error::Usage(format!("{PASSPHRASE} is not UTF-8 text")))
            }
            Err(env::VarError::NotPresent) => Ok(None),
        }
    }
}

fn sealed(path: &Path) -> Sealed<'_> {
    let instead = "set OCKAM_PASSPHRASE, give --passphrase-fd N or --key-file FILE";
    Sealed { kind: "vault", path, instead }
}

/// Whether there is a vault, as far as this user can see.
fn exists(path: &Path) -> Result<bool> {
    path.try_exists().map_err(|error| {
        Error::Usage(format!(
            "cannot look for the vault {}: {error}; run this as the user whose vault it is, or \
             give --vault PATH",
            path.display()
        ))
    })
}

fn default_path() -> Result<PathBuf> {
    let home = env::var_os("HOME").filter(|home| !home.is_empty()).ok_or_else(|| {
        Error::Usage(format!("HOME is not set: give --vault PATH, or set {VAULT}"))
    })?;
    Ok(PathBuf::from(home).join(".ockam").join("vault"))
}

/// Creates a directory that only its owner can enter.
fn create_private(directory: &Path) -> Result<()> {
    if directory.as_os_str().is_empty() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory).map_err(|source| {
        Error::transport(format!("cannot create the directory {}", directory.display()), source)
    })
}
