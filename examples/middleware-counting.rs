//! Middleware: a worker counts the messages that pass it, to a worker and back.

use actix::{Actor, Handler};
use ockam::{route, Context, Direction, Echoer, Payload, Result, Routed, WorkerContext};

#[derive(Default)]
struct Counter {
    onward: u32,
    back: u32,
}

impl Actor for Counter {
    type Context = WorkerContext<Self>;
}

impl Handler<Routed<Payload>> for Counter {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut WorkerContext<Self>) {
        match message.direction() {
            Direction::Onward => self.onward += 1,
            Direction::Return => self.back += 1,
        }
        println!("{} onward, {} back", self.onward, self.back);
        if let Err(error) = message.forward() {
            eprintln!("could not forward: {error}");
        }
    }
}

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    Echoer::start(&ctx, "echoer")?;
    ctx.worker("counter", Counter::default()).start()?;
    let route = route!["counter", "echoer"];
    let one: String = ctx.ask(route.clone(), "one".to_string()).reply_as().await?;
    let two: String = ctx.ask(route, "two".to_string()).reply_as().await?;
    println!("answers: {one}, {two}");
    ctx.stop().await
}
