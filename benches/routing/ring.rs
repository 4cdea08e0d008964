//! A ring of workers that forward what they get, and messages that travel round it.
//!
//! A lap starts and ends at a source, which builds the route anew for each; 64 messages are under
//! way on each arbiter.

use std::{
    sync::mpsc::{channel, Sender},
    time::{Duration, Instant},
};

use actix::{Actor, Context, Handler};
use ockam::{route, Address, Body, Message, Node, NodeBuilder, Payload, Route, Routed};
use ockam_actix_runtime::Host;

const UNDER_WAY: u64 = 64;

/// Forwards what it gets.
struct Hop;

impl Actor for Hop {
    type Context = Context<Self>;
}

impl Handler<Routed<Payload>> for Hop {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut Context<Self>) {
        message.forward().expect("the next hop exists");
    }
}

/// Sends each message on another lap until all laps are done.
struct Source {
    node: Node,
    lap: Route,
    left: u64,
    finished: u64,
    done: Sender<()>,
}

impl Actor for Source {
    type Context = Context<Self>;
}

impl Handler<Routed<Payload>> for Source {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut Context<Self>) {
        let payload = message.into_message().into_parts().payload;
        if self.left > 0 {
            self.left -= 1;
            self.node.route(Message::new(self.lap.clone(), route!["source"], payload));
            return;
        }
        self.finished += 1;
        if self.finished == UNDER_WAY {
            self.done.send(()).expect("the benchmark waits");
        }
    }
}

/// Hop names for one arbiter's ring.
fn names(arbiter: usize, hops: usize) -> Vec<Address> {
    (0..hops).map(|hop| Address::from(format!("hop-{arbiter}-{hop}"))).collect()
}

/// The time that `laps` laps of `hops` hops take on each of `arbiters` arbiters at once.
pub(crate) fn time(arbiters: usize, hops: usize, laps: u64) -> Duration {
    actix_rt::System::new().block_on(async move {
        let node = NodeBuilder::new().arbiters(arbiters).start().await.expect("starts");
        let (done, finished) = channel();
        for arbiter in 0..arbiters {
            let mut lap = names(arbiter, hops);
            for name in &lap {
                start_on(&node, arbiter, name.clone(), Hop);
            }
            let source = Address::from(format!("source-{arbiter}"));
            lap.push(source.clone());
            let (own, done) = (node.clone(), done.clone());
            let worker = Source { node: own, lap: Route::from(lap), left: laps, finished: 0, done };
            start_on(&node, arbiter, source, worker);
        }
        let begun = Instant::now();
        for arbiter in 0..arbiters {
            for _ in 0..UNDER_WAY {
                let payload = vec![0_u8; 64].into();
                let source = Route::from(format!("source-{arbiter}"));
                node.route(Message::new(source, Route::new(), payload));
            }
        }
        for _ in 0..arbiters {
            finished.recv_timeout(Duration::from_secs(60)).expect("all laps end in time");
        }
        let taken = begun.elapsed();
        node.stop().await;
        taken
    })
}

fn start_on<A, M>(node: &Node, arbiter: usize, name: Address, worker: A)
where
    A: Actor<Context = Context<A>> + Handler<Routed<M>> + Send,
    M: Body,
{
    node.worker(name, worker).arbiter(arbiter).start().expect("the name is free");
}
