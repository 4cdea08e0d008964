//! A worker is an actix actor with an address on a node.

use actix::{Actor, Context as ActorContext, Handler};
use ockam::{route, Context, Result, Routed};

struct Greeter;

impl Actor for Greeter {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<String>> for Greeter {
    type Result = ();

    fn handle(&mut self, message: Routed<String>, _: &mut ActorContext<Self>) {
        let greeting = format!("Hello, {}!", message.body());
        if let Err(error) = message.reply(greeting) {
            eprintln!("could not answer: {error}");
        }
    }
}

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    ctx.start_worker("greeter", Greeter)?;
    let answer: String = ctx.ask(route!["greeter"], "world".to_string()).reply_as().await?;
    println!("{answer}");
    ctx.stop().await
}
