//! Step 2: the inlet, with a route that leads to another node.
//!
//! `cargo run --example 02-inlet INLET_ADDRESS`

use ockam::{route, Context, Result, TcpTransport, TCP};

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    let inlet_address = std::env::args().nth(1).ok_or("give an inlet address: 127.0.0.1:4001")?;
    let tcp = TcpTransport::create(&ctx).await?;

    // First over TCP to the outlet's node, then to the worker there.
    let route_to_outlet = route![(TCP, "127.0.0.1:4000"), "outlet"];
    tcp.create_inlet(inlet_address, route_to_outlet).await?;
    Ok(())
}
