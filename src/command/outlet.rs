//! `ockam outlet`: makes a TCP server reachable through secure channels.

use std::{sync::Arc, time::Duration};

use actix_rt::time::sleep;
use clap::Args;
use ockam::{
    route, Address, Clients, Context, Entity, Error, Identifier, Invitations, InvitingOutlet,
    OutletOptions, Place, ProxyProtocol, RemoteForwarder, RemoteForwarderOptions, Result, Route,
    SecureChannelListenerOptions, SecureChannels, ServiceAddress, TrustEveryonePolicy,
    TrustIdentifierPolicy, TrustPolicy, UdpOutletOptions,
};

use ockam_actix_transports::peer;

use crate::command::{
    console_args::ConsoleArguments,
    dial_args::DialArguments,
    doubts::Doubts,
    elsewhere::Elsewhere,
    hub_args::hubs,
    identity_args::IdentityArguments,
    inlet::{inlet_options, usual_listen},
    node_address::NodeAddress,
    output::say,
    resume_args::ResumeArguments,
    tls_args::CertificateArguments,
    transports::Transports,
    udp_args::{udp_address, UdpArguments},
    CHANNEL_LISTENER, NAMED_LISTENER, OUTLET,
};

/// How often to look whether a hub that refused the channel has accepted it since: the channel
/// itself decides when it tries again.
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

/// Make a TCP server reachable for inlets, on a node that listens or through a hub.
///
/// Prints the `ockam inlet` command that leads to it.
#[derive(Args)]
#[command(after_help = "Examples:
  ockam outlet --to 127.0.0.1:5000 --listen 127.0.0.1:4000
  ockam outlet --to 127.0.0.1:5000 --via hub.example.org:4000
  ockam outlet --to 127.0.0.1:5000 \\
    --via one.example.org:4000,other.example.org:4000
  ockam outlet --to 127.0.0.1:5000 --via hub.example.org:4000 \\
    --identity web --trust ID,ID
  ockam outlet --to udp://127.0.0.1:53 --via hub.example.org:4000
  ockam outlet --to 127.0.0.1:5432 --via hub.example.org:4000 \\
    --identity web --service database
  ockam outlet --to web=127.0.0.1:80 --to db=127.0.0.1:5432 \\
    --via hub.example.org:4000
  ockam outlet --to unix:/run/postgresql/.s.PGSQL.5432 \\
    --via hub.example.org:4000
  ockam outlet --to 127.0.0.1:80 --proxy-protocol v2 --via hub.example.org:4000
  ockam outlet --to 'db.internal:5432,*.web.internal:443' \\
    --via hub.example.org:4000")]
pub(crate) struct Arguments {
    /// Server to connect to for each stream, as host:port, or unix:/path for a Unix socket; a
    /// server of UDP, as udp://host:port.
    ///
    /// Or patterns, with commas between them, for the servers that clients of `ockam inlet --socks`
    /// name: db.internal:5432,*.web.internal:443,10.1.0.0/16:*. Names are looked up here, and it is
    /// the name that is permitted, wherever it leads.
    ///
    /// With --via, this option may be given several times, each as NAME=TARGET: one outlet for each
    /// target, with NAME as its service.
    #[arg(long, value_name = "TARGET")]
    to: String,

    /// Tell the target where each client comes from, as its inlet says, by the PROXY protocol in
    /// this version, v1 or v2, which the target has to expect.
    #[arg(long, value_name = "VERSION")]
    proxy_protocol: Option<ProxyProtocol>,

    /// Address to listen on for inlets' nodes, as host:port, quic://host:port, ws://host:port/path,
    /// wss://host:port/path or unix:/path; several with commas between them.
    #[arg(long, value_name = "ADDR", conflicts_with = "via", value_delimiter = ',')]
    listen: Vec<NodeAddress>,

    /// Hub to be reached through, in the same forms, without listening anywhere.
    ///
    /// Several with commas between them are all used, so that clients find another one when one is
    /// gone; different outlets' clients prefer different ones of them. Without this option and
    /// --listen, OCKAM_HUB in the environment says which.
    #[arg(long, value_name = "HUB", value_delimiter = ',')]
    via: Vec<NodeAddress>,

    /// Name of the service, if one identity has several outlets on this hub. Of two programs with
    /// the same identity and name, the one started last is reached; the other logs an error.
    #[arg(long, value_name = "NAME", conflicts_with = "listen", default_value = "")]
    #[arg(hide_default_value = true)]
    service: String,

    /// Register with the hub through a secure channel; with ID, only if the hub has that identity.
    #[arg(long, value_name = "ID", conflicts_with = "listen", num_args = 0..=1)]
    #[arg(require_equals = true)]
    hub_channel: Option<Option<Identifier>>,

    /// Do not encrypt: anybody who reaches the --listen address reaches the target.
    #[arg(long, conflicts_with = "via")]
    plain: bool,

    #[command(flatten)]
    resume: ResumeArguments,

    #[command(flatten)]
    udp: UdpArguments,

