//! `ockam outlet`: makes a TCP server reachable through secure channels.

mod reach;

use clap::Args;
use ockam::{Clients, Context, Identifier, OutletOptions, ProxyProtocol, Result};
use ockam_actix_transports::peer;

use crate::command::{
    console_args::ConsoleArguments,
    dial_args::DialArguments,
    doubts::Doubts,
    elsewhere::Elsewhere,
    hub_args::hubs,
    identity_args::IdentityArguments,
    inlet::{inlet_options, usual_listen},
    listeners::Listeners,
    node_address::NodeAddress,
    output::say,
    resume_args::ResumeArguments,
    startable::{HubService, Start, Startable},
    tls_args::CertificateArguments,
    to_args::service_name,
    transports::Transports,
    udp_args::{udp_address, UdpArguments},
};

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
    #[arg(hide_default_value = true, value_parser = service_name)]
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

/// An outlet whose options are right.
pub(crate) struct Outlet {
    target: String,
    proxy_protocol: Option<ProxyProtocol>,
    way: Way,
    resume: ResumeArguments,
    udp: UdpArguments,
    dial: DialArguments,
    console: ConsoleArguments,
    identity: IdentityArguments,
}

/// How inlets get to an outlet.
enum Way {
    /// Their nodes connect to it, and whoever does reaches the target.
    Plain(Listeners),
    /// Their nodes connect to it.
    Listen(Listeners),
    /// It is registered with hubs.
    Hubs(AtHubs),
}

/// How an outlet is registered with hubs.
struct AtHubs {
    hubs: Vec<NodeAddress>,
    /// Empty if it has no name.
    service: String,
    /// Whether that is done through a channel, and who has to be its other end.
    channel: Option<Option<Identifier>>,
}

impl Arguments {
    /// Checks what needs nothing to be started.
    pub(crate) fn check(self) -> Result<Outlet> {
        self.identity.check_use("without --plain", !self.plain)?;
        self.dial.check()?;
        let way = match (self.listen.is_empty(), self.plain) {
            (true, true) => return Err("--plain needs --listen".into()),
            (false, true) => Way::Plain(Listeners::new(self.listen, self.certificate)?),
            (false, false) => Way::Listen(Listeners::new(self.listen, self.certificate)?),
            (true, false) => Way::Hubs(AtHubs {
                hubs: hubs(self.via, "how inlets get here: --listen HOST:PORT, or ")?,
                service: self.service,
                channel: self.hub_channel,
            }),
        };
        let outlet = Outlet {
            target: self.to,
            proxy_protocol: self.proxy_protocol,
            way,
            resume: self.resume,
            udp: self.udp,
            dial: self.dial,
            console: self.console,
            identity: self.identity,
        };
        match udp_address(&outlet.target) {
            Some(target) => peer::parse(target).map(drop)?,
            None => outlet.options().check()?,
        }
        Ok(outlet)
    }
}

impl Startable for Outlet {
    fn name(&self) -> &str {
        match &self.way {
            Way::Hubs(AtHubs { service, .. }) if !service.is_empty() => service,
            _ => &self.target,
        }
    }

    fn listens(&self) -> Vec<String> {
        let listeners = match &self.way {
            Way::Plain(listeners) | Way::Listen(listeners) => Some(listeners),
            Way::Hubs(_) => None,
        };
        let nodes = listeners.into_iter().flat_map(Listeners::words);
        nodes.chain(self.console.console.clone()).collect()
    }

    fn service(&self) -> Option<HubService<'_>> {
        let Way::Hubs(AtHubs { hubs, service, .. }) = &self.way else { return None };
        Some(HubService { owner: self.identity.kept()?, name: service, hubs })
    }

    fn waits_for_others(&self) -> bool {
        matches!(self.way, Way::Hubs(_))
    }

    fn probe(&self, doubts: &mut Doubts) -> Result<()> {
        doubts.target(&self.target);
        match &self.way {
            Way::Plain(listeners) | Way::Listen(listeners) => listeners.probe(doubts)?,
            Way::Hubs(AtHubs { hubs, .. }) => doubts.nodes(hubs),
        }
        self.dial.probe()?;
        self.console.probe(doubts)?;
        self.identity.probe(doubts)
    }

    /// Starts the outlet. A hub that cannot be reached or refuses is tried again, which the log
    /// says.
    ///
    /// Its number chooses the port of the command that it prints: the inlets of all outlets of the
    /// process may run on one machine.
    fn start(&self, ctx: Context, number: u16) -> Start<'_> {
        Box::pin(self.run(ctx, number))
    }
}

impl Outlet {
    async fn run(&self, ctx: Context, number: u16) -> Result<()> {
        self.console.start(&ctx)?;
        let transports = Transports::create(&ctx, &self.dial).await?;
        let Reached { route, with, by_name } = match &self.way {
            Way::Plain(listeners) => self.listen_plain(&transports, listeners).await?,
            Way::Listen(listeners) => self.accept_channels(&ctx, &transports, listeners).await?,
            Way::Hubs(at) => self.accept_through_hubs(&ctx, &transports, at).await?,
        };
        Elsewhere::explain(&route);
        // Nobody else is let in.
        let identity = if self.identity.is_open() { "" } else { " --identity NAME" };
        if !identity.is_empty() {
            say!("NAME stands for an identity of the inlet's vault, which has to be trusted here.");
        }
        let it = match &self.way {
            Way::Hubs(AtHubs { service, .. }) if !service.is_empty() => service,
            _ => "it",
        };
        say!("start an inlet for {it} with:");
        let clients = self.clients();
        let lasting = match clients {
            Clients::Udp => self.udp.unless_default(),
            Clients::Tcp | Clients::Socks => self.resume.unless_default(),
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

    /// What the outlet connects to, for all that reach it.
    fn options(&self) -> OutletOptions {
        let options = OutletOptions::to(&self.target).resume_for(self.resume.resume_for);
        match self.proxy_protocol {
            Some(version) => options.proxy_protocol(version),
            None => options,
        }
    }

    /// What the clients of its inlets speak.
    fn clients(&self) -> Clients {
        match udp_address(&self.target) {
            Some(_) => Clients::Udp,
            None if self.options().has_patterns() => Clients::Socks,
            None => Clients::Tcp,
        }
    }
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
