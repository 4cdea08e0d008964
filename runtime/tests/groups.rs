//! Groups of workers on one node.

// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

use std::{future::Future, time::Duration};

use actix::{Actor, ActorContext as _, Context as ActorContext, Handler};
use ockam_actix_runtime::{route, Context, Error, NodeBuilder, Routed};

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

async fn tell(context: &Context, name: &str, word: &str) {
    context.send(route![name], word.to_owned()).await.unwrap();
}

async fn ask(context: &Context, name: &str) -> Result<String, Error> {
    context.ask(route![name], String::from("name")).reply_as().await
}

#[test]
fn members_of_a_group_take_turns() {
    run(|context| async move {
        let group = context.group("clerks").start().unwrap();
        let alone = ask(&context, "clerks").await.unwrap_err();
        assert!(matches!(alone, Error::Undeliverable(_)), "{alone}");
        for name in ["a", "b", "c"] {
            context.worker(name, clerk(name)).start().unwrap();
            group.add(name).unwrap();
            group.add(name).unwrap();
        }
        assert_eq!(group.members(), [route!["a"], route!["b"], route!["c"]]);
        for name in ["a", "b", "c", "a"] {
            assert_eq!(ask(&context, "clerks").await.unwrap(), name);
        }
        assert_eq!(group.in_turn(), Some(route!["b"]));
        assert!(group.remove("a") && !group.remove("a"));
        assert_eq!(ask(&context, "clerks").await.unwrap(), "c");
    });
}

#[test]
fn a_member_that_has_ended_leaves() {
    run(|context| async move {
        let group = context.group("clerks").start().unwrap();
        for name in ["a", "b"] {
            context.worker(name, clerk(name)).start().unwrap();
            group.add(name).unwrap();
        }
        tell(&context, "a", "panic").await;
        while group.members().len() > 1 {
            tokio::task::yield_now().await;
        }
        for _ in 0..3 {
            assert_eq!(ask(&context, "clerks").await.unwrap(), "b");
        }
        group.add("nobody").unwrap();
        while group.members().len() > 1 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn a_group_to_all_reaches_each_member() {
    run(|mut context| async move {
        let group = context.group("clerks").to_all().start().unwrap();
        for name in ["a", "b", "c"] {
            context.worker(name, clerk(name)).start().unwrap();
            group.add(name).unwrap();
        }
        tell(&context, "clerks", "name").await;
        let mut answers = Vec::new();
        for _ in 0..3 {
            let answer = context.receive::<String>().await.unwrap();
            assert_eq!(answer.return_route().to_string(), *answer.body(), "from the member");
            answers.push(answer.into_body());
        }
        answers.sort();
        assert_eq!(answers, ["a", "b", "c"]);
    });
}

#[test]
fn others_answer_for_who_cannot_be_reached() {
    run(|context| async move {
        let group = context.group("clerks").to_all().start().unwrap();
        context.worker("a", clerk("a")).start().unwrap();
        for name in ["nobody", "a"] {
            group.add(name).unwrap();
        }
        assert_eq!(ask(&context, "clerks").await.unwrap(), "a");
    });
}

#[test]
fn a_group_is_no_member_of_itself() {
    run(|context| async move {
        let group = context.group("clerks").start().unwrap();
        for route in [route!["clerks"], route!["clerks", "a"]] {
            let error = group.add(route).unwrap_err();
            assert!(error.to_string().contains("of itself"), "{error}");
        }
        assert!(group.members().is_empty());
    });
}

#[test]
fn a_stopped_group_watches_nobody() {
    run(|context| async move {
        let group = context.group("clerks").start().unwrap();
        context.worker("a", clerk("a")).start().unwrap();
        group.add("a").unwrap();
        group.stop().unwrap();
        while !group.members().is_empty() {
            tokio::task::yield_now().await;
        }
        let refused = group.add("a").unwrap_err();
        assert!(matches!(refused, Error::WorkerEnded(_)), "{refused}");
        assert_eq!(ask(&context, "a").await.unwrap(), "a");
    });
}
