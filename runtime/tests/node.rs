//! What a node promises to its workers, on one arbiter and on several.

// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

use std::{
    future::{Future, IntoFuture},
    time::Duration,
};

use actix::{
    Actor, ActorContext as _, ActorFutureExt, AsyncContext, Context as ActorContext, Handler,
    ResponseFuture, WrapFuture,
};
use ockam_actix_runtime::{
    limits::MAX_PAYLOAD_BYTES, node::entry::Description, route, worker::mailbox::Registered,
    Address, Class, Context, Error, Host, NodeBuilder, Payload, Routed, UndeliverableReason,
};
use tokio::sync::oneshot;

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

/// Answers with the text in capitals, synchronously.
struct Shouter;

impl Actor for Shouter {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<String>> for Shouter {
    type Result = ();

    fn handle(&mut self, message: Routed<String>, context: &mut ActorContext<Self>) {
        match message.body().as_str() {
            "panic" => panic!("a worker with a bug"),
            "stop" => context.stop(),
            text => {
                let text = text.to_uppercase();
                message.reply(text).unwrap();
            }
        }
    }
}

/// Answers after a while, in a future.
struct Sleeper;

impl Actor for Sleeper {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<u64>> for Sleeper {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, message: Routed<u64>, _: &mut ActorContext<Self>) -> Self::Result {
        Box::pin(async move {
            let pause = *message.body();
            tokio::time::sleep(Duration::from_millis(pause)).await;
            message.reply(pause).unwrap();
        })
    }
}

/// Forwards what it gets.
struct Hop;

impl Actor for Hop {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<Payload>> for Hop {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, context: &mut ActorContext<Self>) {
        let forwarded = message.forward();
        context.spawn(async move { drop(forwarded) }.into_actor(self));
    }
}

/// Waits from its first message on until [`Releaser`] gets one, and then stops or goes on.
struct Waiter {
    released: Option<oneshot::Receiver<()>>,
    stops: bool,
}

impl Actor for Waiter {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<u64>> for Waiter {
    type Result = ();

    fn handle(&mut self, message: Routed<u64>, context: &mut ActorContext<Self>) {
        if let Some(released) = self.released.take() {
            let waiting = released.into_actor(self).map(|_, waiter, context| {
                if waiter.stops {
                    context.stop();
                }
            });
            context.wait(waiting);
        }
        let number = *message.body();
        message.reply(number).unwrap();
    }
}

/// Releases a [`Waiter`].
struct Releaser(Option<oneshot::Sender<()>>);

impl Actor for Releaser {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<u64>> for Releaser {
    type Result = ();

    fn handle(&mut self, _: Routed<u64>, _: &mut ActorContext<Self>) {
        self.0.take().unwrap().send(()).unwrap();
    }
}

/// Asks a [`Waiter`] once, and then three questions that wait in its inbox until it is released.
/// All go through one arbiter, so the release cannot overtake the questions.
async fn ask_a_waiter(context: &Context, stops: bool) -> Vec<Result<u64, Error>> {
    let (release, released) = oneshot::channel();
    let node = context.node();
    node.worker("waiter", Waiter { released: Some(released), stops }).arbiter(0).start().unwrap();
    node.worker("releaser", Releaser(Some(release))).arbiter(0).start().unwrap();
    assert_eq!(context.ask(route!["waiter"], 0_u64).reply_as::<u64>().await.unwrap(), 0);
    let ask = |number: u64| context.ask(route!["waiter"], number).reply_as().into_future();
    let questions = (1..=3).map(ask);
    let release = context.send(route!["releaser"], 0_u64);
    let (answers, released) = futures::join!(futures::future::join_all(questions), release);
    released.unwrap();
    answers
}

async fn shout(context: &Context, text: &str) -> Result<String, Error> {
    context.ask(route!["shouter"], text.to_owned()).reply_as().await
}

fn reason(error: Error) -> UndeliverableReason {
    match error {
        Error::Undeliverable(notice) => notice.reason,
        other => panic!("another error: {other}"),
    }
}

#[test]
fn sync_and_async_handlers_answer() {
    run(|context| async move {
        context.worker("shouter", Shouter).start().unwrap();
        context.worker("sleeper", Sleeper).start().unwrap();
        assert_eq!(shout(&context, "hello").await.unwrap(), "HELLO");
        assert_eq!(context.ask(route!["sleeper"], 1_u64).reply_as::<u64>().await.unwrap(), 1);
    });
}

#[test]
fn an_actor_that_already_runs_gets_an_address() {
    run(|context| async move {
        // It runs in the System's own arbiter, which is not one of the node's.
        context.register("shouter", Shouter.start()).unwrap();
        assert_eq!(shout(&context, "hello").await.unwrap(), "HELLO");
    });
}

/// An internal actor that signals its end by dropping its sender.
struct DropSignal(Option<oneshot::Sender<()>>);

impl Actor for DropSignal {
    type Context = ActorContext<Self>;
}

impl Handler<Registered> for DropSignal {
    type Result = ();

