//! A worker answers a question.

use actix::{Actor, Handler};
use ockam::{Context, Request, Result, Routed, WorkerContext};
use serde::{Deserialize, Serialize};

/// A question, and what answers it: the price in cents.
#[derive(Serialize, Deserialize, Request)]
#[request(reply = u32)]
struct PriceOf(String);

struct Shop;

impl Actor for Shop {
    type Context = WorkerContext<Self>;
}

impl Handler<Routed<PriceOf>> for Shop {
    type Result = ();

    fn handle(&mut self, message: Routed<PriceOf>, _: &mut WorkerContext<Self>) {
        let (PriceOf(item), reply) = message.into_request();
        let price = 100 * item.len() as u32;
        reply.send(price).unwrap_or_else(|error| log::warn!("no answer sent: {error}"));
    }
}

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    ctx.worker("shop", Shop).start()?;
    let price = ctx.ask("shop", PriceOf("tea".into())).await?;
    println!("tea costs {price} cents");
    ctx.stop().await
}
