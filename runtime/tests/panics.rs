//! What a panic in a future that a handler has returned means for its worker: nothing where the
//! future is a task of its own, the end where the actor's task runs it.

// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

use std::{
    future::Future,
    sync::{Mutex, Once, PoisonError},
    time::Duration,
};

use actix::{
    Actor, ActorFutureExt, AtomicResponse, Context as ActorContext, Handler, ResponseActFuture,
    ResponseFuture, WrapFuture,
};
use ockam_actix_runtime::{
    Context, Ended, Error, Node, NodeBuilder, RestartPolicy, Routed, UndeliverableReason,
    WorkerHandle,
};
use serde::{Deserialize, Serialize};

const DEADLINE: Duration = Duration::from_secs(10);

/// Keeps the text of every record.
struct Capture(Mutex<Vec<String>>);

static CAPTURE: Capture = Capture(Mutex::new(Vec::new()));

impl log::Log for Capture {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        records.push(record.args().to_string());
    }

    fn flush(&self) {}
}

fn is_logged(text: &str) -> bool {
    CAPTURE.0.lock().unwrap().iter().any(|record| record.contains(text))
}

/// Runs a test on a node of one arbiter and on one of three.
fn run<F: Future<Output = ()>>(test: impl Fn(Context) -> F) {
    static LOGGER: Once = Once::new();
    LOGGER.call_once(|| {
        log::set_logger(&CAPTURE).unwrap();
        log::set_max_level(log::LevelFilter::Error);
    });
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

/// Bodies that are handled in a future of each kind; `true` has it panic.
#[derive(Serialize, Deserialize)]
struct OfItsOwn(bool);

#[derive(Serialize, Deserialize)]
struct OfTheActor(bool, ());

#[derive(Serialize, Deserialize)]
struct Atomic(bool, (), ());

/// Counts the messages that it has handled without a panic in its own task.
#[derive(Clone, Default)]
struct Careless(u64);

impl Actor for Careless {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<OfItsOwn>> for Careless {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, message: Routed<OfItsOwn>, _: &mut ActorContext<Self>) -> Self::Result {
        self.0 += 1;
        let count = self.0;
        Box::pin(async move {
            tokio::task::yield_now().await;
            assert!(!message.body().0, "a future with a bug");
            message.reply(count).unwrap();
        })
    }
}

impl Handler<Routed<OfTheActor>> for Careless {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, message: Routed<OfTheActor>, _: &mut ActorContext<Self>) -> Self::Result {
        Box::pin(tokio::task::yield_now().into_actor(self).map(|(), worker, _| {
            assert!(!message.body().0, "a future with a bug");
            message.reply(worker.0).unwrap();
        }))
    }
}

impl Handler<Routed<Atomic>> for Careless {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, message: Routed<Atomic>, _: &mut ActorContext<Self>) -> Self::Result {
        let waited = tokio::task::yield_now().into_actor(self);
        AtomicResponse::new(Box::pin(waited.map(|(), worker, _| {
            assert!(!message.body().0, "a future with a bug");
            message.reply(worker.0).unwrap();
        })))
    }
}

/// Starts a worker whose name is used by no other test here.
fn start(node: &Node, what: &str, restart: Option<RestartPolicy>) -> WorkerHandle {
    let mut worker = node.worker(format!("{what}-{}", node.arbiter_count()), Careless::default());
    if let Some(policy) = restart {
        worker = worker.restart(policy);
    }
    // The longest first: shorter ones fit it, too.
    worker.handles::<Atomic>().handles::<OfTheActor>().handles::<OfItsOwn>().start().unwrap()
}

fn assert_told_of_panic(answer: Result<u64, Error>) {
    match answer.unwrap_err() {
        Error::Undeliverable(notice) => {
            assert_eq!(notice.reason, UndeliverableReason::WorkerPanicked);
        }
        other => panic!("another error: {other}"),
    }
}

#[test]
fn a_response_futures_panic_spares_its_worker() {
    run(|context| async move {
        for (what, restart) in [("once", None), ("again", Some(RestartPolicy::default()))] {
            let worker = start(context.node(), what, restart);
            let name = worker.address();
            let ask = |panics| context.ask(name.clone(), OfItsOwn(panics)).reply_as::<u64>();
            assert_told_of_panic(ask(true).await);
            assert!(is_logged(&format!("\"{name}\" panicked over a message; the worker goes on")));
            assert_eq!(ask(false).await.unwrap(), 2, "it still has its state");
            let taken = context.worker(name.clone(), Careless::default()).handles::<OfItsOwn>();
            assert!(matches!(taken.start(), Err(Error::AddressInUse(_))));
            worker.stop().unwrap();
            assert_eq!(worker.ended().await, Ended::Stopped);
        }
    });
}

#[test]
fn a_registered_actor_survives_its_future_too() {
    run(|context| async move {
        let worker = context.register::<_, OfItsOwn>("registered", Careless::default().start());
        worker.unwrap();
        let ask = |panics| context.ask("registered", OfItsOwn(panics)).reply_as::<u64>();
        assert_told_of_panic(ask(true).await);
        assert_eq!(ask(false).await.unwrap(), 2, "it still has its state");
        assert!(context.node().is_registered(&"registered".into()));
    });
}

#[test]
fn a_panic_in_an_actors_future_ends_it() {
    run(|context| async move {
        let node = context.node();
        let worker = start(node, "of-the-actor", None);
        let question = context.ask(worker.address().clone(), OfTheActor(true, ()));
        assert_told_of_panic(question.reply_as().await);
        assert_eq!(worker.ended().await, Ended::Panicked);
        let worker = start(node, "atomic", None);
        let question = context.ask(worker.address().clone(), Atomic(true, (), ()));
        assert_told_of_panic(question.reply_as().await);
        assert_eq!(worker.ended().await, Ended::Panicked);
        let again = worker.stop().unwrap_err();
        assert!(matches!(again, Error::WorkerEnded(_)), "{again}");
    });
}
