//! Questions and answers, one after the other, by a program and by a task on the worker's arbiter:
//! as two raw messages, and as a typed question.

use std::{
    sync::mpsc::{channel, Sender},
    time::{Duration, Instant},
};

use actix::{Actor, Context as ActorContext, Handler};
use ockam::{route, Context, Node, NodeBuilder, Payload, Request, Routed};
use ockam_actix_runtime::Host;
use serde::{Deserialize, Serialize};

/// How a question is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// A message of bytes, and one back.
    Raw,
    /// A request, and its reply.
    Typed,
}

/// Where whoever asks runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// In a thread of its own.
    Program,
    /// On the worker's arbiter.
    Arbiter,
}

#[derive(Serialize, Deserialize, Request)]
#[request(reply = u64)]
struct PriceOf {
    name: String,
    count: u64,
}

/// Answers requests.
struct Shop;

impl Actor for Shop {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<PriceOf>> for Shop {
    type Result = ();

    fn handle(&mut self, message: Routed<PriceOf>, _: &mut ActorContext<Self>) {
        let (PriceOf { name, count }, reply) = message.into_request();
        reply.send(name.len() as u64 * count).expect("the asker waits");
    }
}

/// Answers bytes with the same bytes.
struct Bytes;

impl Actor for Bytes {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<Payload>> for Bytes {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut ActorContext<Self>) {
        let answer = message.body().clone();
        message.reply(answer).expect("the asker waits");
    }
}

async fn ask(node: Node, way: Way, count: u64, done: Sender<Duration>) {
    let mut ctx = Context::new(&node).expect("the node runs");
    let begun = Instant::now();
    for number in 0..count {
        match way {
            Way::Raw => {
                let question = Payload::from(&[7; 16][..]);
                ctx.send(route!["bytes"], question).await.expect("there is room");
                ctx.receive::<Payload>().await.expect("it answers");
            }
            Way::Typed => {
                let question = PriceOf { name: "coffee".into(), count: number };
                ctx.ask(route!["shop"], question).await.expect("it answers");
            }
        }
    }
    done.send(begun.elapsed()).expect("the benchmark waits");
}

/// The time that `count` questions and their answers take.
pub(crate) fn time(place: Place, way: Way, count: u64) -> Duration {
    actix_rt::System::new().block_on(async move {
        let node = NodeBuilder::new().arbiters(1).start().await.expect("starts");
        node.worker("shop", Shop).arbiter(0).start().expect("a free name");
        node.worker("bytes", Bytes).arbiter(0).start().expect("a free name");
        let (done, taken) = channel();
        let asking = ask(node.clone(), way, count, done);
        match place {
            Place::Program => asking.await,
            Place::Arbiter => node.spawn_on(0, asking),
        }
        let taken = taken.recv_timeout(Duration::from_secs(60)).expect("all answers come in time");
        node.stop().await;
        taken
    })
}
