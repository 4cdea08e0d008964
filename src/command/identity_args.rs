//! The identity of a command's node, and the identities that it trusts.

use std::sync::Arc;

use clap::Args;
use ockam::{
    Context, Entity, Error, Identifier, Result, Route, SecureChannelOptions, TrustEveryonePolicy,
    TrustIdentifierPolicy, TrustMultiIdentifiersPolicy, TrustPolicy, Vault,
};

use crate::command::{identity, output::say, vault::VaultArguments};

/// The options of every command that has secure channels.
#[derive(Args, Clone)]
pub(crate) struct IdentityArguments {
    /// Use this identity of the vault, the same after a restart, instead of a new one each time.
    #[arg(long, value_name = "NAME")]
    identity: Option<String>,

    #[command(flatten)]
    vault: VaultArguments,

    /// Trust these identities and nobody else; by default everybody is trusted.
    #[arg(long, value_name = "ID,...", value_delimiter = ',')]
    trust: Vec<Identifier>,
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
        match &self.identity {
            Some(name) => self.named(ctx, name).await,
            None if self.vault.are_given() => {
                let text = "a vault was given, but none of its identities: add --identity NAME";
                Err(Error::Usage(text.into()))
            }
            None => Entity::create(ctx, &Vault::create(ctx)?),
        }
    }

    async fn named(&self, ctx: &Context, name: &str) -> Result<Entity> {
        let arguments = self.vault.clone();
        // A passphrase is slow on purpose, and a person typing one is slower.
        let opening = actix_rt::task::spawn_blocking(move || arguments.open());
        let vault = opening.await.map_err(|error| Error::Bug(error.to_string()))??;
        identity::find(&vault, &self.vault, name)?;
        Entity::open(ctx, &vault, name)
    }

    /// Refuses these options unless `used`; `where_used` says where they have an effect.
    ///
    /// # Errors
    /// If any of them was given where it would do nothing.
    pub(crate) fn check_use(&self, where_used: &str, used: bool) -> Result<()> {
        let none_given =
            self.identity.is_none() && self.trust.is_empty() && !self.vault.are_given();
        match used || none_given {
            true => Ok(()),
            false => Err(Error::Usage(format!(
                "--identity, --trust and the options of the vault are for secure channels: \
                 use them {where_used}"
            ))),
        }
    }

    /// The trust policy for the node's channels.
    pub(crate) fn policy(&self) -> Arc<dyn TrustPolicy> {
        match self.trust[..] {
            [] => Arc::new(TrustEveryonePolicy),
            [one] => Arc::new(TrustIdentifierPolicy::new(one)),
            _ => Arc::new(TrustMultiIdentifiersPolicy::new(self.trust.iter().copied())),
        }
    }

    /// A channel along `route`. Peers that were named may stand for each other.
    pub(crate) fn channel_to(&self, route: Route) -> SecureChannelOptions {
        SecureChannelOptions::to(route).any_trusted_peer()
    }

    /// The identities that were named; none means everybody.
    pub(crate) fn trusted(&self) -> &[Identifier] {
        &self.trust
    }
}
