//! Two nodes in one process that reach each other over TCP, each with workers of the same name.
use ockam::{route, Context, Echoer, NodeBuilder, Result, TcpTransport, TCP};

#[ockam::node]
async fn main(here: Context) -> Result<()> {
    let there = NodeBuilder::new().arbiters(1).start().await?;
    Echoer::start(&there, "echoer")?;
    Echoer::start(&here, "echoer")?;
    let listener = TcpTransport::create(&there).await?.listen("127.0.0.1:0").await?;
    TcpTransport::create(&here).await?;
    let address = listener.address().to_string();
    let near: String = here.ask("echoer", "here".to_owned()).reply_as().await?;
    let far: String =
        here.ask(route![(TCP, address), "echoer"], "there".to_owned()).reply_as().await?;
    println!("{near} and {far}");
    there.stop().await;
    here.stop().await
}
