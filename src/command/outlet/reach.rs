//! How inlets get to an outlet: by connecting to it, or through hubs.

use std::{sync::Arc, time::Duration};

use actix_rt::time::sleep;
use ockam::{
    route, Address, Clients, Context, Entity, Error, Identifier, Invitations, InvitingOutlet,
    Place, RemoteForwarder, RemoteForwarderOptions, Result, Route, SecureChannelListenerOptions,
    SecureChannels, ServiceAddress, TrustEveryonePolicy, TrustIdentifierPolicy, TrustPolicy,
    UdpOutletOptions,
};

use crate::command::{
    elsewhere::Elsewhere,
    listeners::Listeners,
    node_address::NodeAddress,
    outlet::{AtHubs, Outlet, Reached},
    output::say,
    transports::Transports,
    trust::Trust,
    udp_args::udp_address,
    CHANNEL_LISTENER, NAMED_LISTENER, OUTLET,
};

/// How often to look whether a hub that refused the channel has accepted it since: the channel
/// itself decides when it tries again.
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

impl Outlet {
    /// Lets everybody reach it who connects.
    pub(super) async fn listen_plain(
        &self,
        transports: &Transports,
        listeners: &Listeners,
    ) -> Result<Reached> {
        self.create(transports, None).await?;
        let bound = transports.listen(listeners, Some(OUTLET.into())).await?;
        for bound in bound.iter().filter(|bound| bound.is_for_others()) {
            log::warn!(
                "--plain on {bound}: whoever reaches it reaches {}, and whoever is on the way \
                 reads and changes all",
                self.target
            );
        }
        let route = format!("{} => {OUTLET}", route_to(&bound).await);
        Ok(Reached { route, with: " --plain".into(), by_name: None })
    }

    /// Lets those reach it who connect and have a channel.
    pub(super) async fn accept_channels(
        &self,
        ctx: &Context,
        transports: &Transports,
        listeners: &Listeners,
    ) -> Result<Reached> {
        let mut own = self.open(ctx).await?;
        own.listen(SecureChannelListenerOptions::at(CHANNEL_LISTENER))?;
        self.create(transports, Some(&own)).await?;
        let bound = transports.listen(listeners, None).await?;
        let identifier = own.entity.identifier();
        let address = route_to(&bound).await;
        let route = format!("{address} => {CHANNEL_LISTENER}");
        own.invite(ServiceAddress::new(identifier, "")?, Place::Node(address), self.clients())
            .await;
        Ok(Reached { route, with: format!(" --trust {identifier}"), by_name: None })
    }

    /// Lets those reach it who have a channel, which leads through hubs.
    pub(super) async fn accept_through_hubs(
        &self,
        ctx: &Context,
        transports: &Transports,
        AtHubs { hubs, service, channel }: &AtHubs,
    ) -> Result<Reached> {
        let mut own = self.open(ctx).await?;
        own.listen(SecureChannelListenerOptions::at(CHANNEL_LISTENER))?;
        let hub = &NodeAddress::any_of(hubs);
        let address = ServiceAddress::new(own.entity.identifier(), service)?;
        // Through a channel it registers with one hub alone: with the one that inlets by name
        // prefer.
        let (route_to_hub, preferred) = match channel {
            Some(expected) => {
                let hubs = address.forwarding_address().spread(hub);
                (channel_to(&mut own.entity, &hubs, *expected).await?, Some(hubs))
            }
            None => (Route::from(hub.clone()), None),
        };
        let options = RemoteForwarderOptions::to(CHANNEL_LISTENER).service(service).keep_trying();
        let forwarder = RemoteForwarder::create(ctx, route_to_hub.clone(), options).await?;
        let mut by_name = None;
        // Inlets may name it instead of being given its address.
        if self.identity.is_lasting() && !self.identity.is_open() {
            own.listen(SecureChannelListenerOptions::at(NAMED_LISTENER).named())?;
            let options = RemoteForwarderOptions::to(NAMED_LISTENER).service(service).named();
            RemoteForwarder::create(ctx, route_to_hub, options.keep_trying()).await?;
            let hubs: Vec<_> = hubs.iter().map(NodeAddress::to_string).collect();
            by_name = Some(format!("--to {address} --via {}", hubs.join(",")));
            own.invite(address, Place::Hub(hub.clone()), self.clients()).await;
        }
        // Before the registration, the hub at the end of a channel has more rights than any other
        // hub, so the outlet starts after it.
        self.create(transports, Some(&own)).await?;
        let address = forwarder.remote_address();
        let hubs = preferred.unwrap_or_else(|| address.spread(hub));
        Ok(Reached { route: format!("{hubs} => {address}"), with: String::new(), by_name })
    }

