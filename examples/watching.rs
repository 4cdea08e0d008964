//! A program watches a worker on another node, and is told how it ends.

use actix::{Actor, Handler};
use ockam::{route, Context, NodeBuilder, Result, Routed, TcpTransport, WorkerContext, TCP};

struct Shop;

impl Actor for Shop {
    type Context = WorkerContext<Self>;
}

impl Handler<Routed<String>> for Shop {
    type Result = ();

    fn handle(&mut self, message: Routed<String>, _: &mut WorkerContext<Self>) {
        assert!(!message.body().is_empty(), "a shop with a bug");
        message.reply(true).unwrap_or_else(|error| log::warn!("no answer sent: {error}"));
    }
}

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    // Another node, which would run elsewhere.
    let there = NodeBuilder::new().start().await?;
    let listener = TcpTransport::create(&there).await?.listen("127.0.0.1:0").await?;

    TcpTransport::create(&ctx).await?;
    let shop = route![(TCP, listener.address().to_string()), "shop"];
    println!("before it opens: {}", ctx.watch(&shop).await);

    for order in ["tea", ""] {
        let worker = there.worker("shop", Shop).start()?;
        let watch = ctx.watch(&shop);
        match ctx.ask(&shop, order.to_string()).reply_as::<bool>().await {
            Ok(_) => worker.stop()?,
            Err(error) => println!("after an order of nothing: {error}"),
        }
        println!("after an order of {order:?}: {}", watch.await);
    }
    there.stop().await;
    ctx.stop().await
}
