//! An entity: an identity in use on a node, where it opens and accepts secure channels.

use std::{fmt, sync::Arc};

use ockam_actix_runtime::{Error, Host, Identifier, Node, Result, Route};

use crate::{
    forwarder::address::ForwardingAddress,
    identity::{
        address_secret::AddressSecret,
        current_policy::CurrentPolicy,
        known_identities::{KnownIdentities, WithHistory},
        local_identity::{CurrentIdentity, LocalIdentity},
        peer_names::PeerNames,
        policy::{NotEveryone, TrustPolicy},
        trust_file::TrustFile,
        vault::{Vault, VaultError},
        Identity,
    },
    secure_channel::{
        self, Credentials, FirstPeer, Limits, OpenSessions, SecureChannel, SecureChannelListener,
        SecureChannelListenerOptions, SecureChannelOptions,
    },
};

/// An identity in use on a node.
///
/// ```no_run
/// # fn example(ctx: ockam_actix_runtime::Context) -> ockam_actix_runtime::Result<()> {
/// use ockam_actix_runtime::{route, Route};
/// use ockam_actix_workers::{Entity, SecureChannels, TrustEveryonePolicy, Vault};
///
/// let vault = Vault::create(&ctx)?;
/// let mut e = Entity::create(&ctx, &vault)?;
/// let channel = e.create_secure_channel(
///     route!["tcp#127.0.0.1:4000", "secure_channel_listener_service"],
///     TrustEveryonePolicy,
/// )?;
/// let to_outlet: Route = route![channel, "outlet"];
/// # let _ = to_outlet;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Entity {
    node: Node,
    local: CurrentIdentity,
    /// Where its secrets are kept; `None` if the program keeps them.
    vault: Option<Vault>,
    limits: Limits,
}

impl Entity {
    /// A new identity in `vault`, under the first free name `entity-1`, `entity-2`, ...
    ///
    /// # Errors
    /// If the vault is full or cannot be written.
    pub fn create(ctx: &impl AsRef<Node>, vault: &Vault) -> Result<Self> {
        loop {
            let names = vault.names();
            let mut free = (1..).map(|number| format!("entity-{number}"));
            let name = free.find(|name| names.iter().all(|(taken, _)| taken != name));
            match vault.create_identity(&name.unwrap_or_default()) {
                // Another program was faster; the vault knows its names now.
                Err(VaultError::NameTaken(_)) => {}
                created => return Self::of_vault(ctx, vault, &created?),
            }
        }
    }

    /// A new identity in `vault` under a name of the program's choice.
    ///
    /// # Errors
    /// If the name is invalid or already in use, or the vault is full or cannot be written.
    pub fn create_named(ctx: &impl AsRef<Node>, vault: &Vault, name: &str) -> Result<Self> {
        let identifier = vault.create_identity(name)?;
        Self::of_vault(ctx, vault, &identifier)
    }

    /// The identity that `vault` holds under `name`.
    ///
    /// # Errors
    /// If there is none.
    pub fn open(ctx: &impl AsRef<Node>, vault: &Vault, name: &str) -> Result<Self> {
        let identifier = vault.find(name)?;
        Self::of_vault(ctx, vault, &identifier)
    }

    fn of_vault(ctx: &impl AsRef<Node>, vault: &Vault, identifier: &Identifier) -> Result<Self> {
        let local = vault.local_identity(identifier)?;
        if let Some(histories) = vault.histories() {
            histories.keep_for(ctx);
        }
        Ok(Self { vault: Some(vault.clone()), ..Self::new(ctx, local) })
    }

    /// The identity that `vault` holds under `name`, created if there is none: what a program with
    /// a vault in a file needs at each start.
    ///
    /// # Errors
    /// As [`Entity::create_named`].
    pub fn open_or_create(ctx: &impl AsRef<Node>, vault: &Vault, name: &str) -> Result<Self> {
        let identifier = match vault.find(name) {
            Ok(identifier) => identifier,
            Err(_) => match vault.create_identity(name) {
                // Another program has created it meanwhile.
                Err(VaultError::NameTaken(_)) => vault.find(name)?,
                created => created?,
            },
        };
        Self::of_vault(ctx, vault, &identifier)
    }