    /// Opens the identity that channels are accepted for.
    async fn open(&self, ctx: &Context) -> Result<Own> {
        let (entity, trust) = self.identity.open(ctx).await?;
        let invitations = match self.identity.is_lasting() {
            true => trust.invitations().await,
            false => None,
        };
        Ok(Own { entity, trust, invitations })
    }

    /// Starts the outlet for whoever may have a channel with the listener, but not for the hub that
    /// this node has a channel with.
    async fn create(&self, transports: &Transports, own: Option<&Own>) -> Result<()> {
        let rule = own.and_then(|own| own.trust.access_rule(own.entity.identifier()));
        if let Some(target) = udp_address(&self.target) {
            let mut options = UdpOutletOptions::to(target).idle_timeout(self.udp.idle_timeout);
            if let Some(rule) = rule {
                options = options.access(rule);
            }
            return transports.udp.create_outlet(OUTLET, options).await.map(drop);
        }
        let mut options = self.options();
        if let Some(rule) = rule {
            options = options.access(rule);
        }
        transports.tcp.create_outlet(OUTLET, options).await.map(drop)
    }
}

/// The identity of an outlet, whom it trusts, and who is invited.
struct Own {
    entity: Entity,
    trust: Trust,
    /// They need an identity that lasts.
    invitations: Option<Invitations>,
}

impl Own {
    /// Accepts channels of those who are trusted, or invited.
    fn listen(&mut self, mut listener: SecureChannelListenerOptions) -> Result<()> {
        if let Some(invitations) = &self.invitations {
            listener = listener.invitations(invitations.clone());
        }
        self.entity.create_secure_channel_listener(listener, self.trust.policy()).map(drop)
    }

    /// Has people be invited. Where the disk does not allow that, the outlet goes on.
    async fn invite(&self, service: ServiceAddress, place: Place, clients: Clients) {
        let Some(invitations) = self.invitations.clone() else { return };
        let outlet = InvitingOutlet { service, place, clients };
        // The disk is not waited for on an arbiter.
        let noting = actix_rt::task::spawn_blocking(move || invitations.note(&outlet));
        if let Ok(Err(error)) = noting.await {
            log::warn!("nobody can be invited: {error}");
        }
    }
}

/// The address in routes of other machines of this node, which listens on all of `bound`.
async fn route_to(bound: &[NodeAddress]) -> Address {
    let elsewhere = Elsewhere::find().await;
    let reached: Vec<_> = bound.iter().map(|bound| elsewhere.address(bound)).collect();
    NodeAddress::any_of(&reached)
}

/// Establishes a secure channel with the hub itself.
async fn channel_to(
    entity: &mut Entity,
    hub: &Address,
    expected: Option<Identifier>,
) -> Result<Route> {
    let policy: Arc<dyn TrustPolicy> = match expected {
        Some(identifier) => Arc::new(TrustIdentifierPolicy::new(identifier)),
        None => Arc::new(TrustEveryonePolicy),
    };
    let channel = entity.create_secure_channel(route![hub.clone(), CHANNEL_LISTENER], policy)?;
    let identifier = loop {
        match channel.established().await {
            Ok(identifier) => break identifier,
            // The channel has said why, and goes on trying.
            Err(Error::Peer { .. }) => sleep(REFUSED_PAUSE).await,
            Err(error) => return Err(error),
        }
    };
    say!("hub {identifier}");
    Ok(route![channel])
}
