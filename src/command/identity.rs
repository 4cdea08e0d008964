//! `ockam identity`: the identities in a vault.

use std::{
    env, fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use ockam::{Error, Identifier, Identity, Result, Secret, Vault};
use serde_json::Value;

use crate::command::{
    known,
    output::{say, tell, with},
    passphrase::{choose, open_typed, Sealed},
    vault::VaultArguments,
};

/// Create, show, rotate, move and delete the identities in a vault.
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

    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,

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
    /// Delete an identity and its keys, which nothing brings back.
    Delete {
        /// Name of the identity.
        name: String,

        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Give an identity another name in this vault; nothing else of it changes.
    Rename {
        /// Its name.
        name: String,

        /// Its new name.
        new: String,
    },
    /// Write an identity with its keys to a file, encrypted, for "ockam identity import".
    ///
    /// The file is a vault with nothing else in it. Whoever can open it is this identity: delete it
    /// after the import. Replace the keys in one of the two vaults alone.
    Export {
        /// Name of the identity.
        name: String,

        /// The new file.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,

        #[command(flatten)]
        secret: MovingSecret,
    },
    /// Take over an identity from a file that "ockam identity export" has written.
    Import {
        /// The file.
        file: PathBuf,

        /// Its name in this vault; by default the one that it had.
        #[arg(long, value_name = "NAME")]
        name: Option<String>,

        #[command(flatten)]
        secret: MovingSecret,
    },
    Known(known::Arguments),
}

/// What opens the file in which an identity moves.
#[derive(Args)]
struct MovingSecret {
    /// Key file of the file that moves, instead of a passphrase ($OCKAM_EXPORT_PASSPHRASE, or asked
    /// for). The export makes it if it is missing.
    #[arg(long, value_name = "FILE")]
    file_key: Option<PathBuf>,
}

impl MovingSecret {
    /// The new file of an export.
    fn create(&self, file: &Path) -> Result<Vault> {
        let secret = self.given().map_or_else(|| choose(sealed(file)), Ok)?;
        Ok(Vault::open(file, &secret)?)
    }

    /// The file of an import.
    fn open(&self, file: &Path) -> Result<Vault> {
        if !file.exists() {
            return Err(Error::Usage(format!("there is no {}", file.display())));
        }
        match self.given() {
            Some(secret) => Ok(Vault::open(file, &secret)?),
            None => open_typed(sealed(file)),
        }
    }

    /// What opens the file, unless a person has to type it.
    fn given(&self) -> Option<Secret> {
        match &self.file_key {
            Some(path) => Some(Secret::key_file(path)),
            None => env::var("OCKAM_EXPORT_PASSPHRASE").ok().map(Secret::passphrase),
        }
    }
}

fn sealed(path: &Path) -> Sealed<'_> {
    let instead = "set OCKAM_EXPORT_PASSPHRASE, give --file-key FILE";
    Sealed { kind: "file", path, instead }
}