    #[command(flatten)]
    certificate: CertificateArguments,

    #[command(flatten)]
    dial: DialArguments,

    #[command(flatten)]
    console: ConsoleArguments,

    #[command(flatten)]
    identity: IdentityArguments,
}

impl Arguments {
    /// Checks what needs nothing to be started.
    pub(crate) fn check(&self) -> Result<()> {
        self.identity.check_use("without --plain", !self.plain)?;
        match udp_address(&self.to) {
            Some(target) => peer::parse(target).map(drop)?,
            None => self.options().check()?,
        }
        if self.listen.is_empty() && self.plain {
            return Err("--plain needs --listen".into());
        }
        if self.listen.is_empty() {
            self.hubs()?;
        }
        Ok(())
    }

    /// Looks at the files and hosts that are named.
    ///
    /// # Errors
    /// If a file cannot be used.
    pub(crate) fn probe(&self, doubts: &mut Doubts) -> Result<()> {
        doubts.target(&self.to);
        doubts.listeners(&self.listen);
        if self.listen.is_empty() {
            doubts.nodes(&self.hubs()?);
        }
        self.certificate.probe()?;
        self.dial.authorities.authorities()?;
        self.identity.probe(doubts)
    }

    /// What the outlet connects to, for all that reach it.
    fn options(&self) -> OutletOptions {
        let options = OutletOptions::to(&self.to).resume_for(self.resume.resume_for);
        match self.proxy_protocol {
            Some(version) => options.proxy_protocol(version),
            None => options,
        }
    }

    /// What the clients of its inlets speak.
    fn clients(&self) -> Clients {
        match udp_address(&self.to) {
            Some(_) => Clients::Udp,
            None if self.options().has_patterns() => Clients::Socks,
            None => Clients::Tcp,
        }
    }

    /// Whether inlets may name the outlet instead of being given its address.
    fn is_named(&self) -> bool {
        self.identity.is_lasting() && !self.identity.is_open()
    }

    /// The hubs that it is reached through.
    fn hubs(&self) -> Result<Vec<NodeAddress>> {
        hubs(&self.via, "how inlets get here: --listen HOST:PORT, or ")
    }
}

/// Starts the outlet. A hub that cannot be reached or refuses is tried again, which the log says.
///
/// Its number among the outlets of the process, from 0, chooses the port of the command that it
/// prints: the inlets of all of them may run on one machine.
pub(crate) async fn run(ctx: Context, arguments: Arguments, number: u16) -> Result<()> {
    arguments.check()?;
    arguments.console.start(&ctx)?;
    let transports = Transports::create(&ctx, &arguments.dial).await?;
    let Reached { route, with, by_name } = match arguments.plain {
        true => listen_plain(&transports, &arguments).await?,
        false => accept_channels(&ctx, &transports, &arguments).await?,
    };
    Elsewhere::explain(&route);
    // Nobody else is let in.
    let identity = if arguments.identity.is_open() { "" } else { " --identity NAME" };
    if !identity.is_empty() {
        say!("NAME stands for an identity of the inlet's vault, which has to be trusted here.");
    }
    let it = if arguments.service.is_empty() { "it" } else { &arguments.service };
    say!("start an inlet for {it} with:");
    let clients = arguments.clients();
    let lasting = match clients {
        Clients::Udp => arguments.udp.unless_default(),
        Clients::Tcp | Clients::Socks => arguments.resume.unless_default(),
    };
    let listen = usual_listen(clients, number);
    let listen = inlet_options(clients, Some(&listen)).join(" ");
    say!("ockam inlet {listen}{with}{lasting}{identity} --route '{route}'");
    if let Some(name) = by_name {
        say!("or, by its name, also before it runs:");
        say!("ockam inlet {listen}{lasting} {name}{identity}");
    }
    Ok(())
}

/// How an outlet is reached.
struct Reached {
    /// The route to its listener, or to itself if it is plain.
    route: String,
    /// Options of the inlet, with a space before each.
    with: String,
    /// The options of an inlet that names it.
    by_name: Option<String>,
}

/// Starts an outlet that everybody reaches.
async fn listen_plain(transports: &Transports, arguments: &Arguments) -> Result<Reached> {
    create_outlet(transports, arguments, None).await?;
    let bound =
        transports.listen(&arguments.listen, Some(OUTLET.into()), &arguments.certificate).await?;
    for bound in bound.iter().filter(|bound| bound.is_for_others()) {
        log::warn!(
            "--plain on {bound}: whoever reaches it reaches {}, and whoever is on the way reads \
             and changes all",
            arguments.to
        );
    }
    let route = format!("{} => {OUTLET}", route_to(&bound).await);
    Ok(Reached { route, with: " --plain".into(), by_name: None })
}

