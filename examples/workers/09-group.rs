//! Workers on two nodes share one address.

use actix::{Actor, Handler};
use ockam::{route, Context, NodeBuilder, Result, Routed, TcpTransport, WorkerContext, TCP};

struct Printer(&'static str);

impl Actor for Printer {
    type Context = WorkerContext<Self>;
}

impl Handler<Routed<String>> for Printer {
    type Result = ();

    fn handle(&mut self, message: Routed<String>, _: &mut WorkerContext<Self>) {
        let answer = format!("{} comes out of {}", message.body(), self.0);
        message.reply(answer).unwrap_or_else(|error| log::warn!("no answer sent: {error}"));
    }
}

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    let there = NodeBuilder::new().start().await?;
    there.worker("inkjet", Printer("the inkjet over there")).start()?;
    let listener = TcpTransport::create(&there).await?.listen("127.0.0.1:0").await?;

    TcpTransport::create(&ctx).await?;
    ctx.worker("laser", Printer("the laser")).start()?;
    let printers = ctx.group("printers").start()?;
    printers.add("laser")?;
    printers.add(route![(TCP, listener.address().to_string()), "inkjet"])?;

    // Senders to the group need not know its members.
    for page in ["page 1", "page 2", "page 3"] {
        println!("{}", ctx.ask("printers", page.to_owned()).reply_as::<String>().await?);
    }
    there.stop().await;
    ctx.stop().await
}
