//! The identity of a command's node, and the identities that it trusts.

use std::{
    path::PathBuf,
    str::FromStr,
    sync::{Arc, OnceLock},
};

use clap::Args;
use ockam::{
    access, is_peer_name, Context, Entity, Error, Identifier, Invitations, Origin, PeerNames,
    Result, Route, SecureChannelOptions, TrustEveryonePolicy, TrustFile, TrustIdentifierPolicy,
    TrustList, TrustMultiIdentifiersPolicy, TrustPolicy, Vault,
};

use crate::command::{doubts::Doubts, identity, output::say, vault::VaultArguments};

/// The options of every command that has secure channels.
#[derive(Args, Clone)]
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

    /// The file, once the node has an identity that follows it.
    #[arg(skip)]
    followed: Arc<OnceLock<TrustFile>>,
}

/// An identity that is trusted, and the name that it has here.
#[derive(Clone, Debug, PartialEq, Eq)]
struct TrustedPeer {
    name: Option<String>,
    identifier: Identifier,
}

impl FromStr for TrustedPeer {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (name, identifier) = match text.split_once('=') {
            Some((name, identifier)) => (Some(name), identifier),
            None => (None, text),
        };
        let identifier = identifier.trim().parse().map_err(|error| format!("{error}"))?;
        match name {
            Some(name) if !is_peer_name(name) => Err(format!("{name:?} cannot name a peer")),
            name => Ok(Self { name: name.map(str::to_owned), identifier }),
        }
    }
}

impl IdentityArguments {
    /// The identity that was asked for, or a new one that ends with the program; printed.
    ///
    /// # Errors
    /// If the vault does not open, or has no such identity.
    pub(crate) async fn entity(&self, ctx: &Context) -> Result<Entity> {
        let entity = self.unprinted(ctx).await?;
        say!("identity {}", entity.identifier());
        Ok(entity)
    }

    /// As [`entity`](Self::entity), not printed.
    pub(crate) async fn unprinted(&self, ctx: &Context) -> Result<Entity> {
        let entity = match &self.identity {
            Some(name) => self.named(ctx, name).await?,
            None if self.vault.are_given() => {
                let text = "a vault was given, but none of its identities: add --identity NAME";
                return Err(Error::Usage(text.into()));
            }
            None => Entity::create(ctx, &Vault::create(ctx)?)?,
        };
        self.name_peers(ctx)?;
        if let Some(path) = self.trust_file.clone() {
            // The disk is not waited for on an arbiter.
            let opening = actix_rt::task::spawn_blocking(move || TrustFile::open(path));
            let opened = opening.await.map_err(|error| Error::Bug(error.to_string()))?;
            let file = opened.map_err(|error| Error::Other(error.into()))?;
            entity.follow(&file);
            // Clones of these options share the first one.
            let _ = self.followed.set(file);
        }
        Ok(entity)
    }

    /// Has the log show the names on the command line.
    fn name_peers(&self, ctx: &Context) -> Result<()> {
        let mut list = TrustList::default();
        for TrustedPeer { name, identifier } in &self.trust {
            if let Some(name) = name {
                let inserted = list.insert(name, *identifier);
                inserted.map_err(|error| Error::Usage(format!("--trust: {error}")))?;
            }
        }
        PeerNames::of(ctx).replace("--trust", list);
        Ok(())
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
        let Some(path) = self.trust_file.as_ref().filter(|path| path.exists()) else {
            return Ok(());
        };
        let failed = |source| Error::transport(format!("cannot read {}", path.display()), source);
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let wrong = |error| Error::Usage(format!("{}: {error}", path.display()));
        TrustList::parse(&text).map(drop).map_err(wrong)
    }

    /// The identity of this name here, once there is an [`entity`](Self::entity).
    pub(crate) fn identifier_of(&self, name: &str) -> Option<Identifier> {
        let is_it = |peer: &&TrustedPeer| peer.name.as_deref() == Some(name);
        let on_line = self.trust.iter().find(is_it).map(|peer| peer.identifier);
        on_line.or_else(|| {
            let list = self.followed.get()?.list();
            let found = list.iter().find(|(_, listed)| *listed == name);
            found.map(|(identifier, _)| *identifier)
        })
    }

