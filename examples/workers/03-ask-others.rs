//! A worker asks another one before it answers.

use std::time::Duration;

use actix::{Actor, Handler, ResponseFuture};
use ockam::{Context, Request, Result, Routed, WorkerContext};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Request)]
#[request(reply = String)]
struct Order(String);

struct Shop;

impl Actor for Shop {
    type Context = WorkerContext<Self>;
}

impl Handler<Routed<Order>> for Shop {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, message: Routed<Order>, _: &mut WorkerContext<Self>) -> Self::Result {
        let node = message.node().clone();
        let (Order(item), reply) = message.into_request();
        Box::pin(async move {
            let asked = node.ask("baker", item).within(Duration::from_secs(1));
            let answer = match asked.reply_as::<usize>().await {
                Ok(minutes) => format!("ready in {minutes} minutes"),
                Err(error) => format!("not today: {error}"),
            };
            reply.send(answer).unwrap_or_else(|error| log::warn!("no answer sent: {error}"));
        })
    }
}

/// Takes plain values: a body is anything that serde knows.
struct Baker;

impl Actor for Baker {
    type Context = WorkerContext<Self>;
}

impl Handler<Routed<String>> for Baker {
    type Result = ();

    fn handle(&mut self, message: Routed<String>, _: &mut WorkerContext<Self>) {
        let minutes = 10 * message.body().len();
        message.reply(minutes).unwrap_or_else(|error| log::warn!("no answer sent: {error}"));
    }
}

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    ctx.worker("shop", Shop).start()?;
    println!("{}", ctx.ask("shop", Order("bread".into())).await?);
    ctx.worker("baker", Baker).start()?;
    println!("{}", ctx.ask("shop", Order("bread".into())).await?);
    ctx.stop().await
}
