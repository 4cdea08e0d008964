//! A message passes several workers. Each takes its address off the onward route and puts it before
//! the return route, along which the answer comes back.

use actix::{Actor, Handler};
use ockam::{route, Context, Echoer, Payload, Result, Routed, WorkerContext};

struct Hop;

impl Actor for Hop {
    type Context = WorkerContext<Self>;
}

impl Handler<Routed<Payload>> for Hop {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut WorkerContext<Self>) {
        println!("{}: onward {}", message.address(), message.onward_route());
        println!("{}: return {}", message.address(), message.return_route());
        if let Err(error) = message.forward() {
            eprintln!("could not forward: {error}");
        }
    }
}

#[ockam::node]
async fn main(mut ctx: Context) -> Result<()> {
    Echoer::start(ctx.node(), "echoer")?;
    for name in ["h1", "h2", "h3"] {
        ctx.worker(name, Hop).start()?;
    }
    ctx.send(route!["h1", "h2", "h3", "echoer"], "hello".to_string()).await?;
    let answer = ctx.receive::<String>().await?;
    println!("answer: {} (return {})", answer.body(), answer.return_route());
    ctx.stop().await
}
