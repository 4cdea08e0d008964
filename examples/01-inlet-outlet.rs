//! Step 1: an inlet and an outlet on one node.
//!
//! `cargo run --example 01-inlet-outlet INLET_ADDRESS TARGET_ADDRESS`

use ockam::{route, Context, Result, TcpTransport};

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    let inlet_address = std::env::args().nth(1).ok_or("give an inlet address: 127.0.0.1:4001")?;
    let target = std::env::args().nth(2).ok_or("give a target address: 127.0.0.1:5000")?;
    let tcp = TcpTransport::create(&ctx).await?;

    // A worker that connects to the target for each stream that reaches it.
    tcp.create_outlet("outlet", target).await?;

    // A TCP server whose clients become streams to that worker.
    tcp.create_inlet(inlet_address, route!["outlet"]).await?;

    // The node runs until Ctrl-C.
    Ok(())
}
