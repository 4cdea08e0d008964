//! Step 2: the outlet, on a node that other nodes connect to.
//!
//! `cargo run --example 02-outlet TARGET_ADDRESS`

use ockam::{Context, Result, TcpTransport};

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    let target = std::env::args().nth(1).ok_or("give a target address: 127.0.0.1:5000")?;
    let tcp = TcpTransport::create(&ctx).await?;
    tcp.create_outlet("outlet", target).await?;

    // Other nodes of this machine may now send messages to "outlet".
    tcp.listen("127.0.0.1:4000").await?;
    Ok(())
}
