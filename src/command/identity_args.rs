//! The identity of a command's node, and the identities that it trusts.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use ockam::{Context, Entity, Error, Identifier, PeerNames, Result, TrustFile, TrustList, Vault};

use crate::command::{
    doubts::Doubts,
    identity,
    output::say,
    startable::KeptIdentity,
    trust::{find_in, Trust, TrustedPeer},
    vault::VaultArguments,
};

/// The options of every command that has secure channels.
#[derive(Args)]
#[command(next_help_heading = "Identity and trust")]
pub(crate) struct IdentityArguments {
    /// Use this identity of the vault, the same after a restart, instead of a new one each time.
    #[arg(long, value_name = "NAME")]
    identity: Option<String>,

    #[command(flatten)]
    vault: VaultArguments,

    /// Trust these identities and nobody else, each as ID or as NAME=ID, which gives it a name in
    /// the log; by default everybody is trusted.
    #[arg(long, value_name = "[NAME=]ID,...", value_delimiter = ',')]
    trust: Vec<TrustedPeer>,

    /// Trust the identities in this file, too: in each line a name and an identifier, # begins a
    /// comment.
    ///
    /// It is created if it is missing. A change counts within a second, and whoever is taken out
    /// loses the channels.
    #[arg(long, value_name = "FILE")]
    trust_file: Option<PathBuf>,
}

impl IdentityArguments {
    /// Checks the options: they contradict nothing, and do something where they are `used`, which
    /// is where `where_used` says.
    ///
    /// # Errors
    /// If any of them was given where it would do nothing, or two of them contradict each other.
    pub(crate) fn check_use(&self, where_used: &str, used: bool) -> Result<()> {
        let none_given = self.identity.is_none() && self.is_open() && !self.vault.are_given();
        if !used && !none_given {
            return Err(Error::Usage(format!(
                "--identity, --trust, --trust-file and the options of the vault are for secure \
                 channels: use them {where_used}"
            )));
        }
        if self.identity.is_none() && self.vault.are_given() {
            let text = "a vault was given, but none of its identities: add --identity NAME";
            return Err(Error::Usage(text.into()));
        }
        TrustedPeer::names(&self.trust).map(drop)
    }

    /// The identity that was asked for, or a new one that ends with the program; printed. And whom
    /// it trusts.
    ///
    /// # Errors
    /// If the vault does not open, or has no such identity; or the trust file cannot be used.
    pub(crate) async fn open(&self, ctx: &Context) -> Result<(Entity, Trust)> {
        let (entity, trust) = self.open_unprinted(ctx).await?;
        say!("identity {}", entity.identifier());
        Ok((entity, trust))
    }

    /// As [`open`](Self::open), not printed.
    pub(crate) async fn open_unprinted(&self, ctx: &Context) -> Result<(Entity, Trust)> {
        let entity = match &self.identity {
            Some(name) => self.named(ctx, name).await?,
            None => Entity::create(ctx, &Vault::create(ctx)?)?,
        };
        // The log shows the names on the command line.
        PeerNames::of(ctx).replace("--trust", TrustedPeer::names(&self.trust)?);
        let trust = self.trust_of(&entity).await?;
        Ok((entity, trust))
    }

    /// Whom an identity trusts that is open already.
    ///
    /// # Errors
    /// If the trust file cannot be used.
    pub(crate) async fn trust_of(&self, entity: &Entity) -> Result<Trust> {
        let mut trust = Trust { named: self.trust.clone(), file: None };
        if let Some(path) = self.trust_file.clone() {
            // The disk is not waited for on an arbiter.
            let opening = actix_rt::task::spawn_blocking(move || TrustFile::open(path));
            let opened = opening.await.map_err(|error| Error::Bug(error.to_string()))?;
            let file = opened.map_err(|error| Error::Other(error.into()))?;
            entity.follow(&file);
            trust.file = Some(file);
        }
        Ok(trust)
    }

    async fn named(&self, ctx: &Context, name: &str) -> Result<Entity> {
        let arguments = self.vault.clone();
        // A passphrase is slow on purpose, and a person typing one is slower.
        let opening = actix_rt::task::spawn_blocking(move || arguments.open());
        let vault = opening.await.map_err(|error| Error::Bug(error.to_string()))??;
        identity::find(&vault, &self.vault, name)?;
        Entity::open(ctx, &vault, name)
    }

    /// Opens the vault and reads the trust file, if they are given.
    ///
    /// # Errors
    /// If one cannot be used, or the vault has no such identity.
    pub(crate) fn probe(&self, doubts: &mut Doubts) -> Result<()> {
        match &self.identity {
            Some(_) if !self.vault.can_ask() && !doubts.is_reload => {
                let said = "the vault is not opened here, as nobody can type its passphrase";
                doubts.said.push(said.into());
            }
            Some(name) => drop(identity::find(&self.vault.open()?, &self.vault, name)?),
            None => {}
        }
        self.trust_file.as_ref().map_or(Ok(()), |path| doubts.folder_of(path))?;
        self.listed().map(drop)
    }

    /// Whom the trust file names now; nobody if there is none yet, or none was given.
    ///
    /// # Errors
    /// If it cannot be used.
    pub(crate) fn listed(&self) -> Result<Arc<TrustList>> {
        let Some(path) = self.trust_file.as_ref().filter(|path| path.exists()) else {
            return Ok(Arc::default());
        };
        let opened = TrustFile::open(path).map_err(|error| Error::Other(error.into()))?;
        Ok(opened.list())
    }

    /// The identity of this name in `--trust`, or on the list of the trust file.
    pub(crate) fn find(&self, name: &str, listed: &TrustList) -> Option<Identifier> {
        TrustedPeer::find(&self.trust, name).or_else(|| find_in(listed, name))
    }

    /// Whether the node has the same identity after a restart.
    pub(crate) fn is_lasting(&self) -> bool {
        self.identity.is_some()
    }

    /// The identity, if it is one that a vault keeps.
    pub(crate) fn kept(&self) -> Option<KeptIdentity<'_>> {
        let vault = self.vault.path().unwrap_or_default();
        self.identity.as_deref().map(|name| KeptIdentity { name, vault })
    }

    /// Whether everybody is trusted.
    pub(crate) fn is_open(&self) -> bool {
        self.trust.is_empty() && self.trust_file.is_none()
    }
}
