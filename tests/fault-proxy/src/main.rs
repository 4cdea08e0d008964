//! `cargo run -p ockam-actix-fault-proxy -- LISTEN UPSTREAM FAULT [SEED]`: the proxy as a program.
//! It prints its log to stdout at Ctrl-C. UPSTREAM is an address of TCP, or `unix:/path`,
//! `udp:127.0.0.1:4000`, or `opaque:127.0.0.1:4000` for what is no TCP of nodes but carries it.

use std::{env::args, error::Error};

use fault_proxy::Proxy;

const USAGE: &str =
    "LISTEN UPSTREAM drop|duplicate|inject|reorder|flip|delay|slice|truncate|reset|stall [SEED]";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = args().skip(1).collect();
    let (listen, upstream, fault, seed) = match &arguments[..] {
        [listen, upstream, fault] => (listen, upstream, fault, 1),
        [listen, upstream, fault, seed] => (listen, upstream, fault, seed.parse()?),
        _ => return Err(USAGE.into()),
    };
    let proxy = Proxy::start(listen, upstream.parse()?, fault.parse()?, seed).await?;
    println!("{} -> {upstream}, {fault} with seed {seed}", proxy.address());
    tokio::signal::ctrl_c().await?;
    print!("{}", proxy.log());
    Ok(())
}
