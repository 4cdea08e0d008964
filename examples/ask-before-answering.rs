//! A worker asks another one before it answers. Meanwhile it goes on with its other messages.

use actix::{Actor, Handler, ResponseFuture};
use ockam::{Context, Request, Result, Routed, WorkerContext};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Request)]
#[request(reply = u32)]
struct InStock(String);

struct Warehouse;

impl Actor for Warehouse {
    type Context = WorkerContext<Self>;
}

impl Handler<Routed<InStock>> for Warehouse {
    type Result = ();

    fn handle(&mut self, message: Routed<InStock>, _: &mut WorkerContext<Self>) {
        let (InStock(name), reply) = message.into_request();
        let count = if name == "tea" { 3 } else { 0 };
        reply.send(count).unwrap_or_else(|error| eprintln!("no answer sent: {error}"));
    }
}

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
        let (Order(name), reply) = message.into_request();
        Box::pin(async move {
            let answer = match node.ask("warehouse", InStock(name.clone())).await {
                Ok(0) => format!("there is no {name} left"),
                Ok(count) => format!("one of {count} packets of {name}"),
                Err(error) => format!("nobody knows: {error}"),
            };
            reply.send(answer).unwrap_or_else(|error| eprintln!("no answer sent: {error}"));
        })
    }
}

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    ctx.worker("warehouse", Warehouse).start()?;
    ctx.worker("shop", Shop).start()?;
    println!("{}", ctx.ask("shop", Order("tea".into())).await?);
    println!("{}", ctx.ask("shop", Order("coffee".into())).await?);
    ctx.stop().await
}
