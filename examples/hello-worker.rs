//! A worker is an actix actor with an address on a node.

use actix::{Actor, Handler};
use ockam::{route, Context, Result, Routed, WorkerContext};

struct Greeter;

impl Actor for Greeter {
    type Context = WorkerContext<Self>;
}

impl Handler<Routed<String>> for Greeter {
    type Result = ();

    fn handle(&mut self, message: Routed<String>, _: &mut WorkerContext<Self>) {
        let greeting = format!("Hello, {}!", message.body());
        if let Err(error) = message.reply(greeting) {
            eprintln!("could not answer: {error}");
        }
    }
}

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    ctx.worker("greeter", Greeter).start()?;
    let answer: String = ctx.ask(route!["greeter"], "world".to_string()).reply_as().await?;
    println!("{answer}");
    ctx.stop().await
}
