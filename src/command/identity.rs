//! `ockam identity`: the identities in a vault.

use std::{fs, path::PathBuf};

use clap::{Args, Subcommand};
use ockam::{Error, Identity, Result, Vault};

use crate::command::{known, output::say, vault::VaultArguments};

/// Create, show and rotate the identities in a vault.
///
/// A vault is a file that a passphrase or a key file opens. A node that is started with --identity
/// NAME has the same identity after a restart.
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
    /// Create an identity, and the vault if there is none, and print the identifier.
    Create {
        /// Name of the new identity in this vault.
        name: String,
    },
    /// Print the identifier and the name of each identity.
    List,
    /// Print an identity's identifier, number of keys and public part.
    Show {
        /// Name of the identity.
        name: String,
    },
    /// Print the public part of an identity, in hexadecimal digits.
    ExportPublic {
        /// Name of the identity.
        name: String,

        /// Write it to this file instead of the terminal.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Replace the keys of an identity; the identifier stays, and so does the trust of its peers.
    ///
    /// Programs that run with the identity go on with the old keys until they are restarted. Once a
    /// peer has met the new keys, it refuses the old ones. The forwarding address of an outlet
    /// changes with the keys.
    Rotate {
        /// Name of the identity.
        name: String,
    },
    /// Renew the secrets of an identity's forwarding addresses: those given out before are useless.
    ///
    /// Programs that run with the identity go on with the old secrets until they are restarted.
    RenewAddresses {
        /// Name of the identity.
        name: String,
    },
    Known(known::Arguments),
}

/// Carries out the command. There is no node, so the slow opening of the vault holds nothing up.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let vault = match &arguments.action {
        // It is a file of its own, and nothing in it is secret.
        Action::Known(known) => return known::run(known, &arguments.vault),
        Action::Create { .. } => arguments.vault.open_or_create()?,
        _ => arguments.vault.open()?,
    };
    match &arguments.action {
        Action::Create { name } => say!("{}", vault.create_identity(name)?),
        Action::List => {
            for (name, identifier) in vault.names() {
                say!("{identifier}  {name}");
            }
        }
        Action::Show { name } => {
            let identity = arguments.identity(&vault, name)?;
            say!("identifier  {}", identity.identifier());
            say!("keys        {}", identity.key_count());
            say!("public      {}", hexadecimal(&identity));
        }
        Action::ExportPublic { name, out: None } => {
            say!("{}", hexadecimal(&arguments.identity(&vault, name)?));
        }
        Action::ExportPublic { name, out: Some(path) } => {
            let text = hexadecimal(&arguments.identity(&vault, name)?) + "\n";
            fs::write(path, text).map_err(|source| {
                Error::transport(format!("cannot write {}", path.display()), source)
            })?;
        }
        Action::RenewAddresses { name } => {
            let identifier = arguments.identity(&vault, name)?.identifier();
            vault.renew_address_secrets(&identifier)?;
            say!("{identifier} now has other forwarding addresses");
        }
        Action::Rotate { name } => {
            let identifier = arguments.identity(&vault, name)?.identifier();
            let identity = vault.rotate(&identifier)?;
            say!("{identifier} now has key {}", identity.key_count());
        }
        Action::Known(_) => {}
    }
    Ok(())
}

impl Arguments {
    fn identity(&self, vault: &Vault, name: &str) -> Result<Identity> {
        let identifier = find(vault, &self.vault, name)?;
        Ok(vault.identity(&identifier)?)
    }
}

/// The identifier of a name in the vault.
///
/// # Errors
/// If the vault has no such name; the error says what to do.
pub(crate) fn find(
    vault: &Vault,
    arguments: &VaultArguments,
    name: &str,
) -> Result<ockam::Identifier> {
    vault.find(name).map_err(|error| {
        let path = arguments.path().unwrap_or_default();
        Error::Usage(format!(
            "{}: {error}; \"ockam identity list\" prints those that exist, \
             \"ockam identity create {name}\" creates it",
            path.display()
        ))
    })
}

fn hexadecimal(identity: &Identity) -> String {
    identity.encode().iter().map(|byte| format!("{byte:02x}")).collect()
}
