//! A worker with state is told several things, as one type.

use std::collections::BTreeMap;

use actix::{Actor, Handler};
use ockam::{Context, Request, Result, Routed, WorkerContext};
use serde::{Deserialize, Serialize};

/// All that a warehouse is told, as one type.
#[derive(Serialize, Deserialize, Request)]
#[request(reply = u32)]
enum Stock {
    Add { item: String, count: u32 },
    Take { item: String },
}

#[derive(Default)]
struct Warehouse {
    stock: BTreeMap<String, u32>,
}

impl Actor for Warehouse {
    type Context = WorkerContext<Self>;
}

impl Handler<Routed<Stock>> for Warehouse {
    type Result = ();

    fn handle(&mut self, message: Routed<Stock>, _: &mut WorkerContext<Self>) {
        let (told, reply) = message.into_request();
        let left = match told {
            Stock::Add { item, count } => {
                let stock = self.stock.entry(item).or_default();
                *stock += count;
                *stock
            }
            Stock::Take { item } => match self.stock.get_mut(&item) {
                Some(stock) if *stock > 0 => {
                    *stock -= 1;
                    *stock
                }
                // Dropping the reply tells the sender that there is no answer.
                _ => return,
            },
        };
        reply.send(left).unwrap_or_else(|error| log::warn!("no answer sent: {error}"));
    }
}

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    ctx.worker("warehouse", Warehouse::default()).start()?;
    let add = Stock::Add { item: "tea".into(), count: 1 };
    println!("{} of tea after adding one", ctx.ask("warehouse", add).await?);
    for _ in 0..2 {
        match ctx.ask("warehouse", Stock::Take { item: "tea".into() }).await {
            Ok(left) => println!("took one, {left} left"),
            Err(error) => println!("{error}"),
        }
    }
    ctx.stop().await
}
