//! A message passes two TCP connections and three nodes, and the answer comes back over both.

use ockam::{route, Context, Echoer, NodeBuilder, Relay, Result, TcpTransport, TCP};

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    // The last node answers.
    let last = NodeBuilder::new().start().await?;
    Echoer::start(&last, "echoer")?;
    let last_address =
        TcpTransport::create(&last).await?.listen("127.0.0.1:0").await?.address().to_string();

    // The middle node passes messages on to the last. No route from outside makes it dial: where
    // its relay leads is its own decision.
    let middle = NodeBuilder::new().start().await?;
    let tcp = TcpTransport::create(&middle).await?;
    Relay::start(&middle, "to_last", (TCP, &last_address))?;
    let middle_address = tcp.listen("127.0.0.1:0").await?.address().to_string();

    // This node sends.
    TcpTransport::create(&ctx).await?;
    let route = route![(TCP, &middle_address), "to_last", "echoer"];
    println!("onward: {route}");
    let answer: String = ctx.ask(route, "hello over two hops".to_string()).reply_as().await?;
    println!("answer: {answer}");

    middle.stop().await;
    last.stop().await;
    ctx.stop().await
}
