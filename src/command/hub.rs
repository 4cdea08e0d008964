//! `ockam hub`: a node with a forwarding service.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use ockam::{
    Context, Error, ForwardingOptions, ForwardingService, HistoryFile, Result, SecureChannels,
};

use crate::command::{
    cluster_args::{ClusterArguments, HubOfCluster},
    console_args::ConsoleArguments,
    dial_args::DialArguments,
    doubts::Doubts,
    elsewhere::Elsewhere,
    identity_args::IdentityArguments,
    listeners::Listeners,
    node_address::NodeAddress,
    output::say,
    startable::{Start, Startable},
    tls_args::CertificateArguments,
    transports::Transports,
    CHANNEL_LISTENER,
};

/// Run a hub, through which nodes in private networks are reached.
///
/// Nodes connect to the hub and register with it. It forwards messages to them, which it cannot
/// read or change.
#[derive(Args)]
#[command(after_help = "Examples:
  ockam hub 0.0.0.0:4000 --known /var/lib/ockam/known
  ockam hub 0.0.0.0:4000 unix:/run/ockam/hub.sock
  ockam hub wss://0.0.0.0:443 --tls-cert chain.pem --tls-key key.pem
  ockam hub 0.0.0.0:4000 --cluster nats://a:4222,nats://b:4222 \\
    --advertise hub-1:4000
  ockam hub 0.0.0.0:4000 --require-channel --identity hub --trust ID,ID")]
pub(crate) struct Arguments {
    /// Addresses to listen on for nodes, as host:port, quic://host:port, ws://host:port/path,
    /// wss://host:port/path or unix:/path.
    #[arg(default_value = "127.0.0.1:4000", value_name = "ADDR")]
    listen: Vec<NodeAddress>,

    /// Register only nodes that come through a secure channel with the hub, as
    /// `ockam outlet --via HUB --hub-channel` does.
    #[arg(long)]
    require_channel: bool,

    /// File that keeps which keys of nodes were replaced, so that nobody uses them after a restart
    /// of the hub; with --identity, it is beside the vault.
    #[arg(long, value_name = "FILE", conflicts_with = "identity")]
    known: Option<PathBuf>,

    #[command(flatten)]
    cluster: ClusterArguments,

    /// Seconds that outlets and inlets which list other hubs have to move there when this one is
    /// stopped by SIGTERM. Those that know no other hub are not waited for; 0 waits for nobody.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    drain_seconds: u16,

    #[command(flatten)]
    certificate: CertificateArguments,

    #[command(flatten)]
    dial: DialArguments,

    #[command(flatten)]
    console: ConsoleArguments,

    #[command(flatten)]
    identity: IdentityArguments,
}

/// A hub whose options are right.
pub(crate) struct Hub {
    name: String,
    listeners: Listeners,
    requires_channel: bool,
    known: Option<PathBuf>,
    cluster: Option<HubOfCluster>,
    move_timeout: Duration,
    dial: DialArguments,
    console: ConsoleArguments,
    identity: IdentityArguments,
}

impl Arguments {
    /// Checks what needs nothing to be started.
    pub(crate) fn check(self) -> Result<Hub> {
        self.identity.check_use("with --require-channel", self.require_channel)?;
        self.dial.check()?;
        Ok(Hub {
            name: self.listen.first().map(NodeAddress::to_string).unwrap_or_default(),
            listeners: Listeners::new(self.listen, self.certificate)?,
            requires_channel: self.require_channel,
            known: self.known,
            cluster: self.cluster.check()?,
            move_timeout: Duration::from_secs(self.drain_seconds.into()),
            dial: self.dial,
            console: self.console,
            identity: self.identity,
        })
    }
}

impl Startable for Hub {
    fn name(&self) -> &str {
        &self.name
    }

    fn listens(&self) -> Vec<String> {
        self.listeners.words().chain(self.console.console.clone()).collect()
    }

    fn probe(&self, doubts: &mut Doubts) -> Result<()> {
        self.listeners.probe(doubts)?;
        if let Some(path) = &self.known {
            doubts.folder_of(path)?;
            doubts.history(path)?;
        }
        self.cluster.as_ref().map_or(Ok(()), |cluster| cluster.probe(doubts))?;
        self.dial.probe()?;
        self.console.probe(doubts)?;
        self.identity.probe(doubts)
    }

    fn start(&self, ctx: Context, _: u16) -> Start<'_> {
        Box::pin(self.run(ctx))
    }
}

impl Hub {
    async fn run(&self, ctx: Context) -> Result<()> {
        self.console.start(&ctx)?;
        if let Some(path) = self.known.clone() {
            // The disk is not waited for on an arbiter.
            let opening = actix_rt::task::spawn_blocking(move || HistoryFile::open(path));
            let opened = opening.await.map_err(|error| Error::Bug(error.to_string()))?;
            opened.map_err(|error| Error::Other(error.into()))?.keep_for(&ctx);
        }
        let mut options = ForwardingOptions::new().move_timeout(self.move_timeout);
        let mut own = None;
        if self.requires_channel {
            let (mut entity, trust) = self.identity.open(&ctx).await?;
            entity.create_secure_channel_listener(CHANNEL_LISTENER, trust.policy())?;
            options = match trust.access_rule(entity.identifier()) {
                Some(rule) => options.permit(rule),
                None => options.permit(|origin| origin.peer().is_some()),
            };
            own = Some(entity);
        }
        if let Some(cluster) = &self.cluster {
            options = options.cluster(cluster.join(&ctx, own.as_ref()).await?);
        }
        ForwardingService::start(ctx.node(), options)?;
        let transports = Transports::create(&ctx, &self.dial).await?;
        for bound in transports.listen(&self.listeners, None).await? {
            say!("hub on {bound}");
            Elsewhere::print("other nodes reach it as", &bound).await;
        }
        Ok(())
    }
}
