//! `ockam inlet`: a TCP server whose clients are tunnelled to an outlet.

use clap::Args;
use ockam::{route, Context, Result, Route, SecureChannels, TcpTransport};

use crate::command::{identity_args::Who, OUTLET};

/// Listens for TCP clients and tunnels each of them to an outlet.
///
/// The route is the one that `ockam outlet` printed.
#[derive(Args)]
#[command(after_help = "Examples:
  ockam inlet --listen 127.0.0.1:4001 --route 'tcp#127.0.0.1:4000 => secure_channel_listener_service'
  ockam inlet --listen 127.0.0.1:4001 --route 'tcp#hub.example.org:4000 => FORWARDING_ADDRESS'
  ockam inlet --listen 127.0.0.1:4001 --route ROUTE --identity laptop --trust ID")]
pub(crate) struct Arguments {
    /// Where to listen for TCP clients: host:port.
    #[arg(long, value_name = "ADDR")]
    listen: String,

    /// The way to the outlet node: addresses with => between them.
    // Without a parser of its own, clap would take the whole text for one address.
    #[arg(long, value_name = "ROUTE", value_parser = str::parse::<Route>)]
    route: Route,

    /// Without encryption: the route leads to the outlet itself.
    #[arg(long)]
    plain: bool,

    #[command(flatten)]
    who: Who,
}

/// Starts the inlet.
pub(crate) async fn run(ctx: Context, arguments: Arguments) -> Result<()> {
    arguments.who.needs("a channel, without --plain", !arguments.plain)?;
    let tcp = TcpTransport::create(&ctx).await?;
    let route = if arguments.plain {
        arguments.route
    } else {
        let mut entity = arguments.who.entity(&ctx).await?;
        let channel = entity.create_secure_channel(arguments.route, arguments.who.policy())?;
        route![channel, OUTLET]
    };
    let inlet = tcp.create_inlet(&arguments.listen, route).await?;
    println!("inlet on {}", inlet.address());
    Ok(())
}
