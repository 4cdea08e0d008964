//! Our own nodes, one function for each process of each step.
//!
//! [`crate::steps`] starts this program again with one of these roles and its arguments. A role
//! says [`ready`] with what the next process needs to know (a listening address, or the address of
//! a forwarder) and then runs until its parent ends it.

use std::{io, process::ExitCode, time::Instant};

use ockam::{
    cluster::{Cluster, NatsBus, NatsOptions},
    route, run, Context, Entity, ForwardingOptions, ForwardingService, ListenOptions,
    RemoteForwarder, Result, Route, SecureChannels, TcpTransport, TrustEveryonePolicy, Vault, TCP,
};

use crate::{client::echo_once, summary::median};
use ockam_actix_harness::role::ready;

const ANY_PORT: &str = "127.0.0.1:0";
const LISTENER: &str = "secure_channel_listener_service";

/// Plays one of our roles; fails if there is no such role.
pub(crate) fn play(role: &str, arguments: &[&str]) -> ExitCode {
    let own: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let role = role.to_owned();
    run(|ctx| async move {
        let arguments: Vec<&str> = own.iter().map(String::as_str).collect();
        match (role.as_str(), arguments.as_slice()) {
            ("01", [target]) => inlet_and_outlet(&ctx, target).await,
            ("02-outlet", [target]) => plain_outlet(&ctx, target).await,
            ("02-inlet", [outlet]) => inlet(&ctx, route![(TCP, outlet), "outlet"]).await,
            ("03-outlet", [target]) => secure_outlet(&ctx, target).await,
            ("03-inlet", [outlet]) => secure_inlet(&ctx, route![(TCP, outlet), LISTENER]).await,
            ("03-channels", [outlet, count]) => channels(&ctx, outlet, count).await,
            ("hub", []) => hub(&ctx).await,
            ("cluster-hub", [address, nats]) => cluster_hub(&ctx, address, nats).await,
            ("04-outlet", [target, hub]) => forwarded_outlet(&ctx, target, hub).await,
            ("04-inlet", [hub, forwarder]) => {
                secure_inlet(&ctx, route![(TCP, hub), *forwarder]).await
            }
            ("held-channels", [hub, forwarder, count]) => {
                held_channels(&ctx, hub, forwarder, count).await
            }
            ("outlets", [target, hub, count]) => outlets(&ctx, target, hub, count).await,
            ("first-bytes", [hub, forwarders]) => first_bytes(&ctx, hub, forwarders).await,
            _ => Err(format!("there is no role {role} with the arguments {arguments:?}").into()),
        }
    })
}

/// Step 01: an inlet and an outlet to `target` in one node. Ready with the inlet's address.
async fn inlet_and_outlet(ctx: &Context, target: &str) -> Result<()> {
    TcpTransport::create(ctx).await?.create_outlet("outlet", target).await?;
    inlet(ctx, route!["outlet"]).await
}

/// Step 02: an outlet to `target`. Ready with the node's listening address.
async fn plain_outlet(ctx: &Context, target: &str) -> Result<()> {
    let tcp = TcpTransport::create(ctx).await?;
    tcp.create_outlet("outlet", target).await?;
    let options = ListenOptions::on(ANY_PORT).expose("outlet");
    Ok(ready(tcp.listen(options).await?.address())?)
}

/// Step 03: an outlet to `target` that is reached through a secure channel listener. Ready with the
/// node's listening address.
async fn secure_outlet(ctx: &Context, target: &str) -> Result<()> {
    let tcp = guarded_outlet(ctx, target).await?;
    Ok(ready(tcp.listen(ANY_PORT).await?.address())?)
}

/// Step 04: an outlet to `target` that registers with `hub`. Ready with the forwarding address.
async fn forwarded_outlet(ctx: &Context, target: &str, hub: &str) -> Result<()> {
    guarded_outlet(ctx, target).await?;
    let forwarder = RemoteForwarder::create(ctx, (TCP, hub), LISTENER).await?;
    Ok(ready(forwarder.remote_address())?)
}

/// `count` channels to the forwarder at `hub`. Ready when all are established.
async fn held_channels(ctx: &Context, hub: &str, forwarder: &str, count: &str) -> Result<()> {
    TcpTransport::create(ctx).await?;
    let mut entity = Entity::create(ctx, &Vault::create(ctx)?)?;
    for _ in 0..count.parse::<usize>().unwrap_or(1) {
        let route = route![(TCP, hub), forwarder];
        entity.create_secure_channel(route, TrustEveryonePolicy)?.established().await?;
    }
    Ok(ready(count)?)
}

