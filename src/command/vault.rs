//! The vault that a command works with, and the secret that opens it.

use std::{
    env,
    fs::{self, File},
    io::{self, IsTerminal, Read},
    os::fd::AsFd,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use clap::Args;
use ockam::{Error, Result, Secret, Vault};

/// The variable that names the vault.
const VAULT: &str = "OCKAM_VAULT";

/// The variable that holds the passphrase.
const PASSPHRASE: &str = "OCKAM_PASSPHRASE";

/// Bytes of the longest passphrase that is read from a descriptor, with the end of its line.
const MAX_LINE: usize = 4096;

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
        if !path.exists() {
            return Err(Error::Usage(format!(
                "there is no vault at {}: create one with \"ockam identity create NAME\", \
                 or give --vault PATH",
                path.display()
            )));
        }
        let secret = self.secret(&path, Asking::Once)?;
        let opened = Vault::open(&path, &secret);
        if opened.is_err() {
            // A slip: who types it is asked again next time.
            let typed = Source::Person(path);
            KNOWN
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .retain(|(source, _)| *source != typed);
        }
        Ok(opened?)
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

    /// Whether the passphrase, if it has to be asked for, can be.
    pub(crate) fn can_ask(&self) -> bool {
        self.key_file.is_some()
            || self.passphrase_fd.is_some()
            || env::var_os(PASSPHRASE).is_some()
            || io::stdin().is_terminal()
    }

    fn secret(&self, vault: &Path, asking: Asking) -> Result<Secret> {
        if let Some(path) = &self.key_file {
            return Ok(Secret::key_file(path));
        }
        if let Some(descriptor) = self.passphrase_fd {
            return once(Source::Descriptor(descriptor), || from_descriptor(descriptor));
        }
        match env::var(PASSPHRASE) {
            Ok(text) => Ok(Secret::passphrase(text)),
            Err(env::VarError::NotUnicode(_)) => {
                Err(Error::Usage(format!("{PASSPHRASE} is not UTF-8 text")))
            }
            Err(env::VarError::NotPresent) => {
                once(Source::Person(vault.to_owned()), || ask(vault, asking))
            }
        }
    }
}

/// Where a passphrase comes from.
#[derive(PartialEq, Eq)]
enum Source {
    Descriptor(u16),
    /// Whoever opens this vault.
    Person(PathBuf),
}

/// The passphrases that this process has: several nodes of it may open one vault, but a descriptor
/// is read to its end the first time, and a person is asked once.
static KNOWN: Mutex<Vec<(Source, Secret)>> = Mutex::new(Vec::new());

fn once(source: Source, get: impl FnOnce() -> Result<String>) -> Result<Secret> {
    // Those who come meanwhile wait for the answer.
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, secret)) = known.iter().find(|(other, _)| *other == source) {
        return Ok(secret.clone());
    }
    let secret = Secret::passphrase(get()?);
    known.push((source, secret.clone()));
    Ok(secret)
}

/// How often a person types a passphrase: twice for a new vault, because a slip would lock it for
/// ever.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asking {
    Once,
    Twice,
}

/// Asks whoever sits at the terminal for the passphrase of `vault`.
///
/// # Errors
/// If there is no terminal, or the two passphrases for a new vault differ.
pub(crate) fn ask(vault: &Path, asking: Asking) -> Result<String> {
    if !io::stdin().is_terminal() {
        return Err(Error::Usage(format!(
            "no passphrase for the vault {}: set {PASSPHRASE}, give --passphrase-fd N or \
             --key-file FILE, or run this in a terminal",
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

/// The first line of what a descriptor that this program was started with leads to.
fn from_descriptor(descriptor: u16) -> Result<String> {
    let failed = |source| {
        let what = format!("cannot read a passphrase from descriptor {descriptor}");
        Error::transport(what, source)
    };
    let file = match descriptor {
        // Not every kind of standard input can be opened again.
        0 => io::stdin().as_fd().try_clone_to_owned().map(File::from),
        _ => File::open(format!("/dev/fd/{descriptor}")),
    };
    file.and_then(first_line).map_err(failed)
}

/// Reads no further than the first line, and leaves no copy of it behind.
fn first_line(mut from: File) -> io::Result<String> {
    let mut line = Vec::with_capacity(MAX_LINE);
    let mut byte = [0];
    while from.read(&mut byte)? > 0 && byte != *b"\n" {
        if line.len() == MAX_LINE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the line is too long"));
        }
        line.extend(byte);
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    let not_text = |_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text");
    String::from_utf8(line).map_err(not_text)
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
