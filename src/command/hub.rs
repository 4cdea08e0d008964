//! `ockam hub`: a node with a forwarding service.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use ockam::{
    Context, Error, ForwardingOptions, ForwardingService, HistoryFile, Result, SecureChannels,
};

use crate::command::{
    cluster_args::ClusterArguments, console_args::ConsoleArguments, dial_args::DialArguments,
    doubts::Doubts, elsewhere::Elsewhere, identity_args::IdentityArguments,
    node_address::NodeAddress, output::say, tls_args::CertificateArguments, transports::Transports,
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

impl Arguments {
    /// Checks what needs nothing to be started.
    pub(crate) fn check(&self) -> Result<()> {
        self.identity.check_use("with --require-channel", self.require_channel)
    }

    /// Looks at the files and hosts that are named.
    ///
    /// # Errors
    /// If a file cannot be used.
    pub(crate) fn probe(&self, doubts: &mut Doubts) -> Result<()> {
        doubts.listeners(&self.listen);
        self.cluster.probe(doubts);
        self.certificate.probe()?;
        self.dial.authorities.authorities()?;
        self.identity.probe(doubts)
    }
}

/// Starts the hub.
pub(crate) async fn run(ctx: Context, arguments: Arguments) -> Result<()> {
    arguments.check()?;
    let Arguments {
        listen,
        require_channel,
        known,
        cluster,
        drain_seconds,
        certificate,
        dial,
        console,
        identity,
    } = arguments;
    console.start(&ctx)?;
    if let Some(path) = known {
        // The disk is not waited for on an arbiter.
        let opening = actix_rt::task::spawn_blocking(move || HistoryFile::open(path));
        let opened = opening.await.map_err(|error| Error::Bug(error.to_string()))?;
        opened.map_err(|error| Error::Other(error.into()))?.keep_for(&ctx);
    }
    let move_timeout = Duration::from_secs(drain_seconds.into());
    let (mut options, mut own) = (ForwardingOptions::new().move_timeout(move_timeout), None);
    if require_channel {
        let mut entity = identity.entity(&ctx).await?;
        entity.create_secure_channel_listener(CHANNEL_LISTENER, identity.policy())?;
        options = match identity.access_rule(entity.identifier()) {
            Some(rule) => options.permit(rule),
            None => options.permit(|origin| origin.peer().is_some()),
        };
        own = Some(entity);
    }
    if let Some(cluster) = cluster.join(&ctx, own.as_ref()).await? {
        options = options.cluster(cluster);
    }
    ForwardingService::start(ctx.node(), options)?;
    let transports = Transports::create(&ctx, &dial).await?;
    for bound in transports.listen(&listen, None, &certificate).await? {
        say!("hub on {bound}");
        Elsewhere::print("other nodes reach it as", &bound).await;
    }
    Ok(())
}
