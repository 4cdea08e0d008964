//! A stream of messages to a slow consumer. `send` waits for room, so the source is as slow as the
//! consumer, and what waits in between has a bound.

use std::time::Duration;

use actix::{Actor, ActorFutureExt, AtomicResponse, Handler, WrapFuture};
use ockam::{Context, MessageKind, Payload, Result, Routed, WorkerContext};

const CHUNK: usize = 60_000;

struct Consumer {
    bytes: usize,
}

impl Actor for Consumer {
    type Context = WorkerContext<Self>;
}

impl Handler<Routed<Payload>> for Consumer {
    /// It takes the next message when it has done with this one.
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, message: Routed<Payload>, _: &mut WorkerContext<Self>) -> Self::Result {
        let work = async move {
            actix_rt::time::sleep(Duration::from_millis(2)).await;
            message
        };
        let done = work.into_actor(self).map(|message, consumer, _| {
            consumer.bytes += message.body().len();
            if message.kind() == MessageKind::Request {
                message.reply(consumer.bytes).unwrap_or_else(|error| eprintln!("{error}"));
            }
        });
        AtomicResponse::new(Box::pin(done))
    }
}

#[ockam::node]
async fn main(ctx: Context) -> Result<()> {
    let consumer = ctx.worker("consumer", Consumer { bytes: 0 }).start()?;
    let (chunk, mut sent, mut most) = (Payload::from(vec![7; CHUNK]), 0, 0);
    while sent < 100 {
        match ctx.try_send("consumer", chunk.clone()) {
            Ok(()) => sent += 1,
            Err(full) => {
                println!("no more at once: {full}");
                break;
            }
        }
    }
    while sent < 100 {
        ctx.send("consumer", chunk.clone()).await?;
        sent += 1;
        most = most.max(consumer.queue_length());
    }
    println!("at most {most} chunks waited");
    let bytes: usize = ctx.ask("consumer", Payload::default()).reply_as().await?;
    println!("the consumer took {bytes} bytes");
    ctx.stop().await
}
