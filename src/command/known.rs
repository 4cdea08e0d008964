//! `ockam identity known`: what the programs of a vault or a hub know of the keys of others.

use std::{fs, path::PathBuf};

use clap::{Args, Subcommand};
use ockam::{Error, HistoryFile, Identifier, Identity, KnownHistory, Result, TrustList};
use serde_json::Value;

use crate::command::{
    output::{say, tell, with},
    vault::VaultArguments,
};

/// Show and decide which key histories of others are accepted.
///
/// A peer whose keys were replaced is refused with the old ones. A peer that has shown two
/// histories that exclude each other is refused with both, until one of them is accepted here:
/// ask its owner for the right one. Programs that use the file notice within seconds.
#[derive(Args)]
#[command(after_help = "Examples:
  ockam identity known --trust-file trusted
  ockam identity known --file /var/lib/ockam/known accept PUBLIC")]
pub(crate) struct Arguments {
    /// The file of a hub (its --known); by default the one beside the vault.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Show the names that this trust file has.
    #[arg(long, value_name = "FILE")]
    trust_file: Option<PathBuf>,

    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Print each known identity with its number of keys (the default).
    List,
    /// Accept this history and what continues it, and nothing else of that identity.
    Accept {
        /// The public part of the identity, as its owner's "ockam identity export-public" prints.
        public: String,
    },
    /// Forget an identity: the next history of it that is met counts.
    Forget {
        /// Its identifier.
        identifier: Identifier,
    },
}

/// Carries out the command.
pub(crate) fn run(arguments: &Arguments, vault: &VaultArguments, json: bool) -> Result<()> {
    let beside = || vault.path().map(|vault| HistoryFile::path_beside(&vault));
    let file = arguments.file.clone().map_or_else(beside, Ok)?;
    let failed = |error| Error::Other(Box::new(error));
    match arguments.action.as_ref().unwrap_or(&Action::List) {
        Action::List => {
            let names = arguments.names()?;
            let file = HistoryFile::open(&file).map_err(failed)?;
            if json {
                say!("{:#}", Value::from_iter(file.entries().map(|known| as_json(known, &names))));
                return Ok(());
            }
            for known in file.entries() {
                let name = names.name_of(&known.identifier());
                let name = name.map(|name| format!("  {name}")).unwrap_or_default();
                let (identifier, keys) = (known.identifier(), known.history().key_count());
                let standing = match known {
                    KnownHistory::Longest(_) => "",
                    KnownHistory::Accepted(_) => ", accepted here",
                    KnownHistory::Forked(..) => ", REFUSED: it has shown another history too",
                };
                say!("{identifier}  {keys} keys{standing}{name}");
            }
        }
        Action::Accept { public } => {
            let identity = identity_of(public)?;
            HistoryFile::accept(&file, &identity).map_err(failed)?;
            let (identifier, keys) = (identity.identifier(), identity.key_count());
            let text = format!("{identifier} is accepted with {keys} keys");
            tell(json, text, with(&identifier, &[("keys", keys.into())]));
        }
        Action::Forget { identifier } => {
            if !HistoryFile::forget(&file, identifier).map_err(failed)? {
                let file = file.display();
                return Err(Error::Usage(format!("{file} does not know {identifier}")));
            }
            tell(json, format!("{identifier} is forgotten"), with(identifier, &[]));
        }
    }
    Ok(())
}

impl Arguments {
    fn names(&self) -> Result<TrustList> {
        let Some(path) = &self.trust_file else { return Ok(TrustList::default()) };
        let failed = |source| Error::transport(format!("cannot read {}", path.display()), source);
        let text = fs::read_to_string(path).map_err(failed)?;
        let wrong = |error| Error::Usage(format!("{}, {error}", path.display()));
        TrustList::parse(&text).map_err(wrong)
    }
}

fn as_json(known: &KnownHistory, names: &TrustList) -> Value {
    let standing = match known {
        KnownHistory::Longest(_) => "longest",
        KnownHistory::Accepted(_) => "accepted",
        KnownHistory::Forked(..) => "refused",
    };
    let (identifier, keys) = (known.identifier(), known.history().key_count());
    let mut fields = vec![("keys", keys.into()), ("standing", standing.into())];
    fields.extend(names.name_of(&identifier).map(|name| ("name", name.into())));
    with(&identifier, &fields)
}

fn identity_of(public: &str) -> Result<Identity> {
    let wrong = |what: String| {
        Error::Usage(format!(
            "this is not the public part of an identity ({what}): copy the whole output of \
             \"ockam identity export-public NAME\""
        ))
    };
    let text = public.trim();
    let pairs: Vec<_> = text.as_bytes().chunks(2).collect();
    let byte = |pair: &&[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes = pairs.iter().map(byte).collect::<Option<Vec<_>>>();
    let bytes = bytes.filter(|_| text.len().is_multiple_of(2));
    let bytes = bytes.ok_or_else(|| wrong("it needs hexadecimal digits".into()))?;
    Identity::decode(&bytes).map_err(|error| wrong(error.to_string()))
}