/// An outlet to `target` that is reached through `count` listeners, each with a forwarder at `hub`.
/// Ready with the forwarders' addresses.
async fn outlets(ctx: &Context, target: &str, hub: &str, count: &str) -> Result<()> {
    let tcp = TcpTransport::create(ctx).await?;
    let mut entity = Entity::create(ctx, &Vault::create(ctx)?)?;
    tcp.create_outlet("outlet", target).await?;
    let mut addresses = Vec::new();
    for number in 0..count.parse::<usize>().unwrap_or(1) {
        let listener = format!("{LISTENER}-{number}");
        entity.create_secure_channel_listener(listener.as_str(), TrustEveryonePolicy)?;
        let forwarder = RemoteForwarder::create(ctx, (TCP, hub), listener.as_str()).await?;
        addresses.push(forwarder.remote_address().to_string());
    }
    Ok(ready(addresses.join(","))?)
}

/// Uses each of the forwarders at `hub` for one byte. Ready with the milliseconds that each took.
async fn first_bytes(ctx: &Context, hub: &str, forwarders: &str) -> Result<()> {
    let tcp = TcpTransport::create(ctx).await?;
    let mut entity = Entity::create(ctx, &Vault::create(ctx)?)?;
    let mut taken = Vec::new();
    for forwarder in forwarders.split(',') {
        let begun = Instant::now();
        let route = route![(TCP, hub), forwarder];
        let channel = entity.create_secure_channel(route, TrustEveryonePolicy)?;
        let inlet = tcp.create_inlet(ANY_PORT, route![channel.clone(), "outlet"]).await?;
        let address = inlet.address();
        actix_rt::task::spawn_blocking(move || echo_once(address))
            .await
            .map_err(io::Error::other)??;
        taken.push(format!("{:.3}", begun.elapsed().as_secs_f64() * 1e3));
        channel.close();
    }
    Ok(ready(taken.join(","))?)
}

/// Step 04: the hub. Ready with its listening address.
async fn hub(ctx: &Context) -> Result<()> {
    ForwardingService::start(ctx.node(), ForwardingOptions::new())?;
    Ok(ready(TcpTransport::create(ctx).await?.listen(ANY_PORT).await?.address())?)
}

/// Step 04 through two hubs: one of them, at `address`. Ready with that.
async fn cluster_hub(ctx: &Context, address: &str, nats: &str) -> Result<()> {
    let bus = NatsBus::connect(NatsOptions::new(nats)).await?;
    let cluster = Cluster::join(ctx, (TCP, address), bus)?;
    ForwardingService::start(ctx.node(), ForwardingOptions::new().cluster(cluster))?;
    Ok(ready(TcpTransport::create(ctx).await?.listen(address).await?.address())?)
}

/// Steps 03 and 04: an inlet through a secure channel along `route`. Ready with the inlet's
/// address.
async fn secure_inlet(ctx: &Context, route: Route) -> Result<()> {
    TcpTransport::create(ctx).await?;
    let mut entity = Entity::create(ctx, &Vault::create(ctx)?)?;
    let channel = entity.create_secure_channel(route, TrustEveryonePolicy)?;
    channel.established().await?;
    inlet(ctx, route![channel, "outlet"]).await
}

/// Step 03: channels to a node, one after the other. Ready with the median time that each took, in
/// microseconds.
async fn channels(ctx: &Context, outlet: &str, count: &str) -> Result<()> {
    let _tcp = TcpTransport::create(ctx).await?;
    let mut entity = Entity::create(ctx, &Vault::create(ctx)?)?;
    let mut taken = Vec::new();
    for _ in 0..count.parse::<usize>().unwrap_or(1) {
        let begun = Instant::now();
        let route = route![(TCP, outlet), LISTENER];
        let channel = entity.create_secure_channel(route, TrustEveryonePolicy)?;
        channel.established().await?;
        taken.push(begun.elapsed().as_secs_f64() * 1e6);
        channel.close();
    }
    let median = median(taken).unwrap_or(f64::INFINITY);
    Ok(ready(median)?)
}

async fn guarded_outlet(ctx: &Context, target: &str) -> Result<TcpTransport> {
    let tcp = TcpTransport::create(ctx).await?;
    let mut entity = Entity::create(ctx, &Vault::create(ctx)?)?;
    entity.create_secure_channel_listener(LISTENER, TrustEveryonePolicy)?;
    tcp.create_outlet("outlet", target).await?;
    Ok(tcp)
}

/// An inlet to the outlet at the end of `route`. Ready with its address.
async fn inlet(ctx: &Context, route: Route) -> Result<()> {
    let tcp = TcpTransport::create(ctx).await?;
    Ok(ready(tcp.create_inlet(ANY_PORT, route).await?.address())?)
}
