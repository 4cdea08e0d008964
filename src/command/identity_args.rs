//! Who a command's node is, and whom it trusts.

use std::sync::Arc;

use clap::Args;
use ockam::{
    Context, Entity, Error, Identifier, Result, TrustEveryonePolicy, TrustIdentifierPolicy,
    TrustMultiIdentifiersPolicy, TrustPolicy, Vault,
};

use crate::command::{identity, vault::VaultArguments};

/// The options of every command that has secure channels.
#[derive(Args, Clone)]
pub(crate) struct Who {
    /// Be this identity of the vault, the same after a restart, instead of a new one each time.
    #[arg(long, value_name = "NAME")]
    identity: Option<String>,

    #[command(flatten)]
    vault: VaultArguments,

    /// Trust these identities and nobody else; without it everybody.
    #[arg(long, value_name = "ID,...", value_delimiter = ',')]
    trust: Vec<Identifier>,
}

impl Who {
    /// The identity that was asked for, or a new one that is gone with the program.
    ///
    /// # Errors
    /// If the vault does not open, or has no such identity.
    pub(crate) async fn entity(&self, ctx: &Context) -> Result<Entity> {
        let entity = match &self.identity {
            Some(name) => self.named(ctx, name).await?,
            None if self.vault.are_given() => {
                let text =
                    "a vault was given, but not which of its identities to be: add --identity NAME";
                return Err(Error::Usage(text.into()));
            }
            None => Entity::create(ctx, &Vault::create(ctx)?)?,
        };
        println!("identity {}", entity.identifier());
        Ok(entity)
    }

    async fn named(&self, ctx: &Context, name: &str) -> Result<Entity> {
        let arguments = self.vault.clone();
        // A passphrase is slow on purpose, and a person typing one is slower.
        let opening = actix_rt::task::spawn_blocking(move || arguments.open());
        let vault = opening.await.map_err(|error| Error::Bug(error.to_string()))??;
        identity::find(&vault, &self.vault, name)?;
        Entity::open(ctx, &vault, name)
    }

    /// Refuses these options where they would do nothing, as they do without `option`.
    ///
    /// # Errors
    /// If any of them was given.
    pub(crate) fn needs(&self, option: &str, given: bool) -> Result<()> {
        let idle = self.identity.is_none() && self.trust.is_empty() && !self.vault.are_given();
        match given || idle {
            true => Ok(()),
            false => Err(Error::Usage(format!(
                "--identity, --trust and the vault's options are for secure channels: use them with {option}"
            ))),
        }
    }

    /// Whom to trust.
    pub(crate) fn policy(&self) -> Arc<dyn TrustPolicy> {
        match self.trust[..] {
            [] => Arc::new(TrustEveryonePolicy),
            [one] => Arc::new(TrustIdentifierPolicy::new(one)),
            _ => Arc::new(TrustMultiIdentifiersPolicy::new(self.trust.iter().copied())),
        }
    }

    /// The identities that were named; none means everybody.
    pub(crate) fn trusted(&self) -> &[Identifier] {
        &self.trust
    }
}
