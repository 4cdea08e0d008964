//! Step 3: the outlet, reached through secure channels alone.
//!
//! `cargo run --example 03-outlet TARGET_ADDRESS`

use ockam::{Context, Result, TcpTransport};
use ockam::{Entity, SecureChannels, TrustEveryonePolicy, Vault};

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    let target = std::env::args().nth(1).ok_or("give a target address: 127.0.0.1:5000")?;
    let tcp = TcpTransport::create(&ctx).await?;

    // An identity, whose keys stay in the vault, and a worker that shakes hands with its peers.
    let vault = Vault::create(&ctx)?;
    let mut entity = Entity::create(&ctx, &vault)?;
    entity
        .create_secure_channel_listener("secure_channel_listener_service", TrustEveryonePolicy)?;

    // From now on nobody reaches "outlet" without a channel.
    tcp.create_outlet("outlet", target).await?;
    tcp.listen("127.0.0.1:4000").await?;
    Ok(())
}