/// Carries out the command. There is no node, so the slow opening of the vault holds nothing up.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let vault = match &arguments.action {
        // It is a file of its own, and nothing in it is secret.
        Action::Known(known) => return known::run(known, &arguments.vault, arguments.json),
        // No vault is made for an import that fails.
        Action::Import { file, name, secret } => {
            return arguments.import(&secret.open(file)?, file, name.as_deref());
        }
        Action::Create { .. } => arguments.vault.open_or_create()?,
        _ => arguments.vault.open()?,
    };
    match &arguments.action {
        Action::Create { name } => {
            let identifier = vault.create_identity(name)?;
            tell(arguments.json, identifier, named(name, &identifier));
        }
        Action::List if arguments.json => {
            let all = vault.names();
            let all = all.iter().map(|(name, identifier)| named(name, identifier));
            say!("{:#}", Value::from_iter(all));
        }
        Action::List => {
            for (name, identifier) in vault.names() {
                say!("{identifier}  {name}");
            }
        }
        Action::Show { name } => {
            let identity = arguments.identity(&vault, name)?;
            let (identifier, keys) = (identity.identifier(), identity.key_count());
            let public = hexadecimal(&identity);
            let text =
                format!("identifier  {identifier}\nkeys        {keys}\npublic      {public}");
            tell(
                arguments.json,
                text,
                with(&identifier, &[("keys", keys.into()), ("public", public.into())]),
            );
        }
        Action::ExportPublic { name, out: None } => {
            let identity = arguments.identity(&vault, name)?;
            let public = hexadecimal(&identity);
            tell(
                arguments.json,
                &public,
                with(&identity.identifier(), &[("public", public.clone().into())]),
            );
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
            let text = format!("{identifier} now has other forwarding addresses");
            tell(arguments.json, text, named(name, &identifier));
        }
        Action::Rotate { name } => {
            let identifier = arguments.identity(&vault, name)?.identifier();
            let identity = vault.rotate(&identifier)?;
            let keys = identity.key_count();
            let text = format!("{identifier} now has key {keys}");
            tell(arguments.json, text, with(&identifier, &[("keys", keys.into())]));
        }
        Action::Delete { name, yes } => {
            let identifier = arguments.identity(&vault, name)?.identifier();
            confirm(*yes, &format!("delete {name}, {identifier}, for ever"))?;
            vault.remove(&identifier)?;
            tell(arguments.json, format!("{identifier} is deleted"), named(name, &identifier));
        }
        Action::Rename { name, new } => {
            let identifier = arguments.identity(&vault, name)?.identifier();
            vault.rename(name, new)?;
            tell(arguments.json, format!("{identifier} is {new} now"), named(new, &identifier));
        }
        Action::Export { name, out, secret } => {
            let identifier = arguments.identity(&vault, name)?.identifier();
            if out.exists() {
                return Err(Error::Usage(format!("{} exists: name a new file", out.display())));
            }
            let moving = secret.create(out)?;
            moving.import(&vault, name, name)?;
            let path = out.display().to_string();
            let text = format!("{identifier} is in {path}: delete that after the import");
            tell(arguments.json, text, with(&identifier, &[("file", path.into())]));
        }
        Action::Import { .. } | Action::Known(_) => {}
    }
    Ok(())
}

impl Arguments {
    fn identity(&self, vault: &Vault, name: &str) -> Result<Identity> {
        let identifier = find(vault, &self.vault, name)?;
        Ok(vault.identity(&identifier)?)
    }

    /// Takes over the identity of an export.
    fn import(&self, moving: &Vault, file: &Path, name: Option<&str>) -> Result<()> {
        let held = moving.names();
        let [(old, _)] = &held[..] else {
            let path = file.display();
            let text = format!("{path} holds {} identities: give an export", held.len());
            return Err(Error::Usage(text));
        };
        let new = name.unwrap_or(old);
        let identifier = self.vault.open_or_create()?.import(moving, old, new)?;
        tell(self.json, format!("{identifier}  {new}"), named(new, &identifier));
        Ok(())
    }
}

fn named(name: &str, identifier: &Identifier) -> Value {
    with(identifier, &[("name", name.into())])
}

/// The identifier of a name in the vault.
///
/// # Errors
/// If the vault has no such name; the error says what to do.
pub(crate) fn find(vault: &Vault, arguments: &VaultArguments, name: &str) -> Result<Identifier> {
    vault.find(name).map_err(|error| {
        let path = arguments.path().unwrap_or_default();
        Error::Usage(format!(
            "{}: {error}; \"ockam identity list\" prints those that exist, \
             \"ockam identity create {name}\" creates it",
            path.display()
        ))
    })
}

/// Has a person agree to what cannot be undone, unless that was said before.
fn confirm(said: bool, what: &str) -> Result<()> {
    if said {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Error::Usage(format!("to {what}, add --yes")));
    }
    let mut answer = String::new();
    say!("Really {what}? Type yes:");
    let read = io::stdin().read_line(&mut answer);
    read.map_err(|source| Error::transport("cannot read the answer", source))?;
    match answer.trim() {
        "yes" => Ok(()),
        _ => Err(Error::Usage("nothing was deleted".into())),
    }
}

fn hexadecimal(identity: &Identity) -> String {
    identity.encode().iter().map(|byte| format!("{byte:02x}")).collect()
}
