//! A hub: forwards between nodes that connect to it, and can read nothing of what it forwards.
//!
//! `cargo run --example hub [LISTEN_ADDRESS]`

use ockam::{Context, ForwardingOptions, ForwardingService, Result, TcpTransport};

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:4000".into());
    ForwardingService::start(ctx.node(), ForwardingOptions::new())?;
    let tcp = TcpTransport::create(&ctx).await?;
    let listener = tcp.listen(address).await?;
    println!("hub on {}", listener.address());
    Ok(())
}