    /// An entity for an identity whose secrets the program already has.
    pub fn new(ctx: &impl AsRef<Node>, local: LocalIdentity) -> Self {
        let node = ctx.as_ref().clone();
        Self { node, local: local.into(), vault: None, limits: Limits::default() }
    }

    /// The same entity with other limits for the channels and listeners that it creates from now
    /// on.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Its identifier.
    pub fn identifier(&self) -> Identifier {
        self.local.now().identifier()
    }

    /// The identity with its secrets, as they are now.
    pub fn local_identity(&self) -> LocalIdentity {
        self.local.now()
    }

    /// Replaces the keys of the identity, in its vault and here; its identifier stays. Its
    /// listeners and channels, and those of the clones of this entity, use the new keys in every
    /// handshake from now on. Established sessions go on until they are renewed, within minutes, or
    /// until the peer's node meets the new key in another one. From then on it refuses the old key
    /// and ends sessions that were admitted for it.
    ///
    /// With a vault in a file, this waits for the disk.
    ///
    /// # Errors
    /// If the history of the identity is full, the vault cannot be written, or the entity has none.
    pub fn rotate(&mut self) -> Result<Identity> {
        let vault = self.vault.as_ref().ok_or_else(|| {
            Error::Usage(format!(
                "{} has no vault to keep a new key in: rotate it where its secrets are kept",
                self.identifier()
            ))
        })?;
        let identifier = self.identifier();
        let identity = vault.rotate(&identifier)?;
        self.local.replace(vault.local_identity(&identifier)?);
        log::info!("{identifier} now uses key {}", identity.key_count());
        Ok(identity)
    }

    /// Gives the forwarding addresses of this identity other secrets, in its vault and here:
    /// whoever was given an address before can open no channel through it any more, nor renew the
    /// keys of an open one. The new addresses are those that
    /// [`RemoteForwarder::remote_address`](crate::forwarder::RemoteForwarder::remote_address)
    /// returns from then on.
    ///
    /// With a vault in a file, this waits for the disk.
    ///
    /// # Errors
    /// If the vault cannot be written, or the entity has none.
    pub fn renew_address_secrets(&mut self) -> Result<()> {
        let vault = self.vault.as_ref().ok_or_else(|| {
            Error::Usage(format!("{} has no vault to keep a new secret in", self.identifier()))
        })?;
        let identifier = self.identifier();
        vault.renew_address_secrets(&identifier)?;
        self.local.replace(vault.local_identity(&identifier)?);
        Ok(())
    }

    /// Ends every open session with `peer`, whichever end opened it, and returns their number: from
    /// then on, nothing more of that peer is delivered. Streams wait for the next session with it,
    /// and are reset if none comes in time
    /// ([`OutletOptions::resume_for`](crate::portal::OutletOptions::resume_for)).
    ///
    /// It withdraws no trust. A peer that the policies still trust may open a channel again, and a
    /// channel that this entity has opened establishes itself again; to keep a peer out, have the
    /// policy refuse it ([`SecureChannelListener::replace_policy`],
    /// [`SecureChannel::replace_policy`], [`Entity::recheck_channels`]).
    pub fn close_channels(&self, peer: &Identifier) -> usize {
        OpenSessions::of(&self.node).close(&self.identifier(), peer)
    }

    /// Asks the policies of this identity again about the peers of all open sessions, and ends
    /// those that they no longer trust; returns their number. It is for policies that change by
    /// themselves, such as one that reads a list.
    pub fn recheck_channels(&self) -> usize {
        OpenSessions::of(&self.node).recheck(&self.identifier())
    }

