//! `ockam inlet`: a TCP server whose clients are tunnelled to an outlet.

use std::time::Duration;

use clap::{Args, Command, FromArgMatches};
use ockam::{
    route, Clients, Context, Entity, Error, Identifier, InletOptions, Result, Route,
    SecureChannelOptions, SecureChannels, UdpInletOptions,
};
use ockam_actix_transports::peer;

use crate::command::{
    console_args::ConsoleArguments,
    dial_args::DialArguments,
    doubts::Doubts,
    elsewhere::Elsewhere,
    hub_args::hubs,
    identity_args::IdentityArguments,
    node_address::NodeAddress,
    output::say,
    resume_args::ResumeArguments,
    route_args::RouteArguments,
    startable::{Start, Startable},
    to_args::{NamedOutlet, ToArguments},
    transports::Transports,
    trust::Trust,
    udp_args::{udp_address, UdpArguments, UDP},
    OUTLET,
};

/// Listen for TCP clients, and tunnel each of them to an outlet.
///
/// `ockam outlet` prints the command to use, with its route. With --to, the outlet is named and may
/// be started later.
#[derive(Args)]
#[command(after_help = "Examples:
  ockam inlet --listen 127.0.0.1:4001 \\
    --route 'tcp#127.0.0.1:4000 => secure_channel_listener_service'
  ockam inlet --listen 127.0.0.1:4001 \\
    --route 'tcp#hub.example.org:4000 => FORWARDING_ADDRESS'
  ockam inlet --listen 127.0.0.1:4001 --to ID/web \\
    --via hub.example.org:4000 --identity laptop
  ockam inlet --listen 127.0.0.1:4001 --route-file FILE --resume-for 10m
  ockam inlet --listen udp://127.0.0.1:5353 --route ROUTE
  ockam inlet --listen unix:/run/db.sock --listen-mode 660 --route ROUTE
  ockam inlet --listen 127.0.0.1:1080 --socks --route ROUTE
  ockam inlet --listen 127.0.0.1:4001 --route ROUTE \\
    --identity laptop --trust ID")]
pub(crate) struct Arguments {
    /// Address to listen on for TCP clients, as host:port, or unix:/path for a Unix socket; for
    /// clients of UDP, as udp://host:port.
    #[arg(long, value_name = "ADDR")]
    listen: String,

    /// Who may connect to a Unix socket, as the mode of its file.
    #[arg(long, value_name = "MODE", default_value = "600", value_parser = mode)]
    listen_mode: u32,

    /// Have clients speak SOCKS5 and name their servers, which the outlet has to permit; names are
    /// looked up at the outlet.
    #[arg(long)]
    socks: bool,

    /// Do not tell the outlet where clients come from.
    #[arg(long)]
    hide_clients: bool,

    #[command(flatten)]
    route: RouteArguments,

    #[command(flatten)]
    to: ToArguments,

    /// Do not encrypt; the route then leads to the outlet itself.
    #[arg(long)]
    plain: bool,

    #[command(flatten)]
    resume: ResumeArguments,

    #[command(flatten)]
    udp: UdpArguments,

    #[command(flatten)]
    dial: DialArguments,

    #[command(flatten)]
    console: ConsoleArguments,

    #[command(flatten)]
    identity: IdentityArguments,
}

/// An inlet whose options are right.
pub(crate) struct Inlet {
    listen: String,
    listen_mode: u32,
    is_socks: bool,
    hides_clients: bool,
    way: Way,
    is_plain: bool,
    resume_for: Duration,
    idle_timeout: Duration,
    dial: DialArguments,
    console: ConsoleArguments,
    identity: IdentityArguments,
}

/// How the node of the outlet is reached.
enum Way {
    Along(Route),
    /// By name, through any of these hubs.
    To(NamedOutlet, Vec<NodeAddress>),
}

impl Arguments {
    /// Checks what needs nothing to be started.
    pub(crate) fn check(self) -> Result<Inlet> {
        self.identity.check_use("without --plain", !self.plain)?;
        self.dial.check()?;
        let way = match self.to.to {
            Some(to) => Way::To(to, hubs(self.to.via, "")?),
            None => Way::Along(self.route.route()?),
        };
        let inlet = Inlet {
            listen: self.listen,
            listen_mode: self.listen_mode,
            is_socks: self.socks,
            hides_clients: self.hide_clients,
            way,
            is_plain: self.plain,
            resume_for: self.resume.resume_for,
            idle_timeout: self.udp.idle_timeout,
            dial: self.dial,
            console: self.console,
            identity: self.identity,
        };
        match udp_address(&inlet.listen) {
            Some(address) => peer::parse(address).map(drop)?,
            None => inlet.options().check()?,
        }
        Ok(inlet)
    }
}

impl Startable for Inlet {
    fn name(&self) -> &str {
        &self.listen
    }

