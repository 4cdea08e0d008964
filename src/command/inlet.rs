//! `ockam inlet`: a TCP server whose clients are tunnelled to an outlet.

use clap::{Args, Command, FromArgMatches};
use ockam::{
    route, Clients, Context, Entity, Error, InletOptions, Result, Route, SecureChannels,
    UdpInletOptions,
};

use ockam_actix_transports::peer;

use crate::command::{
    console_args::ConsoleArguments,
    dial_args::DialArguments,
    doubts::Doubts,
    elsewhere::Elsewhere,
    identity_args::IdentityArguments,
    output::say,
    resume_args::ResumeArguments,
    route_args::RouteArguments,
    to_args::ToArguments,
    transports::Transports,
    udp_args::{udp_address, UdpArguments, UDP},
    OUTLET,
};

/// What the address of a Unix socket begins with.
const UNIX_SOCKET: &str = "unix:";

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

impl Arguments {
    /// Checks what needs nothing to be started.
    pub(crate) fn check(&self) -> Result<()> {
        self.identity.check_use("without --plain", !self.plain)?;
        if !self.listen.starts_with(UNIX_SOCKET) {
            peer::parse(udp_address(&self.listen).unwrap_or(&self.listen))?;
        }
        match &self.to.to {
            Some(_) => self.to.hubs().map(drop),
            None => self.route.route().map(drop),
        }
    }

    /// The route to the outlet's node; names count once there is an entity.
    fn route(&self) -> Result<Route> {
        match &self.to.to {
            Some(to) => self.to.route(to, &self.identity),
            None => self.route.route(),
        }
    }

    /// Looks at the files and hosts that are named.
    ///
    /// # Errors
    /// If a file cannot be used.
    pub(crate) fn probe(&self, doubts: &mut Doubts) -> Result<()> {
        doubts.clients(&self.listen);
        match &self.to.to {
            Some(_) => doubts.nodes(&self.to.hubs()?),
            None => doubts.route(&self.route.route()?),
        }
        self.dial.authorities.authorities()?;
        self.identity.probe(doubts)
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

/// Starts the inlet.
pub(crate) async fn run(ctx: Context, arguments: Arguments) -> Result<()> {
    arguments.check()?;
    arguments.console.start(&ctx)?;
    let transports = Transports::create(&ctx, &arguments.dial).await?;
    let entity = match arguments.plain {
        true => None,
        false => Some(arguments.identity.entity(&ctx).await?),
    };
    if let Some(to) = &arguments.to.to {
        say!("for the outlet {to}, which may start later, and has to trust this identity");
    }
    open(&transports, entity, &arguments).await
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
    let arguments = parsed.map_err(|error| Error::Usage(error.to_string()))?;
    open(transports, Some(entity), &arguments).await
}

async fn open(
    transports: &Transports,
    entity: Option<Entity>,
    arguments: &Arguments,
) -> Result<()> {
    let route = match entity {
        None => arguments.route()?,
        Some(mut entity) => {
            let options = arguments.identity.channel_to(arguments.route()?);
            let channel = entity.create_secure_channel(options, arguments.identity.policy())?;
            route![channel, OUTLET]
        }
    };
    if let Some(address) = udp_address(&arguments.listen) {
        let options = UdpInletOptions::on(address).idle_timeout(arguments.udp.idle_timeout);
        let inlet = transports.udp.create_inlet(options, route).await?;
        say!("inlet on {UDP}{}", inlet.address());
        return Ok(());
    }
    let mut options = InletOptions::on(&arguments.listen)
        .mode(arguments.listen_mode)
        .resume_for(arguments.resume.resume_for);
    if arguments.socks {
        options = options.socks();
    }
    if arguments.hide_clients {
        options = options.hide_clients();
    }
    let inlet = transports.tcp.create_inlet(options, route).await?;
    say!("inlet on {}", inlet.endpoint());
    if let Some(address) = inlet.endpoint().network() {
        Elsewhere::print("clients reach it at", &address.into()).await;
    }
    Ok(())
}

/// The mode of a file, as chmod takes it.
fn mode(text: &str) -> Result<u32, String> {
    let parsed = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
    parsed.ok_or_else(|| "expected up to three digits below 8, such as 660".to_owned())
}
