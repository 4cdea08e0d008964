//! `ockam demo`: the guide's last step in one process, with a picture of what happened.
//!
//! A web server, a hub, an outlet node and an inlet node talk over real sockets. Taps between the
//! two private nodes and the hub record what passes, so that what the hub can read is checked and
//! not just claimed.

mod picture;
mod tap;
mod web;

use ockam_actix_runtime::Host;
use std::{
    io::Read,
    time::{Duration, Instant},
};

use clap::Args;
use ockam::{
    route, Context, Entity, Error, ForwardingOptions, ForwardingService, NodeBuilder,
    RemoteForwarder, Result, SecureChannels, TcpTransport, TrustEveryonePolicy, Vault, TCP,
};

use crate::command::{
    demo::{
        picture::Picture,
        tap::Tap,
        web::{WebServer, PAGE_MARK},
    },
    CHANNEL_LISTENER, OUTLET,
};

/// How long the demonstration waits for its secure channel, and for its page: both are on one
/// machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tunnel a web page between two private nodes, through a hub that cannot read it.
///
/// A web server, a hub and both nodes run in this process and talk over real sockets. A picture
/// shows the route of the page, and what the hub saw.
#[derive(Args)]
#[command(after_help = "Example:\n  ockam demo --once")]
pub(crate) struct Arguments {
    /// Exit once the page is fetched, instead of staying up for your own curl.
    #[arg(long)]
    once: bool,

    /// Address for the inlet to listen on, as host:port; port 0 means any free port.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: String,
}

/// Starts everything, fetches the page and draws the route that it took.
pub(crate) async fn run(ctx: Context, arguments: Arguments) -> Result<()> {
    let target = WebServer::start().await?;

    // The hub: a node that neither end trusts.
    let hub = NodeBuilder::new().arbiters(1).start().await?;
    ForwardingService::start(&hub, ForwardingOptions::new())?;
    let hub_address = TcpTransport::create(&hub).await?.listen("127.0.0.1:0").await?.address();

    // The outlet node: private, it listens nowhere.
    let outlet_tap = Tap::start(hub_address).await?;
    let outlet_node = NodeBuilder::new().arbiters(1).start_with_context().await?;
    let tcp = TcpTransport::create(&outlet_node).await?;
    let mut outlet_entity = Entity::create(&outlet_node, &Vault::create(&outlet_node)?)?;
    outlet_entity.create_secure_channel_listener(CHANNEL_LISTENER, TrustEveryonePolicy)?;
    tcp.create_outlet(OUTLET, target.address().to_string()).await?;
    let hub_seen_by_outlet = (TCP, outlet_tap.address().to_string());
    let forwarder =
        RemoteForwarder::create(&outlet_node, hub_seen_by_outlet, CHANNEL_LISTENER).await?;

    // The inlet node: private as well; it knows the forwarding address and nothing else.
    let inlet_tap = Tap::start(hub_address).await?;
    let inlet_node = NodeBuilder::new().arbiters(1).start_with_context().await?;
    let tcp = TcpTransport::create(&inlet_node).await?;
    let mut inlet_entity = Entity::create(&inlet_node, &Vault::create(&inlet_node)?)?;
    let route = route![(TCP, inlet_tap.address().to_string()), forwarder.remote_address()];
    let channel = inlet_entity.create_secure_channel(route, TrustEveryonePolicy)?;
    let inlet = tcp.create_inlet(&arguments.listen, route![&channel, OUTLET]).await?;
    channel.established_within(PATIENCE).await?;

    let begun = Instant::now();
    let page = fetch(format!("http://{}/", inlet.address())).await?;
    let taken = begun.elapsed();

    let picture = Picture {
        inlet: inlet.address(),
        hub: hub_address,
        target: target.address(),
        inlet_identity: inlet_entity.identifier(),
        outlet_identity: outlet_entity.identifier(),
        forwarding_address: forwarder.remote_address().to_string(),
        page,
        taken,
        to_hub: inlet_tap.seen(),
        from_hub: outlet_tap.seen(),
        mark: PAGE_MARK,
    };
    print!("{}", picture.draw());
    if !picture.is_as_claimed() {
        return Err(Error::Bug("the demonstration did not show what it claims".into()));
    }
    if arguments.once {
        for node in [inlet_node.node(), outlet_node.node(), &hub, ctx.node()] {
            node.stop().await;
        }
        return Ok(());
    }
    println!("Try it yourself:  curl http://{}/    (stop with Ctrl-C)", inlet.address());
    ctx.node().stopping().await;
    Ok(())
}

/// Fetches a page as any program would, with a client that knows nothing of the tunnel.
async fn fetch(address: String) -> Result<String> {
    let fetching = tokio::task::spawn_blocking(move || {
        let mut body = String::new();
        let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build();
        let mut response = ureq::Agent::new_with_config(config).get(&address).call()?;
        response.body_mut().as_reader().read_to_string(&mut body)?;
        Ok::<_, ureq::Error>(body)
    });
    let fetched = fetching.await.map_err(|error| Error::Bug(error.to_string()))?;
    fetched.map_err(|error| Error::Other(Box::new(error)))
}
