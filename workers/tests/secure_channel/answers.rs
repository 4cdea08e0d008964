//! Answers in both directions of one channel, whose records share one lane of its connection.

use actix::{Actor, Context as ActorContext, Handler};
use ockam_actix_runtime::{route, Address, Host, Node, Route, Routed};
use ockam_actix_workers::{SecureChannels, TrustEveryonePolicy};
use tokio::sync::mpsc::{unbounded_channel, UnboundedSender};

use crate::support::{run, to, Peer, DEADLINE, SERVICE};

/// Far more than a lane's first credit and a worker's queue hold.
const QUESTIONS: u32 = 2_000;
const BODY_BYTES: usize = 1_024;

/// Answers questions, and tells of each message and where it came from. A question has an even
/// number, its answer the next one.
struct Gossip(UnboundedSender<(u32, Route)>);

impl Actor for Gossip {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<(u32, Vec<u8>)>> for Gossip {
    type Result = ();

    fn handle(&mut self, message: Routed<(u32, Vec<u8>)>, _: &mut ActorContext<Self>) {
        let (number, body) = message.body().clone();
        self.0.send((number, message.return_route().clone())).unwrap();
        if number % 2 == 0 {
            message.reply((number + 1, body)).unwrap();
        }
    }
}

/// Sends questions from a node's gossip along `route`, without waiting for answers.
async fn ask_many(node: &Node, route: Route) {
    for number in 1..QUESTIONS {
        let question = (2 * number, vec![0; BODY_BYTES]);
        node.send_from(&Address::from("gossip"), &route, question).await.unwrap();
    }
}

async fn workers_answer_each_other(arbiters: usize) {
    let (mut client, mut server) = (Peer::start(arbiters).await, Peer::start(arbiters).await);
    server.entity.create_secure_channel_listener(SERVICE, TrustEveryonePolicy).unwrap();
    let (client_seen, mut at_client) = unbounded_channel();
    let (server_seen, mut at_server) = unbounded_channel();
    client.node.worker("gossip", Gossip(client_seen)).start().unwrap();
    server.node.worker("gossip", Gossip(server_seen)).start().unwrap();
    let listener = to(server.listen(0).await);
    let channel = client.entity.create_secure_channel(listener, TrustEveryonePolicy).unwrap();
    let there = route![&channel, "gossip"];
    let first = (0, Vec::<u8>::new());
    client.node.send_from(&Address::from("gossip"), &there, first).await.unwrap();
    let (_, back) = at_server.recv().await.unwrap();
    let both = async {
        futures::join!(ask_many(&client.node, there), ask_many(&server.node, back));
        let answers = |number: &u32| number % 2 == 1;
        let (mut client_answers, mut server_answers) = (0, 0);
        while client_answers < QUESTIONS {
            let (number, _) = at_client.recv().await.unwrap();
            client_answers += u32::from(answers(&number));
        }
        while server_answers < QUESTIONS - 1 {
            let (number, _) = at_server.recv().await.unwrap();
            server_answers += u32::from(answers(&number));
        }
    };
    tokio::time::timeout(DEADLINE, both).await.expect("all questions are answered");
}

#[test]
fn workers_that_answer_each_other_never_block() {
    for arbiters in [1, 2] {
        run(workers_answer_each_other(arbiters));
    }
}
