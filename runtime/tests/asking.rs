//! What questions promise: typed answers, a time limit, and workers that ask before they answer.

// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

use std::{
    future::{Future, IntoFuture},
    time::Duration,
};

use actix::{Actor, Context as ActorContext, Handler, ResponseFuture};
use ockam_actix_runtime::{route, Context, Error, NodeBuilder, Reply, Request, Routed};
use serde::{Deserialize, Serialize};

const DEADLINE: Duration = Duration::from_secs(10);

/// Runs a test on a node of one arbiter and on one of three.
fn run<F: Future<Output = ()>>(test: impl Fn(Context) -> F) {
    for arbiters in [1, 3] {
        actix_rt::System::new().block_on(async {
            let builder = NodeBuilder::new().arbiters(arbiters);
            let context = builder.start_with_context().await.unwrap();
            let node = context.node().clone();
            let ended = tokio::time::timeout(DEADLINE, test(context)).await;
            ended.expect("the test ends in time");
            node.stop().await;
        });
    }
}

/// Asks a [`Keeper`].
#[derive(Serialize, Deserialize)]
enum Order {
    /// Answered with the number.
    Number(u64),
    /// Kept for the next [`Order::Release`], which is answered after it.
    Keep,
    Release,
}

impl Request for Order {
    type Reply = u64;
}

/// Keeps some replies for later.
#[derive(Default)]
struct Keeper {
    kept: Vec<Reply<u64>>,
}

impl Actor for Keeper {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<Order>> for Keeper {
    type Result = ();

    fn handle(&mut self, message: Routed<Order>, _: &mut ActorContext<Self>) {
        let (order, reply) = message.into_request();
        match order {
            Order::Number(number) => reply.send(number).unwrap(),
            Order::Keep => self.kept.push(reply),
            Order::Release => {
                self.kept.drain(..).for_each(|kept| kept.send(1).unwrap());
                reply.send(2).unwrap();
            }
        }
    }
}

/// Asks the keeper before it answers.
struct Asker;

impl Actor for Asker {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<Order>> for Asker {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, message: Routed<Order>, _: &mut ActorContext<Self>) -> Self::Result {
        let node = message.node().clone();
        let (order, reply) = message.into_request();
        Box::pin(async move {
            if let Ok(number) = node.ask("keeper", order).await {
                reply.send(10 * number).unwrap();
            }
        })
    }
}

fn start(context: &Context) {
    context.start_worker("keeper", Keeper::default()).unwrap();
    context.start_worker("asker", Asker).unwrap();
}

#[test]
fn a_request_is_answered_with_its_reply() {
    run(|context| async move {
        start(&context);
        assert_eq!(context.ask("keeper", Order::Number(7)).await.unwrap(), 7);
        let whose: Routed<u64> = context.ask("keeper", Order::Number(8)).reply_as().await.unwrap();
        assert_eq!((whose.return_route(), *whose.body()), (&route!["keeper"], 8));
    });
}

#[test]
fn questions_and_replies_may_change_threads() {
    fn sendable(_: impl Send + 'static) {}
    run(|context| async move {
        sendable(context.ask("keeper", Order::Keep));
        sendable(context.ask("keeper", Order::Keep).into_future());
        sendable(context.ask("keeper", String::new()).reply_as::<Routed<u8>>().into_future());
        sendable(None::<Reply>);
    });
}

#[test]
fn a_question_waits_as_long_as_it_says() {
    run(|context| async move {
        start(&context);
        let limit = Duration::from_millis(20);
        let late = context.ask("keeper", Order::Keep).within(limit).await.unwrap_err();
        assert!(matches!(late, Error::TimedOut { limit: l, .. } if l == limit), "{late}");
        assert!(late.to_string().contains("20ms"), "{late}");
    });
}

#[test]
fn a_worker_that_asks_takes_other_messages() {
    run(|context| async move {
        start(&context);
        let kept = tokio::spawn(context.ask("asker", Order::Keep).into_future());
        let others = async {
            // Each is answered while the first is not.
            for number in 0..3 {
                assert_eq!(context.ask("asker", Order::Number(number)).await.unwrap(), 10 * number);
            }
            context.ask("keeper", Order::Release).await.unwrap()
        };
        assert_eq!(others.await, 2);
        assert_eq!(kept.await.unwrap().unwrap(), 10);
    });
}
