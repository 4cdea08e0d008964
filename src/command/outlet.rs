//! `ockam outlet`: makes a TCP server reachable through secure channels.

use clap::{ArgGroup, Args};
use ockam::{
    Context, Entity, ListenOptions, RemoteForwarder, Result, SecureChannels, TcpTransport,
    TrustEveryonePolicy, Vault, TCP,
};

use super::{CHANNEL_LISTENER, OUTLET};

/// Makes a TCP server reachable, from a node that listens or through a hub.
///
/// Prints the command that starts an inlet for it.
#[derive(Args)]
#[command(group(ArgGroup::new("way").required(true).args(["listen", "via"])))]
#[command(after_help = "Examples:
  ockam outlet --to 127.0.0.1:5000 --listen 127.0.0.1:4000
  ockam outlet --to 127.0.0.1:5000 --via hub.example.org:4000")]
pub(crate) struct Arguments {
    /// The TCP server to connect to: host:port.
    #[arg(long, value_name = "TARGET")]
    to: String,

    /// Listen here for inlet nodes: host:port.
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,

    /// Be reached through the hub at host:port, without listening anywhere.
    #[arg(long, value_name = "HUB")]
    via: Option<String>,

    /// Without encryption: anybody who reaches --listen reaches the target.
    #[arg(long, conflicts_with = "via")]
    plain: bool,
}

/// Starts the outlet.
pub(crate) async fn run(ctx: Context, arguments: Arguments) -> Result<()> {
    let tcp = TcpTransport::create(&ctx).await?;
    tcp.create_outlet(OUTLET, &arguments.to).await?;
    if !arguments.plain {
        let mut entity = Entity::create(&ctx, &Vault::create(&ctx)?)?;
        entity.create_secure_channel_listener(CHANNEL_LISTENER, TrustEveryonePolicy)?;
        println!("identity {}", entity.identifier());
    }
    let route = match (&arguments.listen, &arguments.via) {
        (Some(address), _) if arguments.plain => {
            let options = ListenOptions::new().expose(OUTLET);
            let listener = tcp.listen_with(address, options).await?;
            format!("tcp#{} => {OUTLET}", listener.address())
        }
        (Some(address), _) => {
            let listener = tcp.listen(address).await?;
            format!("tcp#{} => {CHANNEL_LISTENER}", listener.address())
        }
        (None, Some(hub)) => {
            let hub = (TCP, hub.as_str());
            let forwarder = RemoteForwarder::create(&ctx, hub, CHANNEL_LISTENER).await?;
            format!("tcp#{} => {}", hub.1, forwarder.remote_address())
        }
        // clap requires one of them.
        (None, None) => return Err("give --listen or --via".into()),
    };
    let plain = if arguments.plain { " --plain" } else { "" };
    println!("start an inlet for it with:");
    println!("ockam inlet --listen 127.0.0.1:4001{plain} --route '{route}'");
    Ok(())
}
