//! The state of a registration: a node watches whether it is registered with its hub.

use ockam::{
    Context, Echoer, ForwardingOptions, ForwardingService, NodeBuilder, RemoteForwarder, Result,
    TcpTransport, TCP,
};

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    let hub = NodeBuilder::new().start().await?;
    let service = ForwardingService::start(&hub, ForwardingOptions::new())?;
    let listener = TcpTransport::create(&hub).await?.listen("127.0.0.1:0").await?;

    // This node registers with the hub.
    TcpTransport::create(&ctx).await?;
    Echoer::start(&ctx, "echoer")?;
    let route_to_hub = (TCP, listener.address().to_string());
    let forwarder = RemoteForwarder::create(&ctx, route_to_hub, "echoer").await?;
    let mut state = forwarder.watch();
    let now = state.borrow_and_update().clone();
    println!("registered: {}, {} time", now.registered, now.registrations);

    // The hub goes away. If it came back, this node would register again by itself.
    service.stop()?;
    hub.stop().await;
    let lost = state.wait_for(|state| !state.registered).await;
    println!("registered: {}", lost.is_ok_and(|state| state.registered));
    ctx.stop().await
}
