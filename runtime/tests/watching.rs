//! Watches of workers on the watcher's own node.

// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

use std::{future::Future, time::Duration};

use actix::{Actor, ActorContext as _, Context as ActorContext, Handler};
use ockam_actix_runtime::{
    route, Context, Ended, Error, NodeBuilder, Payload, RestartPolicy, Routed, UndeliverableReason,
};

const DEADLINE: Duration = Duration::from_secs(10);

/// Runs a test on a node of one arbiter and on one of three.
fn run<F: Future<Output = ()>>(test: impl Fn(Context) -> F) {
    for arbiters in [1, 3] {
        actix_rt::System::new().block_on(async {
            let context = NodeBuilder::new().arbiters(arbiters).start_with_context().await.unwrap();
            let node = context.node().clone();
            let ended = tokio::time::timeout(DEADLINE, test(context)).await;
            ended.expect("the test ends in time");
            node.stop().await;
        });
    }
}

/// Answers with its name; has a bug, and can stop.
#[derive(Clone)]
struct Clerk(String);

impl Actor for Clerk {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<String>> for Clerk {
    type Result = ();

    fn handle(&mut self, message: Routed<String>, context: &mut ActorContext<Self>) {
        match message.body().as_str() {
            "panic" => panic!("a worker with a bug"),
            "stop" => context.stop(),
            _ => message.reply(self.0.clone()).unwrap(),
        }
    }
}

fn clerk(name: &str) -> Clerk {
    Clerk(name.to_owned())
}

/// Forwards what it gets, of one type.
struct Typed;

impl Actor for Typed {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<String>> for Typed {
    type Result = ();

    fn handle(&mut self, message: Routed<String>, _: &mut ActorContext<Self>) {
        // An error was told to the sender.
        let _ = message.forward();
    }
}

/// Forwards everything.
struct Hop;

impl Actor for Hop {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<Payload>> for Hop {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut ActorContext<Self>) {
        // An error was told to the sender.
        let _ = message.forward();
    }
}

async fn tell(context: &Context, name: &str, word: &str) {
    context.send(route![name], word.to_owned()).await.unwrap();
}

async fn ask(context: &Context, name: &str) -> Result<String, Error> {
    context.ask(route![name], String::from("name")).reply_as().await
}

fn why(ended: Ended) -> UndeliverableReason {
    match ended {
        Ended::Unreachable(notice) => notice.reason,
        other => panic!("expected that it cannot be reached: {other}"),
    }
}

#[test]
fn a_watch_tells_how_a_worker_ended() {
    run(|context| async move {
        for (word, expected) in [("stop", Ended::Stopped), ("panic", Ended::Panicked)] {
            let worker = context.worker("clerk", clerk("clerk")).start().unwrap();
            let watches = [(); 3].map(|()| context.watch("clerk"));
            tell(&context, "clerk", word).await;
            for watch in watches {
                assert_eq!(watch.await, expected);
            }
            assert_eq!(worker.ended().await, expected);
        }
    });
}

#[test]
fn a_worker_stopped_by_its_address_is_told() {
    run(|context| async move {
        context.worker("clerk", clerk("clerk")).start().unwrap();
        let watch = context.watch("clerk");
        context.stop_worker("clerk").unwrap();
        assert_eq!(watch.await, Ended::Stopped);
        // An actor that was started elsewhere has nobody else to tell of it.
        context.register("clerk", clerk("clerk").start()).unwrap();
        let watch = context.watch("clerk");
        context.stop_worker("clerk").unwrap();
        assert_eq!(watch.await, Ended::Stopped);
    });
}

#[test]
fn an_actor_found_dead_is_told() {
    run(|context| async move {
        let actor = clerk("clerk").start();
        context.register("clerk", actor.clone()).unwrap();
        tell(&context, "clerk", "stop").await;
        while actor.connected() {
            tokio::task::yield_now().await;
        }
        assert_eq!(context.watch("clerk").await, Ended::Stopped);
    });
}

#[test]
fn a_worker_that_is_not_there_is_told() {
    run(|context| async move {
        let nobody = context.watch("nobody").await;
        assert_eq!(why(nobody), UndeliverableReason::Unreachable);
        context.worker("hop", Hop).start().unwrap();
        let nobody = context.watch(route!["hop", "nobody"]).await;
        assert_eq!(why(nobody), UndeliverableReason::Unreachable);
        for wrong in [route![], route!["a b"], route!["tcp#127.0.0.1:1"]] {
            assert_eq!(why(context.watch(wrong).await), UndeliverableReason::Unreachable);
        }
    });
}

#[test]
fn a_watch_passes_the_workers_on_its_way() {
    run(|context| async move {
        context.worker("hop", Hop).start().unwrap();
        context.worker("typed", Typed).start().unwrap();
        context.worker("clerk", clerk("clerk")).start().unwrap();
        let route = route!["hop", "typed", "clerk"];
        let watch = context.watch(&route);
        // The answer to a question by the same route shows that the watch has arrived.
        let answer: String = context.ask(&route, String::from("name")).reply_as().await.unwrap();
        assert_eq!(answer, "clerk");
        tell(&context, "clerk", "panic").await;
        assert_eq!(watch.await, Ended::Panicked);
    });
}

#[test]
fn a_restart_is_no_end() {
    run(|context| async move {
        let policy = RestartPolicy::at_most(1).pauses(Duration::ZERO, Duration::ZERO);
        let worker = context.worker("clerk", clerk("clerk")).restart(policy).start().unwrap();
        let mut watch = context.watch("clerk");
        tell(&context, "clerk", "panic").await;
        assert_eq!(ask(&context, "clerk").await.unwrap(), "clerk");
        assert_eq!(futures::poll!(&mut watch), std::task::Poll::Pending);
        tell(&context, "clerk", "panic").await;
        assert_eq!(watch.await, Ended::Panicked);
        assert_eq!(worker.ended().await, Ended::Panicked);
    });
}

#[test]
fn a_stopped_node_ends_its_watches() {
    run(|context| async move {
        context.worker("clerk", clerk("clerk")).start().unwrap();
        let watch = context.watch("clerk");
        context.node().stop().await;
        match watch.await {
            Ended::Stopped | Ended::Unreachable(_) => {}
            Ended::Panicked => panic!("nothing has panicked"),
        }
    });
}
