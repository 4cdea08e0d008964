//! A test of an outage of ten minutes, which takes milliseconds.

use std::time::Duration;

use ockam::{route, testing::Network, Echoer, ListenOptions, Result, TcpTransport, TCP};

fn main() -> Result<()> {
    let net = Network::seeded(7);
    let (shop, client) = (net.node("shop"), net.node("client"));
    net.run(async {
        Echoer::start(&shop, "till")?;
        let listen = ListenOptions::on("shop:4000").expose("till");
        TcpTransport::create(&shop).await?.listen(listen).await?;
        TcpTransport::create(&client).await?;
        let (ctx, till) = (client.context()?, route![(TCP, "shop:4000"), "till"]);

        let ask = |order: &str| ctx.ask(&till, order.to_owned()).reply_as::<String>();
        println!("{}", ask("tea").await?);
        net.cut("client", "shop");
        net.sleep(Duration::from_secs(600)).await;
        println!("{}", if ask("coffee").await.is_ok() { "served" } else { "not served" });
        net.mend("client", "shop");
        net.sleep(Duration::from_secs(5)).await;
        println!("{}", ask("cake").await?);
        Ok(())
    })
}
