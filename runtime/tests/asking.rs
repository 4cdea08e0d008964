//! What questions promise: typed answers, a time limit, workers that ask before they answer, and
//! that nobody waits for an answer that does not come.

// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

use std::{
    future::{Future, IntoFuture},
    time::Duration,
};

use actix::{Actor, ActorContext as _, Context as ActorContext, Handler, ResponseFuture};
use ockam_actix_runtime::{
    route, Ask, Body, Context, Error, Host, Message, NodeBuilder, Notice, Payload, Reply, Request,
    Routed, UndeliverableReason,
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

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
    /// Dropped.
    Forget,
    /// Dropped at the end of a future.
    ForgetLater,
    Stop,
    Panic,
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

    fn handle(&mut self, message: Routed<Order>, context: &mut ActorContext<Self>) {
        let (order, reply) = message.into_request();
        match order {
            Order::Number(number) => reply.send(number).unwrap(),
            Order::Keep => self.kept.push(reply),
            Order::Release => {
                self.kept.drain(..).for_each(|kept| kept.send(1).unwrap());
                reply.send(2).unwrap();
            }
            Order::Forget => {}
            Order::ForgetLater => drop(actix_rt::spawn(async move { drop(reply) })),
            Order::Stop => context.stop(),
            Order::Panic => panic!("a worker with a bug"),
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
    context.worker("keeper", Keeper::default()).start().unwrap();
    context.worker("asker", Asker).start().unwrap();
}

/// Sends a question, whose answer is waited for later.
async fn begin(question: Ask<Order>) -> impl Future<Output = Result<u64, Error>> {
    let mut asked = question.into_future();
    assert!(futures::poll!(&mut asked).is_pending());
    asked
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
fn an_answer_of_another_type_is_named() {
    run(|context| async move {
        let mut clerk = Context::named(&context, "clerk").unwrap();
        let asking = context.ask("clerk", 7_u32).reply_as::<String>().into_future();
        let answering = async { clerk.receive::<u32>().await.unwrap().reply(8_u32).unwrap() };
        let (answer, ()) = futures::join!(asking, answering);
        let error = answer.unwrap_err().to_string();
        assert!(error.contains("from clerk is no `alloc::string::String`"), "{error}");
        assert!(error.contains("integer `8`"), "{error}");
        assert_eq!(clerk.queue_length(), 0, "who asks has the error, so nobody else is told");
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
        let kept = begin(context.ask("asker", Order::Keep)).await;
        let others = async {
            // Each is answered while the first is not.
            for number in 0..3 {
                assert_eq!(context.ask("asker", Order::Number(number)).await.unwrap(), 10 * number);
            }
            context.ask("keeper", Order::Release).await.unwrap()
        };
        assert_eq!(others.await, 2);
        assert_eq!(kept.await.unwrap(), 10);
    });
}

/// Why no answer came.
fn reason(error: Error) -> UndeliverableReason {
    match error {
        Error::Undeliverable(notice) => notice.reason,
        other => panic!("another error: {other}"),
    }
}

/// Forwards what it gets.
struct Hop;

impl Actor for Hop {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<Payload>> for Hop {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut ActorContext<Self>) {
        message.forward().unwrap();
    }
}

/// Forwards orders, and so gets no notices.
struct TypedHop;

impl Actor for TypedHop {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<Order>> for TypedHop {
    type Result = ();

    fn handle(&mut self, message: Routed<Order>, _: &mut ActorContext<Self>) {
        // Whoever sent it gets a notice where this fails.
        let _ = message.forward();
    }
}

/// Counts notices, and sends them on.
struct Watcher(mpsc::UnboundedSender<Notice>);

impl Actor for Watcher {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<Notice>> for Watcher {
    type Result = ();

    fn handle(&mut self, message: Routed<Notice>, _: &mut ActorContext<Self>) {
        self.0.send(message.body().clone()).unwrap();
        if !message.onward_route().is_empty() {
            message.forward().unwrap();
        }
    }
}

#[test]
fn a_dropped_question_is_told_at_once() {
    run(|context| async move {
        start(&context);
        context.worker("hop", Hop).start().unwrap();
        context.worker("typed", TypedHop).start().unwrap();
        context.register("registered", Keeper::default().start()).unwrap();
        let through = [route!["hop", "keeper"], route!["typed", "hop", "typed", "keeper"]];
        for route in [route!["keeper"], route!["registered"]].into_iter().chain(through) {
            for order in [Order::Forget, Order::ForgetLater] {
                let error = context.ask(route.clone(), order).await.unwrap_err();
                assert!(error.to_string().contains("gives no answer"), "{error}");
                assert_eq!(reason(error), UndeliverableReason::Unanswered);
            }
        }
        // The asker forgets its own question when the keeper forgets the one that it got.
        let error = context.ask("asker", Order::Forget).await.unwrap_err();
        assert_eq!(reason(error), UndeliverableReason::Unanswered);
    });
}

#[test]
fn a_worker_that_ends_tells_its_askers() {
    run(|context| async move {
        for order in [Order::Stop, Order::Panic] {
            let keeper = context.worker("keeper", Keeper::default()).start().unwrap();
            let kept = begin(context.ask("keeper", Order::Keep)).await;
            assert_eq!(context.ask("keeper", Order::Number(1)).await.unwrap(), 1);
            let by_order = reason(context.ask("keeper", order).await.unwrap_err());
            let kept = reason(kept.await.unwrap_err());
            for told in [by_order, kept] {
                let reasons = [
                    UndeliverableReason::Unanswered,
                    UndeliverableReason::WorkerStopped,
                    UndeliverableReason::WorkerPanicked,
                ];
                assert!(reasons.contains(&told), "{told}");
            }
            while context.node().is_registered(keeper.address()) {
                tokio::task::yield_now().await;
            }
        }
    });
}

#[test]
fn data_that_nobody_answers_causes_no_notice() {
    run(|mut context| async move {
        start(&context);
        for order in [Order::Forget, Order::ForgetLater, Order::Number(3)] {
            context.send("keeper", order).await.unwrap();
        }
        assert_eq!(*context.receive::<u64>().await.unwrap().body(), 3);
    });
}

#[test]
fn a_program_that_ends_tells_its_askers() {
    run(|context| async move {
        let mut program = Context::named(&context, "program").unwrap();
        let taken = begin(context.ask("program", Order::Number(1))).await;
        let waiting = begin(context.ask("program", Order::Number(2))).await;
        drop(program.receive::<Order>().await.unwrap());
        drop(program);
        for asked in [taken, waiting] {
            let told = reason(asked.await.unwrap_err());
            let reasons = [UndeliverableReason::Unanswered, UndeliverableReason::WorkerStopped];
            assert!(reasons.contains(&told), "{told}");
        }
    });
}

#[test]
fn a_question_takes_one_answer() {
    run(|context| async move {
        let mut shop = Context::named(context.node(), "shop").unwrap();
        let workers = context.node().worker_count();
        let question = tokio::spawn(context.ask("shop", Order::Keep).into_future());
        let taken = shop.receive::<Order>().await.unwrap();
        let back = taken.return_route();
        shop.send(back.clone(), 7_u64).await.unwrap();
        let late = shop.send(back.clone(), 8_u64).await.unwrap_err();
        assert!(matches!(late, Error::Undeliverable(_) | Error::NoWorker(_)), "{late}");
        assert_eq!(question.await.unwrap().unwrap(), 7);
        assert_eq!(context.node().worker_count(), workers, "an address is left");
    });
}

#[test]
fn questions_and_contexts_end_with_their_node() {
    run(|mut context| async move {
        start(&context);
        let kept = begin(context.ask("keeper", Order::Keep)).await;
        assert_eq!(context.ask("keeper", Order::Number(1)).await.unwrap(), 1);
        context.stop().await.unwrap();
        kept.await.unwrap_err();
        let stopped = context.receive::<u64>().await.unwrap_err();
        assert!(matches!(stopped, Error::Stopped), "{stopped}");
        context.receive::<u64>().await.unwrap_err();
    });
}

#[test]
fn notices_pass_typed_workers_on_their_way_back() {
    run(|context| async move {
        start(&context);
        for name in ["t1", "t2"] {
            context.worker(name, TypedHop).start().unwrap();
        }
        for last in ["nobody", "t2"] {
            let route = route!["t1", "t2", last];
            let told = context.ask(route, Order::Number(1)).await.unwrap_err();
            assert_eq!(reason(told), UndeliverableReason::Unreachable);
        }
        let (sender, mut seen) = mpsc::unbounded_channel();
        context.worker("watcher", Watcher(sender)).start().unwrap();
        // As if the watcher had sent the first, and forwarded the second.
        let asker = Context::new(&context).unwrap();
        for back in [route!["watcher"], route!["watcher", asker.address().clone()]] {
            let order = Order::Number(1).encode().unwrap();
            context.node().route(Message::new(route!["t1", "nobody"], back, order));
            assert_eq!(seen.recv().await.unwrap().hop, "nobody".into());
        }
        let mut asker = asker;
        let told = asker.receive::<Notice>().await.unwrap();
        assert_eq!(told.body().reason, UndeliverableReason::Unreachable);
        // Nothing but a notice is one.
        let data = context.ask("watcher", Order::Number(1)).await.unwrap_err();
        assert_eq!(reason(data), UndeliverableReason::BodyNotUnderstood);
    });
}
