//! A question over TCP to a worker of another node.

use ockam::{route, Context, Echoer, ListenOptions, NodeBuilder, Result, TcpTransport, TCP};

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    // Another node, which would run on another machine.
    let there = NodeBuilder::new().start().await?;
    Echoer::start(&there, "echoer")?;
    let listen = ListenOptions::on("127.0.0.1:0").expose("echoer");
    let listener = TcpTransport::create(&there).await?.listen(listen).await?;

    TcpTransport::create(&ctx).await?;
    let there_over_tcp = route![(TCP, listener.address().to_string())];
    for worker in ["echoer", "ekcoer"] {
        let to = there_over_tcp.clone().then(worker);
        match ctx.ask(to, "hello".to_owned()).reply_as::<String>().await {
            Ok(answer) => println!("{worker}: {answer}"),
            Err(error) => println!("{worker}: {error}"),
        }
    }
    there.stop().await;
    ctx.stop().await
}