    /// Invitations to the node, once there is an [`entity`](Self::entity): they need an identity
    /// that lasts, and a trust file. Without them, nobody can be invited, and the log says why.
    pub(crate) async fn invitations(&self) -> Option<Invitations> {
        let file = self.followed.get().filter(|_| self.is_lasting())?.clone();
        // The disk is not waited for on an arbiter.
        let opening = actix_rt::task::spawn_blocking(move || Invitations::beside(&file));
        let opened = opening.await.ok()?;
        opened.map_err(|error| log::warn!("nobody can be invited: {error}")).ok()
    }

    /// Whether the node has the same identity after a restart.
    pub(crate) fn is_lasting(&self) -> bool {
        self.identity.is_some()
    }

    /// Whether everybody is trusted.
    pub(crate) fn is_open(&self) -> bool {
        self.trust.is_empty() && self.trust_file.is_none()
    }

    /// Refuses these options unless `used`; `where_used` says where they have an effect.
    ///
    /// # Errors
    /// If any of them was given where it would do nothing.
    pub(crate) fn check_use(&self, where_used: &str, used: bool) -> Result<()> {
        let none_given = self.identity.is_none() && self.is_open() && !self.vault.are_given();
        match used || none_given {
            true => Ok(()),
            false => Err(Error::Usage(format!(
                "--identity, --trust, --trust-file and the options of the vault are for secure channels: \
                 use them {where_used}"
            ))),
        }
    }

    /// The trust policy for the node's channels. A trust file counts once there is an
    /// [`entity`](Self::entity).
    pub(crate) fn policy(&self) -> Arc<dyn TrustPolicy> {
        let named = self.trust.iter().map(|peer| peer.identifier);
        let named: Option<Arc<dyn TrustPolicy>> = match self.trust[..] {
            [] => None,
            [TrustedPeer { identifier, .. }] => {
                Some(Arc::new(TrustIdentifierPolicy::new(identifier)))
            }
            _ => Some(Arc::new(TrustMultiIdentifiersPolicy::new(named))),
        };
        let in_file = self.followed.get().map(TrustFile::policy);
        match (named, in_file, &self.trust_file) {
            (Some(named), Some(in_file), _) => Arc::new(named.or(in_file)),
            (None, Some(in_file), _) => Arc::new(in_file),
            (Some(named), None, _) => named,
            (None, None, None) => Arc::new(TrustEveryonePolicy),
            // Nobody, as the file was not read.
            (None, None, Some(_)) => Arc::new(TrustMultiIdentifiersPolicy::new([])),
        }
    }

    /// A channel along `route`. Peers that were named may stand for each other.
    pub(crate) fn channel_to(&self, route: Route) -> SecureChannelOptions {
        SecureChannelOptions::to(route).any_trusted_peer()
    }

    /// The rule for workers that only the trusted peers of `own` reach; none where everybody is
    /// trusted.
    pub(crate) fn access_rule(
        &self,
        own: Identifier,
    ) -> Option<impl Fn(&Origin) -> bool + Send + Sync + 'static> {
        (!self.is_open()).then(|| access::by_policy(own, self.policy()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trusted_peers_may_have_a_name() {
        let id = Identifier::from_bytes([7; 32]);
        let named = TrustedPeer { name: Some("laptop".into()), identifier: id };
        assert_eq!(format!("laptop={id}").parse(), Ok(named));
        assert_eq!(id.to_string().parse(), Ok(TrustedPeer { name: None, identifier: id }));
        for wrong in [format!("={id}"), format!("a b={id}"), "laptop=I12".into(), "laptop".into()] {
            assert!(wrong.parse::<TrustedPeer>().is_err(), "{wrong}");
        }
    }
}
