//! Step 4: the inlet, with a secure channel through the hub to the forwarding address.
//!
//! `OCKAM_HUB=127.0.0.1:4000 cargo run --example 04-inlet INLET_ADDRESS FORWARDING_ADDRESS`

use ockam::{route, Context, Result, Route, TcpTransport, TCP};
use ockam::{Entity, SecureChannels, TrustEveryonePolicy, Vault};

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    let inlet_address = std::env::args().nth(1).ok_or("give an inlet address: 127.0.0.1:4001")?;
    let forwarding_address =
        std::env::args().nth(2).ok_or("give the forwarding address that 04-outlet printed")?;
    let hub = std::env::var("OCKAM_HUB").unwrap_or("127.0.0.1:4000".into());
    let tcp = TcpTransport::create(&ctx).await?;
    let vault = Vault::create(&ctx)?;
    let mut entity = Entity::create(&ctx, &vault)?;

    // The address names the identity at its end, so a hub that answers itself is refused.
    let route_to_listener = route![(TCP, hub), forwarding_address];
    let channel = entity.create_secure_channel(route_to_listener, TrustEveryonePolicy)?;

    let route_to_outlet: Route = route![channel, "outlet"];
    tcp.create_inlet(inlet_address, route_to_outlet).await?;
    Ok(())
}
