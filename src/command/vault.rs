//! The vault that a command works with, and the secret that opens it.

use std::{
    env, fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use clap::Args;
use ockam::{Error, Result, Secret, Vault};

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
    #[arg(long, value_name = "FILE", global = true)]
    key_file: Option<PathBuf>,
}

impl VaultArguments {
    /// Whether any of them was given.
    pub(crate) fn are_given(&self) -> bool {
        self.vault.is_some() || self.key_file.is_some()
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
        if !path.exists() {
            return Err(Error::Usage(format!(
                "there is no vault at {}: create one with \"ockam identity create NAME\", \
                 or give --vault PATH",
                path.display()
            )));
        }
        let secret = self.secret(&path, Asking::Once)?;
        Ok(Vault::open(path, &secret)?)
    }

    /// Opens the vault, or creates a new one.
    ///
    /// # Errors
    /// If it does not open, or cannot be created; the error names the file and what to do.
    pub(crate) fn open_or_create(&self) -> Result<Vault> {
        let path = self.path()?;
        if path.exists() {
            return self.open();
        }
        if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
            create_private(directory)?;
        }
        let secret = self.secret(&path, Asking::Twice)?;
        Ok(Vault::open(path, &secret)?)
    }

    fn secret(&self, vault: &Path, asking: Asking) -> Result<Secret> {
        if let Some(path) = &self.key_file {
            return Ok(Secret::key_file(path));
        }
        match env::var(PASSPHRASE) {
            Ok(text) => Ok(Secret::passphrase(text)),
            Err(env::VarError::NotUnicode(_)) => {
                Err(Error::Usage(format!("{PASSPHRASE} is not UTF-8 text")))
            }
            Err(env::VarError::NotPresent) => ask(vault, asking).map(Secret::passphrase),
        }
    }
}

/// How often a person types a passphrase: twice for a new vault, because a slip would lock it for
/// ever.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asking {
    Once,
    Twice,
}

fn ask(vault: &Path, asking: Asking) -> Result<String> {
    if !io::stdin().is_terminal() {
        return Err(Error::Usage(format!(
            "no passphrase for the vault {}: set {PASSPHRASE}, give --key-file FILE, \
             or run this in a terminal",
            vault.display()
        )));
    }
    let prompt = |text: String| {
        let typed = rpassword::prompt_password(text);
        typed.map_err(|source| Error::transport("cannot read a passphrase", source))
    };
    if asking == Asking::Once {
        return prompt(format!("Passphrase of {}: ", vault.display()));
    }
    let first = prompt(format!("Passphrase for the new vault {}: ", vault.display()))?;
    if first != prompt("The same passphrase again: ".into())? {
        return Err(Error::Usage("the two passphrases differ; nothing was created".into()));
    }
    Ok(first)
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
