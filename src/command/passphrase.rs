//! The passphrases of files: typed by a person, or read from a descriptor.

use std::{
    fs::File,
    io::{self, IsTerminal, Read},
    os::fd::AsFd,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use ockam::{Error, Result, Secret, Vault, VaultError, VaultFileError};

/// Bytes of the longest passphrase that is read from a descriptor, with the end of its line.
const MAX_LINE: usize = 4096;

/// How often a person may try to type the passphrase of a file.
const TRIES: usize = 3;

/// A file that a passphrase opens, as whoever has to type it is told.
#[derive(Clone, Copy)]
pub(crate) struct Sealed<'a> {
    /// What it is: a vault, or a file.
    pub(crate) kind: &'static str,
    pub(crate) path: &'a Path,
    /// What gives the passphrase without a terminal, and instead of it.
    pub(crate) instead: &'static str,
}

/// Where a passphrase comes from.
#[derive(PartialEq, Eq)]
enum Source {
    Descriptor(u16),
    /// Whoever opens this file.
    Person(PathBuf),
}

/// The passphrases that this process has: several nodes of it may open one vault, but a descriptor
/// is read to its end the first time, and a person is asked once.
static KNOWN: Mutex<Known> = Mutex::new(Known(Vec::new()));

struct Known(Vec<(Source, Secret)>);

impl Known {
    fn get(&self, source: &Source) -> Option<Secret> {
        let found = self.0.iter().find(|(other, _)| other == source);
        found.map(|(_, secret)| secret.clone())
    }

    /// Opens a file with the passphrase that is known, or that `typed` gives, which is asked again
    /// after a slip.
    fn open(
        &mut self,
        file: Sealed<'_>,
        mut typed: impl FnMut() -> Result<String>,
    ) -> Result<Vault> {
        let source = Source::Person(file.path.to_owned());
        if let Some(secret) = self.get(&source) {
            match Vault::open(file.path, &secret) {
                Err(error) if is_wrong(&error) => self.0.retain(|(other, _)| *other != source),
                opened => return Ok(opened?),
            }
            let path = file.path.display();
            eprintln!("the passphrase of {path} that was typed before does not open it any more");
        }
        let mut tries = 1;
        loop {
            let secret = Secret::passphrase(typed()?);
            match Vault::open(file.path, &secret) {
                Ok(vault) => {
                    self.0.push((source, secret));
                    return Ok(vault);
                }
                Err(error) if is_wrong(&error) && tries < TRIES => {
                    eprintln!("that passphrase does not open it; try again");
                    tries += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Whether another passphrase may open the file.
fn is_wrong(error: &VaultError) -> bool {
    matches!(error, VaultError::File(VaultFileError::WrongSecretOrDamaged { .. }))
}

/// Opens a file that exists with a passphrase that is typed.
///
/// # Errors
/// If there is no terminal, or the file does not open.
pub(crate) fn open_typed(file: Sealed<'_>) -> Result<Vault> {
    // Those who come meanwhile wait for the answer.
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.open(file, || {
        file.expect_terminal()?;
        prompt(format!("Passphrase of {}: ", file.path.display()))
    })
}

/// Has a person choose the passphrase of a new file, and type it twice, because a slip would lock
/// it for ever.
///
/// # Errors
/// If there is no terminal, or the two differ.
pub(crate) fn choose(file: Sealed<'_>) -> Result<Secret> {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let source = Source::Person(file.path.to_owned());
    if let Some(secret) = known.get(&source) {
        return Ok(secret);
    }
    file.expect_terminal()?;
    let first = prompt(format!("Passphrase for the new {} {}: ", file.kind, file.path.display()))?;
    if first != prompt("The same passphrase again: ".into())? {
        return Err(Error::Usage("the two passphrases differ; nothing was created".into()));
    }
    let secret = Secret::passphrase(first);
    known.0.push((source, secret.clone()));
    Ok(secret)
}

/// The first line of what a descriptor that this program was started with leads to.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn from_descriptor(descriptor: u16) -> Result<Secret> {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let source = Source::Descriptor(descriptor);
    if let Some(secret) = known.get(&source) {
        return Ok(secret);
    }
    let file = match descriptor {
        // Not every kind of standard input can be opened again.
        0 => io::stdin().as_fd().try_clone_to_owned().map(File::from),
        _ => File::open(format!("/dev/fd/{descriptor}")),
    };
    let line = file.and_then(first_line).map_err(|source| {
        let what = format!("cannot read a passphrase from descriptor {descriptor}");
        Error::transport(what, source)
    })?;
    let secret = Secret::passphrase(line);
    known.0.push((source, secret.clone()));
    Ok(secret)
}

impl Sealed<'_> {
    fn expect_terminal(&self) -> Result<()> {
        let Self { kind, path, instead } = self;
        if io::stdin().is_terminal() {
            return Ok(());
        }
        Err(Error::Usage(format!(
            "no passphrase for the {kind} {}: {instead}, or run this in a terminal",
            path.display()
        )))
    }
}

fn prompt(text: String) -> Result<String> {
    let typed = rpassword::prompt_password(text);
    typed.map_err(|source| Error::transport("cannot read a passphrase", source))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistyped_passphrases_are_asked_for_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vault");
        Vault::open(&path, &Secret::passphrase("right")).unwrap();
        let file = Sealed { kind: "vault", path: &path, instead: "" };
        let mut known = Known(Vec::new());
        let mut typed = ["wrong", "right", "more"].into_iter();
        known.open(file, || Ok(typed.next().unwrap().into())).unwrap();
        assert_eq!(typed.next(), Some("more"), "it is not asked for once it has opened");
        known.open(file, || panic!("it is known")).unwrap();
        let (mut known, mut asked) = (Known(Vec::new()), 0);
        let wrong = || {
            asked += 1;
            Ok("wrong".into())
        };
        let error = known.open(file, wrong).unwrap_err().to_string();
        assert!(error.contains("the passphrase is wrong"), "{error}");
        assert_eq!(asked, TRIES);
    }
    #[test]
    fn a_changed_passphrase_is_asked_for_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vault");
        let file = Sealed { kind: "vault", path: &path, instead: "" };
        let mut known = Known(Vec::new());
        for passphrase in ["first", "second"] {
            Vault::open(&path, &Secret::passphrase(passphrase)).unwrap();
            known.open(file, || Ok(passphrase.into())).unwrap();
            known.open(file, || panic!("it is known")).unwrap();
            std::fs::remove_file(&path).unwrap();
        }
        assert_eq!(known.0.len(), 1);
    }
}