    fn listens(&self) -> Vec<String> {
        [self.listen.clone()].into_iter().chain(self.console.console.clone()).collect()
    }

    fn probe(&self, doubts: &mut Doubts) -> Result<()> {
        doubts.clients(&self.listen)?;
        self.dial.probe()?;
        self.console.probe(doubts)?;
        self.identity.probe(doubts)?;
        match &self.way {
            Way::Along(route) => doubts.route(route),
            Way::To(_, hubs) => doubts.nodes(hubs),
        }
        let listed = self.identity.listed()?;
        self.way.route(|name| self.identity.find(name, &listed)).map(drop)
    }

    fn start(&self, ctx: Context, _: u16) -> Start<'_> {
        Box::pin(self.run(ctx))
    }
}

impl Way {
    /// The route to the outlet's node, where `find` knows the identities that have a name.
    fn route(&self, find: impl FnOnce(&str) -> Option<Identifier>) -> Result<Route> {
        match self {
            Self::Along(route) => Ok(route.clone()),
            Self::To(outlet, hubs) => {
                let address = outlet.resolve(find)?.forwarding_address();
                Ok(Route::from(address.spread(&NodeAddress::any_of(hubs))).then(address))
            }
        }
    }
}

impl Inlet {
    async fn run(&self, ctx: Context) -> Result<()> {
        self.console.start(&ctx)?;
        let transports = Transports::create(&ctx, &self.dial).await?;
        let own = match self.is_plain {
            true => None,
            false => Some(self.identity.open(&ctx).await?),
        };
        if let Way::To(to, _) = &self.way {
            say!("for the outlet {to}, which may start later, and has to trust this identity");
        }
        self.listen(&transports, own).await
    }

    /// Listens for clients, whose channel is that of an identity unless it is plain.
    async fn listen(&self, transports: &Transports, own: Option<(Entity, Trust)>) -> Result<()> {
        let route = match own {
            None => self.way.route(|_| None)?,
            Some((mut entity, trust)) => {
                let to = self.way.route(|name| trust.find(name))?;
                let options = SecureChannelOptions::to(to).any_trusted_peer();
                route![entity.create_secure_channel(options, trust.policy())?, OUTLET]
            }
        };
        if let Some(address) = udp_address(&self.listen) {
            let options = UdpInletOptions::on(address).idle_timeout(self.idle_timeout);
            let inlet = transports.udp.create_inlet(options, route).await?;
            say!("inlet on {UDP}{}", inlet.address());
            return Ok(());
        }
        let inlet = transports.tcp.create_inlet(self.options(), route).await?;
        say!("inlet on {}", inlet.endpoint());
        if let Some(address) = inlet.endpoint().network() {
            Elsewhere::print("clients reach it at", &address.into()).await;
        }
        Ok(())
    }

    /// Where it listens for clients that are not of UDP, and how.
    fn options(&self) -> InletOptions {
        let mut options =
            InletOptions::on(&self.listen).mode(self.listen_mode).resume_for(self.resume_for);
        if self.is_socks {
            options = options.socks();
        }
        if self.hides_clients {
            options = options.hide_clients();
        }
        options
    }
}

/// The options of an inlet for such clients that say where it listens and how, on an address that
/// was asked for or one that is likely to be free.
pub(crate) fn inlet_options(clients: Clients, listen: Option<&str>) -> Vec<String> {
    let socks = (clients == Clients::Socks).then_some("--socks");
    let mut listen = listen.map_or_else(|| usual_listen(clients, 0), str::to_owned);
    if clients == Clients::Udp && udp_address(&listen).is_none() {
        listen.insert_str(0, UDP);
    }
    ["--listen", &listen].into_iter().chain(socks).map(str::to_owned).collect()
}

/// Where an inlet for such clients listens that has `others` beside it.
pub(crate) fn usual_listen(clients: Clients, others: u16) -> String {
    let first: u16 = match clients {
        Clients::Socks => 1080,
        Clients::Tcp | Clients::Udp => 4001,
    };
    format!("127.0.0.1:{}", first.saturating_add(others))
}

/// Starts the inlet of these options for an identity that is open already.
pub(crate) async fn start(
    transports: &Transports,
    entity: Entity,
    options: &[String],
) -> Result<()> {
    let command = Arguments::augment_args(Command::new("inlet").no_binary_name(true));
    let parsed = command.try_get_matches_from(options);
    let parsed = parsed.and_then(|matches| Arguments::from_arg_matches(&matches));
    let inlet = parsed.map_err(|error| Error::Usage(error.to_string()))?.check()?;
    let trust = inlet.identity.trust_of(&entity).await?;
    inlet.listen(transports, Some((entity, trust))).await
}

/// The mode of a file, as chmod takes it.
fn mode(text: &str) -> Result<u32, String> {
    let parsed = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
    parsed.ok_or_else(|| "expected up to three digits below 8, such as 660".to_owned())
}
