//! What a node is once it has ended: stopped, or ended by the end of its actix `System`.

// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

use std::{
    future::{Future, IntoFuture},
    time::Duration,
};

use actix::{Actor, Context as ActorContext, Handler};
use actix_rt::{Arbiter, System};
use ockam_actix_runtime::{
    Context, Ended, Error, Node, NodeBuilder, Result, Routed, UndeliverableReason,
};

const DEADLINE: Duration = Duration::from_secs(10);

/// Waits for `what`, but not for ever.
async fn in_time<F: Future>(what: &str, future: F) -> F::Output {
    let ended = tokio::time::timeout(DEADLINE, future).await;
    ended.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// Keeps every question, and answers none; a text has it end its arbiter.
#[derive(Default)]
struct Keeper(Vec<Routed<u64>>);

impl Actor for Keeper {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<u64>> for Keeper {
    type Result = ();

    fn handle(&mut self, message: Routed<u64>, _: &mut ActorContext<Self>) {
        self.0.push(message);
    }
}

impl Handler<Routed<String>> for Keeper {
    type Result = ();

    fn handle(&mut self, _: Routed<String>, _: &mut ActorContext<Self>) {
        Arbiter::current().stop();
    }
}

fn start_keeper(node: &Node, name: &str) -> Result<()> {
    node.worker(name, Keeper::default()).handles::<u64>().handles::<String>().start().map(drop)
}

/// Everything that needs the node says that it is stopped, at once.
async fn assert_stopped(mut context: Context) {
    let node = context.node().clone();
    in_time("the end of the node", node.stopped()).await;
    assert!(node.is_stopping());
    for name in ["keeper", "nobody"] {
        let asked = in_time("an answer", context.ask(name, 1_u64).reply_as::<u64>().into_future());
        let sent = [
            asked.await.map(drop),
            context.try_send(name, 1_u64),
            in_time("room", context.send(name, 1_u64)).await,
            node.stop_worker(name),
            start_keeper(&node, name),
            Context::new(&node).map(drop),
            node.register::<_, u64>(name, Keeper::default().start()).map(drop),
        ];
        for (number, result) in sent.into_iter().enumerate() {
            assert!(matches!(result, Err(Error::Stopped)), "{number} of {name}: {result:?}");
        }
        match in_time("the end of a watch", node.watch(name)).await {
            Ended::Unreachable(notice) => {
                assert_eq!(notice.reason, UndeliverableReason::Disconnected);
                assert_eq!(notice.detail, "this node has stopped");
            }
            other => panic!("{other:?}"),
        }
    }
    let received = in_time("a message", context.receive::<u64>()).await;
    assert!(matches!(received, Err(Error::Stopped)), "{received:?}");
    assert_eq!(node.worker_count(), 0);
    in_time("a second stop", node.stop()).await;
}

/// Ends a node with `end` while a question, a watch and a handle wait.
fn ends_a_node_in_use(end: impl AsyncFn(&Context)) {
    for arbiters in [1, 3] {
        System::new().block_on(async {
            let builder = NodeBuilder::new().arbiters(arbiters);
            let context = builder.start_with_context().await.unwrap();
            start_keeper(context.node(), "keeper").unwrap();
            let other = context.worker("other", Keeper::default()).handles::<u64>().start();
            let ended = other.unwrap().ended();
            let watch = context.watch("keeper");
            let mut asked = context.ask("keeper", 1_u64).reply_as::<u64>().into_future();
            assert!(futures::poll!(&mut asked).is_pending());
            end(&context).await;
            // Whichever of the two comes first tells it.
            match in_time("the end of the question", asked).await {
                Err(Error::Stopped | Error::Undeliverable(_)) => {}
                other => panic!("{other:?}"),
            }
            in_time("the end of the watch", watch).await;
            assert_eq!(in_time("the end of the worker", ended).await, Ended::Stopped);
            assert_stopped(context).await;
        });
    }
}

#[test]
fn a_node_ends_with_its_system() {
    ends_a_node_in_use(async |_| System::current().stop());
}

#[test]
fn a_node_ends_with_one_of_its_arbiters() {
    ends_a_node_in_use(async |context| {
        context.send("keeper", String::from("end")).await.unwrap();
    });
}

#[test]
fn a_stopped_node_says_so() {
    ends_a_node_in_use(async |context| context.stop().await.unwrap());
}

#[test]
fn a_worker_is_not_stopped_twice() {
    System::new().block_on(async {
        let node = NodeBuilder::new().arbiters(1).start().await.unwrap();
        let worker = node.worker("keeper", Keeper::default()).handles::<u64>().start().unwrap();
        worker.stop().unwrap();
        let again = worker.stop().unwrap_err();
        assert_eq!(again.to_string(), "the worker \"keeper\" has already ended");
        node.stop().await;
        assert!(matches!(worker.stop(), Err(Error::WorkerEnded(_))));
    });
}
