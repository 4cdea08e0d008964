//! A worker is started again after a panic, and watched until it ends.

use actix::{Actor, Handler};
use ockam::{Context, RestartPolicy, Result, Routed, WorkerContext};

#[derive(Clone)]
struct Divider;

impl Actor for Divider {
    type Context = WorkerContext<Self>;
}

impl Handler<Routed<u32>> for Divider {
    type Result = ();

    fn handle(&mut self, message: Routed<u32>, _: &mut WorkerContext<Self>) {
        let quotient = 100 / message.body();
        message.reply(quotient).unwrap_or_else(|error| log::warn!("no answer sent: {error}"));
    }
}

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    // At most one panic in a minute is forgiven.
    let divider = ctx.worker("divider", Divider).restart(RestartPolicy::at_most(1)).start()?;
    let watch = ctx.watch("divider");
    for number in [5, 0, 10, 0] {
        match ctx.ask("divider", number).reply_as::<u32>().await {
            Ok(quotient) => println!("100 / {number} is {quotient}"),
            Err(error) => println!("100 / {number}: {error}"),
        }
    }
    println!("the divider: {}", watch.await);
    println!("its handle says the same: {:?}", divider.ended().await);
    ctx.stop().await
}
