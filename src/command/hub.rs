//! `ockam hub`: a node with a forwarding service.

use clap::Args;
use ockam::{Context, ForwardingOptions, ForwardingService, Result, TcpTransport};

/// Runs a hub: nodes in private networks register with it and are reached through it.
///
/// The hub cannot read or change what it forwards.
#[derive(Args)]
#[command(after_help = "Example:\n  ockam hub 0.0.0.0:4000")]
pub(crate) struct Arguments {
    /// Where to listen for nodes: host:port.
    #[arg(default_value = "127.0.0.1:4000")]
    address: String,
}

/// Starts the hub.
pub(crate) async fn run(ctx: Context, arguments: Arguments) -> Result<()> {
    ForwardingService::start(ctx.node(), ForwardingOptions::new())?;
    let tcp = TcpTransport::create(&ctx).await?;
    let listener = tcp.listen(&arguments.address).await?;
    println!("hub on {}", listener.address());
    Ok(())
}