    /// From now on, whoever is taken out of a trust file loses the sessions with this entity that
    /// its [policy](TrustFile::policy) has admitted, within a second, and the names in the file are
    /// shown in the log.
    pub fn follow(&self, file: &TrustFile) {
        let own = self.identifier();
        let names = Arc::downgrade(&PeerNames::of(&self.node));
        let sessions = Arc::downgrade(&OpenSessions::of(&self.node));
        let source = file.path().display().to_string();
        file.follow(move |list| {
            if let Some(names) = names.upgrade() {
                names.replace(source.as_str(), list.clone());
            }
            if let Some(sessions) = sessions.upgrade() {
                sessions.recheck(&own);
            }
        });
    }

    fn credentials(&self, policy: Arc<dyn TrustPolicy>, replaceable: CurrentPolicy) -> Credentials {
        let known = self.node.extension(KnownIdentities::default);
        Credentials {
            local: self.local.clone(),
            policy: Arc::new(WithHistory::new(policy, known.clone())),
            known,
            secret: None,
            replaceable,
            sessions: OpenSessions::of(&self.node),
        }
    }
}

/// Opens and accepts secure channels; [`Entity`] implements it.
pub trait SecureChannels {
    /// Accepts secure channels at an address, which is given alone or with
    /// [`SecureChannelListenerOptions`], from every identity that `policy` trusts, until the node
    /// stops. From then on other nodes reach the node's named workers only through a channel.
    ///
    /// # Errors
    /// If the address is invalid or already in use, or the listener is to be reached by name and
    /// `policy` trusts everybody.
    fn create_secure_channel_listener(
        &mut self,
        options: impl Into<SecureChannelListenerOptions>,
        policy: impl TrustPolicy,
    ) -> Result<SecureChannelListener>;

    /// Opens a secure channel to the listener at the end of a route, which is given alone or with
    /// [`SecureChannelOptions`]. It returns at once; the channel establishes itself, and does so
    /// again whenever it is lost, with the same identity. The peer must be trusted by `policy`;
    /// where the route passes a [forwarding address](ForwardingAddress) with a fingerprint, it must
    /// also be that identity.
    ///
    /// # Errors
    /// If the route is invalid, its first hop does not exist, or the fingerprint in it is damaged.
    fn create_secure_channel(
        &mut self,
        options: impl Into<SecureChannelOptions>,
        policy: impl TrustPolicy,
    ) -> Result<SecureChannel>;
}

impl SecureChannels for Entity {
    fn create_secure_channel_listener(
        &mut self,
        options: impl Into<SecureChannelListenerOptions>,
        policy: impl TrustPolicy,
    ) -> Result<SecureChannelListener> {
        let options = options.into();
        let replaceable = CurrentPolicy::new(policy);
        let policy: Arc<dyn TrustPolicy> = match options.is_named {
            true if replaceable.trusts_everyone() => {
                return Err(Error::Usage(format!(
                    "\"{}\" is reached by name, which is no secret, and its policy trusts \
                     everybody: name the trusted identities",
                    options.address
                )));
            }
            true => Arc::new(NotEveryone(replaceable.clone())),
            false => Arc::new(replaceable.clone()),
        };
        let credentials = self.credentials(policy, replaceable);
        secure_channel::listen(&self.node, options, credentials, self.limits.clone())
    }

    fn create_secure_channel(
        &mut self,
        options: impl Into<SecureChannelOptions>,
        policy: impl TrustPolicy,
    ) -> Result<SecureChannel> {
        let SecureChannelOptions { route, any_trusted_peer, secret: invitation } = options.into();
        let is_invited = invitation.is_some();
        let Pinned { route, pin, secret, relayed } = Pinned::of(&route)?;
        let secret = invitation.or(secret);
        let replaceable = CurrentPolicy::new(policy);
        let policy: Arc<dyn TrustPolicy> = match pin {
            Some(identifier) => Arc::new(replaceable.clone().pinned(identifier)),
            None => Arc::new(replaceable.clone()),
        };
        if relayed && policy.trusts_everyone() {
            log::warn!(
                "the channel over {route} trusts whoever answers: pin the peer by a policy, or by \
                 its forwarding address"
            );
        }
        let first_peer = FirstPeer::default();
        // Who trusts everybody has no first peer to keep to: one with a new identity, as after a
        // restart without a vault, is as good.
        let policy = match any_trusted_peer || policy.trusts_everyone() {
            true => policy,
            false => Arc::new(first_peer.keep_to(policy)),
        };
        let credentials = Credentials { secret, ..self.credentials(policy, replaceable) };
        let limits = self.limits.clone();
        secure_channel::open(&self.node, route, credentials, first_peer, is_invited, limits)
    }
}

