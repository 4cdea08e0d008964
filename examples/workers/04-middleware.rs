//! A worker between two others changes what passes it.

use actix::{Actor, Handler};
use ockam::{route, Context, Direction, Echoer, Result, Routed, WorkerContext};

/// Stands before a worker that takes texts, and changes them on their way there.
struct Polite;

impl Actor for Polite {
    type Context = WorkerContext<Self>;
}

impl Handler<Routed<String>> for Polite {
    type Result = ();

    fn handle(&mut self, message: Routed<String>, _: &mut WorkerContext<Self>) {
        let changed = match message.direction() {
            Direction::Onward => format!("{}, please", message.body()),
            Direction::Return => format!("{}. Thank you!", message.body()),
        };
        let forwarded = message.with_body(changed).forward();
        forwarded.unwrap_or_else(|error| log::warn!("could not forward: {error}"));
    }
}

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    Echoer::start(&ctx, "echoer")?;
    ctx.worker("polite", Polite).start()?;
    let answer: String = ctx.ask(route!["polite", "echoer"], "Tea".to_owned()).reply_as().await?;
    println!("{answer}");
    // A notice passes it by itself: nobody waits for an answer that cannot come.
    let nowhere = ctx.ask(route!["polite", "nowhere"], "Tea".to_owned()).reply_as::<String>();
    if let Err(error) = nowhere.await {
        println!("{error}");
    }
    ctx.stop().await
}
