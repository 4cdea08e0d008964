//! `ockam identity`: the identities in a vault.

use std::{fs, path::PathBuf};

use clap::{Args, Subcommand};
use ockam::{Error, Identity, Result, Vault};

use crate::command::vault::VaultArguments;

/// Creates, shows and rotates the identities in a vault.
///
/// A vault is a file that a passphrase or a key file opens. A node started with --identity NAME is the same one after a restart.
#[derive(Args)]
#[command(after_help = "Examples:
  ockam identity create web
  ockam outlet --to 127.0.0.1:5000 --via hub.example.org:4000 --identity web")]
pub(crate) struct Arguments {
    #[command(flatten)]
    vault: VaultArguments,

    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Makes a new identity, and the vault if there is none, and prints the identifier.
    Create {
        /// What it is called in this vault.
        name: String,
    },
    /// Prints each identity's name and identifier.
    List,
    /// Prints an identity's identifier, number of keys, and public part.
    Show {
        /// Which one.
        name: String,
    },
    /// Writes the public part of an identity, in hexadecimal digits.
    ExportPublic {
        /// Which one.
        name: String,

        /// Into this file instead of the terminal.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Replaces the keys of an identity; the identifier stays, and so does the trust of its peers.
    ///
    /// Programs that run with it go on with the old keys until they are started again. Once a peer has met the new keys it refuses the old ones. The
    /// forwarding address of an outlet changes with the keys.
    Rotate {
        /// Which one.
        name: String,
    },
}

/// Does what was asked for. It needs no node, so the slow opening of the vault holds nothing up.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let vault = match arguments.action {
        Action::Create { .. } => arguments.vault.open_or_create()?,
        _ => arguments.vault.open()?,
    };
    match &arguments.action {
        Action::Create { name } => println!("{}", vault.create_identity(name)?),
        Action::List => {
            for (name, identifier) in vault.names() {
                println!("{identifier}  {name}");
            }
        }
        Action::Show { name } => {
            let identity = arguments.identity(&vault, name)?;
            println!("identifier  {}", identity.identifier());
            println!("keys        {}", identity.key_count());
            println!("public      {}", hexadecimal(&identity));
        }
        Action::ExportPublic { name, out: None } => {
            println!("{}", hexadecimal(&arguments.identity(&vault, name)?));
        }
        Action::ExportPublic { name, out: Some(path) } => {
            let text = hexadecimal(&arguments.identity(&vault, name)?) + "\n";
            fs::write(path, text).map_err(|source| {
                Error::transport(format!("cannot write {}", path.display()), source)
            })?;
        }
        Action::Rotate { name } => {
            let identifier = arguments.identity(&vault, name)?.identifier();
            let identity = vault.rotate(&identifier)?;
            println!("{identifier} has key {} now", identity.key_count());
        }
    }
    Ok(())
}

impl Arguments {
    fn identity(&self, vault: &Vault, name: &str) -> Result<Identity> {
        let identifier = find(vault, &self.vault, name)?;
        Ok(vault.identity(&identifier)?)
    }
}

/// The identifier behind a name, or what to do about it.
///
/// # Errors
/// If the vault has no such name.
pub(crate) fn find(
    vault: &Vault,
    arguments: &VaultArguments,
    name: &str,
) -> Result<ockam::Identifier> {
    vault.find(name).map_err(|error| {
        let path = arguments.path().unwrap_or_default();
        Error::Usage(format!(
            "{}: {error}; \"ockam identity list\" names those that there are, \"ockam identity create {name}\" makes it",
            path.display()
        ))
    })
}

fn hexadecimal(identity: &Identity) -> String {
    identity.encode().iter().map(|byte| format!("{byte:02x}")).collect()
}