/// A route without the fingerprints and secrets that it carried.
pub(crate) struct Pinned {
    pub(crate) route: Route,
    pub(crate) pin: Option<Identifier>,
    /// The secret of the last forwarding address: that of the listener at the end.
    secret: Option<AddressSecret>,
    /// Whether it passes nodes other than the one at its end.
    relayed: bool,
}

impl Pinned {
    pub(crate) fn of(route: &Route) -> Result<Self> {
        let (mut pin, mut secret) = (None, None);
        let mut forwarders = 0;
        let mut plain = Vec::with_capacity(route.len());
        for address in route.iter() {
            if !ForwardingAddress::is_meant_by(address.as_str()) {
                plain.push(address.clone());
                continue;
            }
            let parsed: ForwardingAddress = address.as_str().parse()?;
            forwarders += 1;
            secret = parsed.secret.or(secret);
            plain.push(parsed.forwarder);
            match (pin, parsed.identifier) {
                (Some(one), Some(other)) if one != other => {
                    return Err(Error::Usage(format!(
                        "the route {route} carries the fingerprints {one} and {other}, but a \
                         channel ends at one identity"
                    )));
                }
                (_, identifier) => pin = pin.or(identifier),
            }
        }
        // A connection and a listener mean one node; with anything more there are others in
        // between.
        let relayed = forwarders > 0 || plain.len() > 2;
        Ok(Self { route: plain.into_iter().collect(), pin, secret, relayed })
    }
}

impl From<VaultError> for Error {
    fn from(error: VaultError) -> Self {
        Self::Other(Box::new(error))
    }
}

impl fmt::Debug for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entity({}, secrets redacted)", self.identifier())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ockam_actix_runtime::route;

    const ID: Identifier = Identifier::from_bytes([7; 32]);
    const OTHER: Identifier = Identifier::from_bytes([8; 32]);

    #[test]
    fn fingerprints_leave_the_route_and_are_pinned() {
        let address = ForwardingAddress::new_random(ID);
        let pinned = Pinned::of(&route!["tcp#hub:4000", address.to_string()]).unwrap();
        assert_eq!(pinned.route, route!["tcp#hub:4000", address.forwarder]);
        assert_eq!((pinned.pin, pinned.relayed), (Some(ID), true));
    }

    #[test]
    fn one_node_routes_are_neither_pinned_nor_relayed() {
        let route = route!["tcp#[::1]:4000", "listener"];
        let pinned = Pinned::of(&route).unwrap();
        assert_eq!((pinned.route, pinned.pin, pinned.relayed), (route, None, false));
        assert!(Pinned::of(&route!["tcp#hub:1", "relay", "listener"]).unwrap().relayed);
    }

    #[test]
    fn damaged_and_contradictory_fingerprints_are_errors() {
        let text = ForwardingAddress::new_random(ID).to_string();
        let error = Pinned::of(&route!["tcp#hub:1", &text[..80]]).err().unwrap().to_string();
        assert!(error.contains("fingerprint"), "{error}");
        let other = ForwardingAddress::new_random(OTHER).to_string();
        let error = Pinned::of(&route![text, other]).err().unwrap().to_string();
        assert!(error.contains(&ID.to_string()) && error.contains(&OTHER.to_string()), "{error}");
    }
}
