//! Step 3: the inlet, with a route through a secure channel.
//!
//! `cargo run --example 03-inlet INLET_ADDRESS`

use ockam::{route, Context, Result, TcpTransport, TCP};
use ockam::{Entity, SecureChannels, TrustEveryonePolicy, Vault};

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    let inlet_address = std::env::args().nth(1).ok_or("give an inlet address: 127.0.0.1:4001")?;
    let tcp = TcpTransport::create(&ctx).await?;
    let vault = Vault::create(&ctx)?;
    let mut entity = Entity::create(&ctx, &vault)?;

    // Establishes itself, now and whenever the connection was lost.
    let listener = route![(TCP, "127.0.0.1:4000"), "secure_channel_listener_service"];
    let channel = entity.create_secure_channel(listener, TrustEveryonePolicy)?;

    // What passes the channel's address comes out of it on the other node.
    tcp.create_inlet(inlet_address, route![channel, "outlet"]).await?;
    Ok(())
}
