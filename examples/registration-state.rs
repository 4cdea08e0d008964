//! The state of a registration: a node that is reached through a hub follows how it stands with it.

use ockam::{
    Context, Echoer, ForwardingOptions, ForwardingService, NodeBuilder, RegistrationState,
    RemoteForwarder, Result, TcpTransport, TCP,
};

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    let hub = NodeBuilder::new().start().await?;
    let service = ForwardingService::start(&hub, ForwardingOptions::new())?;
    let listener = TcpTransport::create(&hub).await?.listen("127.0.0.1:0").await?;

    TcpTransport::create(&ctx).await?;
    Echoer::start(&ctx, "echoer")?;
    let at = (TCP, listener.address().to_string());
    let forwarder = RemoteForwarder::create(&ctx, at, "echoer").await?;
    let mut state = forwarder.watch();
    let RegistrationState { registered, registrations, .. } = state.borrow_and_update().clone();
    println!("registered: {registered}, {registrations} time");

    service.stop()?;
    hub.stop().await;
    let lost = state.wait_for(|state| !state.registered).await;
    println!("registered: {}", lost.is_ok_and(|state| state.registered));
    ctx.stop().await
}