/// Starts an outlet that is reached through a secure channel listener.
async fn accept_channels(
    ctx: &Context,
    transports: &Transports,
    arguments: &Arguments,
) -> Result<Reached> {
    let clients = arguments.clients();
    let mut entity = arguments.identity.entity(ctx).await?;
    let invitations = arguments.identity.invitations().await;
    let mut listener = SecureChannelListenerOptions::at(CHANNEL_LISTENER);
    if let Some(invitations) = &invitations {
        listener = listener.invitations(invitations.clone());
    }
    entity.create_secure_channel_listener(listener, arguments.identity.policy())?;
    if !arguments.listen.is_empty() {
        create_outlet(transports, arguments, Some(entity.identifier())).await?;
        let bound = transports.listen(&arguments.listen, None, &arguments.certificate).await?;
        let with = format!(" --trust {}", entity.identifier());
        let own = route_to(&bound).await;
        let route = format!("{own} => {CHANNEL_LISTENER}");
        let service = ServiceAddress::new(entity.identifier(), "")?;
        note(invitations, InvitingOutlet { service, place: Place::Node(own), clients }).await;
        return Ok(Reached { route, with, by_name: None });
    }
    let hubs = arguments.hubs()?;
    let hub = &NodeAddress::any_of(&hubs);
    // Through a channel it registers with one hub alone: with the one that inlets by name prefer.
    let (route_to_hub, preferred) = match arguments.hub_channel {
        Some(expected) => {
            let service = ServiceAddress::new(entity.identifier(), &arguments.service)?;
            let hubs = service.forwarding_address().spread(hub);
            (channel_to(&mut entity, &hubs, expected).await?, Some(hubs))
        }
        None => (Route::from(hub.clone()), None),
    };
    let service = RemoteForwarderOptions::to(CHANNEL_LISTENER).service(&arguments.service);
    let service = service.keep_trying();
    let forwarder = RemoteForwarder::create(ctx, route_to_hub.clone(), service).await?;
    let by_name = match arguments.is_named() {
        true => {
            let service = register_name(ctx, &mut entity, route_to_hub, &invitations, arguments);
            let service = service.await?;
            let hubs: Vec<_> = hubs.iter().map(NodeAddress::to_string).collect();
            let options = format!("--to {service} --via {}", hubs.join(","));
            note(invitations, InvitingOutlet { service, place: Place::Hub(hub.clone()), clients })
                .await;
            Some(options)
        }
        false => None,
    };
    // Before the registration, the hub at the end of a channel has more rights than any other hub,
    // so the outlet starts after it.
    create_outlet(transports, arguments, Some(entity.identifier())).await?;
    let address = forwarder.remote_address();
    let hubs = preferred.unwrap_or_else(|| address.spread(hub));
    let route = format!("{hubs} => {address}");
    Ok(Reached { route, with: String::new(), by_name })
}

/// Lets inlets reach the outlet that know its identity and service, and are trusted.
async fn register_name(
    ctx: &Context,
    entity: &mut Entity,
    route_to_hub: Route,
    invitations: &Option<Invitations>,
    arguments: &Arguments,
) -> Result<ServiceAddress> {
    let mut listener = SecureChannelListenerOptions::at(NAMED_LISTENER).named();
    if let Some(invitations) = invitations {
        listener = listener.invitations(invitations.clone());
    }
    entity.create_secure_channel_listener(listener, arguments.identity.policy())?;
    let options = RemoteForwarderOptions::to(NAMED_LISTENER).service(&arguments.service).named();
    RemoteForwarder::create(ctx, route_to_hub, options.keep_trying()).await?;
    ServiceAddress::new(entity.identifier(), &arguments.service)
}

/// Has people be invited to the outlet. Where the disk does not allow that, the outlet goes on.
async fn note(invitations: Option<Invitations>, outlet: InvitingOutlet) {
    let Some(invitations) = invitations else { return };
    // The disk is not waited for on an arbiter.
    let noting = actix_rt::task::spawn_blocking(move || invitations.note(&outlet));
    if let Ok(Err(error)) = noting.await {
        log::warn!("nobody can be invited: {error}");
    }
}

/// The address in routes of other machines of this node, which listens on all of `bound`.
async fn route_to(bound: &[NodeAddress]) -> Address {
    let elsewhere = Elsewhere::find().await;
    let reached: Vec<_> = bound.iter().map(|bound| elsewhere.address(bound)).collect();
    NodeAddress::any_of(&reached)
}

/// Starts the outlet for whoever may have a channel with the listener, but not for the hub that
/// this node has a channel with.
async fn create_outlet(
    transports: &Transports,
    arguments: &Arguments,
    own: Option<Identifier>,
) -> Result<()> {
    let rule = own.and_then(|own| arguments.identity.access_rule(own));
    if let Some(target) = udp_address(&arguments.to) {
        let mut options = UdpOutletOptions::to(target).idle_timeout(arguments.udp.idle_timeout);
        if let Some(rule) = rule {
            options = options.access(rule);
        }
        return transports.udp.create_outlet(OUTLET, options).await.map(drop);
    }
    let mut options = arguments.options();
    if let Some(rule) = rule {
        options = options.access(rule);
    }
    transports.tcp.create_outlet(OUTLET, options).await.map(drop)
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
