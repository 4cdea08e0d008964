//! Step 4: the outlet, on a node that listens nowhere and is reached through a hub.
//!
//! `OCKAM_HUB=127.0.0.1:4000 cargo run --example 04-outlet TARGET_ADDRESS`

use ockam::{Context, RemoteForwarder, Result, TcpTransport, TCP};
use ockam::{Entity, SecureChannels, TrustEveryonePolicy, Vault};

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    let target = std::env::args().nth(1).ok_or("give a target address: 127.0.0.1:5000")?;
    let hub = std::env::var("OCKAM_HUB").unwrap_or("127.0.0.1:4000".into());
    let tcp = TcpTransport::create(&ctx).await?;
    let vault = Vault::create(&ctx)?;
    let mut entity = Entity::create(&ctx, &vault)?;
    entity
        .create_secure_channel_listener("secure_channel_listener_service", TrustEveryonePolicy)?;
    tcp.create_outlet("outlet", target).await?;

    // The hub forwards to the listener, and to nothing else on this node.
    let node_in_hub = (TCP, hub.as_str());
    let forwarder =
        RemoteForwarder::create(&ctx, node_in_hub, "secure_channel_listener_service").await?;
    println!("\n[✓] RemoteForwarder was created on the node at: {hub}");
    println!("Forwarding address in Hub is:");
    println!("{}", forwarder.remote_address());
    Ok(())
}