    fn handle(&mut self, _: Registered, _: &mut ActorContext<Self>) {}
}

impl Handler<Routed<Payload>> for DropSignal {
    type Result = ();

    fn handle(&mut self, _: Routed<Payload>, _: &mut ActorContext<Self>) {}
}

impl Drop for DropSignal {
    fn drop(&mut self) {
        drop(self.0.take());
    }
}

#[test]
fn an_actor_that_cannot_be_registered_ends() {
    run(|context| async move {
        context.worker("taken", Hop).start().unwrap();
        let (alive, gone) = oneshot::channel();
        let description = Description::new("taken", Class::Internal);
        let launched = context.node().launch(description, move |_| DropSignal(Some(alive)));
        assert!(matches!(launched, Err(Error::AddressInUse(_))));
        gone.await.unwrap_err();
    });
}

#[test]
fn messages_of_one_sender_arrive_in_order() {
    run(|mut context| async move {
        context.worker("hop", Hop).start().unwrap();
        let back = context.address().clone();
        for number in 0..2_000_u32 {
            context.send(route!["hop", back.clone()], number).await.unwrap();
        }
        for number in 0..2_000_u32 {
            assert_eq!(*context.receive::<u32>().await.unwrap().body(), number);
        }
    });
}

#[test]
fn both_routes_lead_where_they_say() {
    run(|mut context| async move {
        for name in ["h1", "h2"] {
            context.worker(name, Hop).start().unwrap();
        }
        let own = context.address().clone();
        context.send(route!["h1", "h2", own.clone()], "x".to_owned()).await.unwrap();
        let message = context.receive::<String>().await.unwrap();
        assert_eq!(message.return_route(), &route!["h2", "h1", own]);
        assert!(message.onward_route().is_empty());
    });
}

#[test]
fn an_address_is_taken_until_its_worker_stops() {
    run(|context| async move {
        context.worker("shouter", Shouter).start().unwrap();
        let taken = context.worker("shouter", Shouter).start().unwrap_err();
        assert!(matches!(taken, Error::AddressInUse(_)), "{taken}");
        assert!(context.workers().contains(&(Address::from("shouter"), Class::User)));
        context.stop_worker("shouter").unwrap();
        let gone = shout(&context, "hello").await.unwrap_err();
        assert!(matches!(gone, Error::NoWorker(_)), "{gone}");
        context.worker("shouter", Shouter).start().unwrap();
        assert_eq!(shout(&context, "again").await.unwrap(), "AGAIN");
    });
}

#[test]
fn a_panic_ends_one_worker_and_notifies_senders() {
    run(|context| async move {
        let before = context.node().worker_count();
        context.worker("shouter", Shouter).start().unwrap();
        context.worker("hop", Hop).start().unwrap();
        let told = reason(shout(&context, "panic").await.unwrap_err());
        assert_eq!(told, UndeliverableReason::WorkerPanicked);
        context.stop_worker("hop").unwrap();
        // The address ends with the actor, in its own thread.
        while context.node().worker_count() > before {
            tokio::task::yield_now().await;
        }
        context.worker("shouter", Shouter).start().unwrap();
        assert_eq!(shout(&context, "hello").await.unwrap(), "HELLO");
    });
}

#[test]
fn a_worker_that_stops_itself_frees_its_address() {
    run(|context| async move {
        context.worker("shouter", Shouter).start().unwrap();
        context.send(route!["shouter"], "stop".to_owned()).await.unwrap();
        while context.node().is_registered(&"shouter".into()) {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn messages_queued_for_a_stopped_worker_are_returned() {
    run(|context| async move {
        for answer in ask_a_waiter(&context, true).await {
            assert_eq!(reason(answer.unwrap_err()), UndeliverableReason::WorkerStopped);
        }
    });
}

#[test]
fn a_waiting_actor_holds_its_later_messages() {
    run(|context| async move {
        let answers = ask_a_waiter(&context, false).await;
        let numbers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(numbers, [1, 2, 3]);
    });
}

#[test]
fn senders_are_told_what_was_wrong() {
    run(|context| async move {
        context.worker("shouter", Shouter).start().unwrap();
        let nobody = context.ask(route!["nobody"], 1_u8).reply_as::<u8>().await.unwrap_err();
        assert!(nobody.to_string().contains("\"nobody\""), "{nobody}");
        let body = context.ask(route!["shouter"], 1_u64).reply_as::<u64>().await.unwrap_err();
        assert_eq!(reason(body), UndeliverableReason::BodyNotUnderstood);
        let empty = context.send(ockam_actix_runtime::Route::new(), 1_u8).await.unwrap_err();
        assert!(matches!(empty, Error::EmptyRoute), "{empty}");
        let spaces = context.send(route!["a b"], 1_u8).await.unwrap_err();
        assert!(spaces.to_string().contains("\"a b\""), "{spaces}");
        let large = vec![0_u8; MAX_PAYLOAD_BYTES + 1];
        let large = context.send(route!["shouter"], Payload::from(large)).await.unwrap_err();
        assert!(matches!(large, Error::TooLarge { .. }), "{large}");
        let dial = context.send(route!["tcp#127.0.0.1:1"], 1_u8).await.unwrap_err();
        assert!(matches!(dial, Error::NoTransport(_)), "{dial}");
    });
}

#[test]
fn answers_of_a_wrong_type_name_their_sender() {
    run(|mut context| async move {
        context.worker("shouter", Shouter).start().unwrap();
        context.send(route!["shouter"], "hello".to_owned()).await.unwrap();
        let error = context.receive::<u64>().await.unwrap_err();
        assert!(error.to_string().contains("shouter"), "{error}");
    });
}

#[test]
fn a_stopped_node_leaves_its_system_running() {
    actix_rt::System::new().block_on(async {
        let first = NodeBuilder::new().arbiters(2).start_with_context().await.unwrap();
        let second = NodeBuilder::new().arbiters(1).start_with_context().await.unwrap();
        second.worker("shouter", Shouter).start().unwrap();
        first.stop().await.unwrap();
        assert!(first.worker("shouter", Shouter).start().is_err());
        assert_eq!(shout(&second, "still here").await.unwrap(), "STILL HERE");
        second.stop().await.unwrap();
    });
}

/// Tells, by dropping its sender, that it was dropped.
struct Lasting(#[allow(dead_code)] oneshot::Sender<()>);

impl Actor for Lasting {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<String>> for Lasting {
    type Result = ();

    fn handle(&mut self, message: Routed<String>, _: &mut ActorContext<Self>) {
        message.reply(String::from("here")).unwrap();
    }
}

#[test]
fn a_node_without_holders_ends_its_workers() {
    actix_rt::System::new().block_on(async {
        let node = NodeBuilder::new().arbiters(2).start().await.unwrap();
        let (alive, ended) = oneshot::channel();
        node.worker("lasting", Lasting(alive)).start().unwrap();
        // The question makes a return address, which is an entry too.
        let answer: String = node.ask("lasting", String::new()).reply_as().await.unwrap();
        assert_eq!(answer, "here");
        let inside = node.unheld();
        drop(node);
        let ended = tokio::time::timeout(DEADLINE, ended).await;
        assert!(ended.expect("the worker is dropped in time").is_err());
        assert!(inside.is_stopping());
        assert_eq!(inside.worker_count(), 0);
    });
}

#[test]
fn a_context_keeps_its_node() {
    actix_rt::System::new().block_on(async {
        let node = NodeBuilder::new().arbiters(1).start().await.unwrap();
        let context = Context::new(&node).unwrap();
        context.worker("shouter", Shouter).start().unwrap();
        drop(node);
        let answer: String =
            context.ask("shouter", String::from("hello")).reply_as().await.unwrap();
        assert_eq!(answer, "HELLO");
        context.stop().await.unwrap();
    });
}
