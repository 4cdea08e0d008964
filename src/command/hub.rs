//! `ockam hub`: a node with a forwarding service.

use std::collections::HashSet;

use clap::Args;
use ockam::{
    Context, ForwardingOptions, ForwardingService, Identifier, Origin, Result, SecureChannels,
    TcpTransport,
};

use crate::command::{identity_args::Who, CHANNEL_LISTENER};

/// Runs a hub: nodes in private networks register with it and are reached through it.
///
/// The hub cannot read or change what it forwards.
#[derive(Args)]
#[command(after_help = "Examples:
  ockam hub 0.0.0.0:4000
  ockam hub 0.0.0.0:4000 --require-channel --identity hub --trust ID,ID")]
pub(crate) struct Arguments {
    /// Where to listen for nodes: host:port.
    #[arg(default_value = "127.0.0.1:4000")]
    address: String,

    /// Register only nodes that come through a secure channel with the hub: `ockam outlet --via HUB --hub-channel`.
    #[arg(long)]
    require_channel: bool,

    #[command(flatten)]
    who: Who,
}

/// Starts the hub.
pub(crate) async fn run(ctx: Context, arguments: Arguments) -> Result<()> {
    let Arguments { address, require_channel, who } = arguments;
    who.needs("--require-channel", require_channel)?;
    let mut options = ForwardingOptions::new();
    if require_channel {
        let mut entity = who.entity(&ctx).await?;
        entity.create_secure_channel_listener(CHANNEL_LISTENER, who.policy())?;
        options = options.permit(registrants(who.trusted()));
    }
    ForwardingService::start(ctx.node(), options)?;
    let tcp = TcpTransport::create(&ctx).await?;
    let listener = tcp.listen(&address).await?;
    println!("hub on {}", listener.address());
    Ok(())
}

/// Whoever came through a channel as one of `trusted`, or as anybody where none are named.
fn registrants(trusted: &[Identifier]) -> impl Fn(&Origin) -> bool + Send + Sync + 'static {
    let trusted: HashSet<Identifier> = trusted.iter().copied().collect();
    move |origin| origin.peer().is_some_and(|peer| trusted.is_empty() || trusted.contains(&peer))
}
