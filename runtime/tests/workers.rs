//! How workers start, are started again after a panic, and end.

// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

use std::{
    future::{Future, IntoFuture},
    sync::{
        atomic::{AtomicUsize, Ordering},
        Arc, Mutex, Once, PoisonError,
    },
    time::Duration,
};

use actix::{Actor, AsyncContext, Context as ActorContext, Handler, WrapFuture};
use ockam_actix_runtime::{
    route, Class, Context, Ended, Error, Node, NodeBuilder, Payload, RestartPolicy, Routed,
    UndeliverableReason, WorkerHandle,
};
use serde::{Deserialize, Serialize};

const DEADLINE: Duration = Duration::from_secs(10);

/// A pause that no test waits for.
const FOR_EVER: Duration = Duration::from_secs(3_600);

/// Restarts without a pause.
const AT_ONCE: RestartPolicy =
    RestartPolicy::at_most(5).pauses(Duration::ZERO, Duration::ZERO).steady_after(FOR_EVER);

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

fn reason<T: std::fmt::Debug>(result: Result<T, Error>) -> UndeliverableReason {
    match result {
        Err(Error::Undeliverable(notice)) => notice.reason,
        other => panic!("expected a notice, got {other:?}"),
    }
}

/// Answers with the number of messages so far; has a bug.
#[derive(Clone, Default)]
struct Counter {
    messages: u64,
    stopped: Arc<AtomicUsize>,
}

impl Actor for Counter {
    type Context = ActorContext<Self>;

    fn stopped(&mut self, _: &mut ActorContext<Self>) {
        self.stopped.fetch_add(1, Ordering::SeqCst);
    }
}

impl Handler<Routed<String>> for Counter {
    type Result = ();

    fn handle(&mut self, message: Routed<String>, _: &mut ActorContext<Self>) {
        assert_ne!(message.body(), "panic", "a worker with a bug");
        self.messages += 1;
        message.reply(self.messages).unwrap();
    }
}

async fn count(context: &Context, name: &str) -> u64 {
    context.ask(route![name], String::from("count")).reply_as().await.unwrap()
}

async fn panic_in(context: &Context, name: &str) {
    let told = context.ask(route![name], String::from("panic")).reply_as::<u64>().await;
    assert_eq!(reason(told), UndeliverableReason::WorkerPanicked);
}

/// Starts a worker that is started again in an hour, and has it panic; returns its name.
async fn pausing(context: &Context, name: &str) -> (String, WorkerHandle) {
    let name = format!("{name}-{}", context.node().arbiter_count());
    let policy = AT_ONCE.pauses(FOR_EVER, FOR_EVER);
    let worker = context.worker(&name, Counter::default()).restart(policy).start().unwrap();
    panic_in(context, &name).await;
    while !is_logged(&format!("\"{name}\" panicked; it is started again in 3600s")) {
        tokio::task::yield_now().await;
    }
    (name, worker)
}

#[test]
fn a_workers_name_is_not_a_peers() {
    run(|context| async move {
        let node = context.node();
        let refused = [
            node.worker("tcp#127.0.0.1:4000", Counter::default()).start().unwrap_err(),
            node.register("tcp#127.0.0.1:4000", Counter::default().start()).unwrap_err(),
            Context::named(node, "tcp#127.0.0.1:4000").unwrap_err(),
            // A transport may come later.
            node.worker("quic#x", Counter::default()).start().unwrap_err(),
            node.worker("#", Counter::default()).start().unwrap_err(),
        ];
        for error in refused {
            assert!(matches!(error, Error::ReservedAddress(_)), "{error}");
        }
    });
}

#[test]
fn both_listings_of_workers_agree() {
    run(|context| async move {
        for name in ["b", "a"] {
            context.worker(name, Counter::default()).start().unwrap();
        }
        let workers = context.workers();
        assert_eq!(workers, context.node().workers());
        assert!(workers.is_sorted_by_key(|(address, _)| address.clone()));
        assert_eq!(workers[..2], [("a".into(), Class::User), ("b".into(), Class::User)]);
    });
}

#[test]
fn a_refused_worker_never_begins() {
    run(|context| async move {
        context.worker("counter", Counter::default()).start().unwrap();
        let second = Counter::default();
        let stopped = second.stopped.clone();
        context.worker("counter", second).start().unwrap_err();
        assert_eq!(Arc::strong_count(&stopped), 1, "it is dropped");
        assert_eq!(stopped.load(Ordering::SeqCst), 0, "it has never run");
    });
}

#[test]
fn a_handle_tells_that_its_worker_stopped() {
    run(|context| async move {
        let counter = Counter::default();
        let stopped = counter.stopped.clone();
        let first = context.worker("counter", counter).start().unwrap();
        let ended = first.ended();
        first.stop().unwrap();
        assert_eq!(ended.await, Ended::Stopped);
        assert_eq!(stopped.load(Ordering::SeqCst), 1);
        // It is the handle of that worker, not of its name.
        let second = context.worker("counter", Counter::default()).start().unwrap();
        assert!(matches!(first.stop(), Err(Error::WorkerEnded(_))));
        assert_eq!(first.ended().await, Ended::Stopped);
        assert_eq!(count(&context, "counter").await, 1);
        second.stop().unwrap();
    });
}

#[test]
fn a_panic_is_logged_with_its_address() {
    run(|context| async move {
        let name = format!("careless-{}", context.node().arbiter_count());
        let worker = context.worker(&name, Counter::default()).start().unwrap();
        panic_in(&context, &name).await;
        assert_eq!(worker.ended().await, Ended::Panicked);
        assert!(is_logged(&format!("the worker \"{name}\" panicked and stays down")));
        context.worker(&name, Counter::default()).start().unwrap();
    });
}

#[test]
fn a_panic_of_a_registered_actor_is_logged() {
    run(|context| async move {
        let name = format!("registered-{}", context.node().arbiter_count());
        context.register(&name, Counter::default().start()).unwrap();
        panic_in(&context, &name).await;
        assert!(is_logged(&format!("\"{name}\" panicked while it handled a message")));
    });
}

#[test]
fn a_panicked_worker_is_started_again() {
    run(|context| async move {
        let name = format!("again-{}", context.node().arbiter_count());
        let worker = context.worker(&name, Counter::default()).restart(AT_ONCE).start().unwrap();
        for _ in 0..2 {
            assert_eq!(count(&context, &name).await, 1, "it begins anew");
            assert_eq!(count(&context, &name).await, 2);
            panic_in(&context, &name).await;
        }
        assert!(is_logged(&format!("the worker \"{name}\" panicked; it is started again")));
        assert_eq!(count(&context, &name).await, 1);
        worker.stop().unwrap();
        assert_eq!(worker.ended().await, Ended::Stopped);
    });
}

#[test]
fn a_factory_makes_the_next_actors() {
    run(|context| async move {
        let made = AtomicUsize::new(0);
        let make = move || {
            let messages = 100 + made.fetch_add(1, Ordering::SeqCst) as u64;
            Counter { messages, ..Counter::default() }
        };
        let first = Counter::default();
        context.worker("made", first).restart_with(AT_ONCE, make).start().unwrap();
        assert_eq!(count(&context, "made").await, 1);
        for next in [101, 102] {
            panic_in(&context, "made").await;
            assert_eq!(count(&context, "made").await, next);
        }
    });
}

#[test]
fn a_panic_in_a_factory_counts_too() {
    run(|context| async move {
        let make = || panic!("a factory with a bug");
        let worker = context.worker("made", Counter::default()).restart_with(AT_ONCE, make);
        let worker = worker.start().unwrap();
        panic_in(&context, "made").await;
        assert_eq!(worker.ended().await, Ended::Panicked);
        assert!(!context.node().is_registered(&"made".into()));
    });
}

#[test]
fn messages_wait_for_the_next_actor() {
    run(|context| async move {
        let policy = AT_ONCE.pauses(Duration::from_millis(50), Duration::from_millis(50));
        context.worker("counter", Counter::default()).restart(policy).start().unwrap();
        // All leave this thread at once and in order, so most wait behind the panic.
        let words = ["panic", "one", "two", "three"];
        let asked = words.map(|word| {
            context.ask(route!["counter"], word.to_owned()).reply_as::<u64>().into_future()
        });
        let answers = futures::future::join_all(asked).await;
        let mut answers = answers.into_iter();
        let first = answers.next().unwrap();
        assert_eq!(reason(first), UndeliverableReason::WorkerPanicked);
        assert_eq!(answers.map(Result::unwrap).collect::<Vec<_>>(), [1, 2, 3]);
    });
}

#[test]
fn the_address_stays_in_use_during_the_pause() {
    run(|context| async move {
        let (name, worker) = pausing(&context, "pausing").await;
        let taken = context.worker(&name, Counter::default()).start().unwrap_err();
        assert!(matches!(taken, Error::AddressInUse(_)), "{taken}");
        // What waits is returned when the worker is stopped.
        let question =
            context.ask(route![&name], String::from("count")).reply_as::<u64>().into_future();
        let stopping = async {
            tokio::task::yield_now().await;
            worker.stop().unwrap();
            worker.ended().await
        };
        let (answer, ended) = futures::join!(question, stopping);
        assert_eq!(reason(answer), UndeliverableReason::WorkerStopped);
        assert_eq!(ended, Ended::Stopped);
        context.worker(&name, Counter::default()).start().unwrap();
    });
}

#[test]
fn the_last_restart_is_the_last() {
    run(|context| async move {
        let policy = RestartPolicy::at_most(2).pauses(Duration::ZERO, Duration::ZERO);
        let worker = context.worker("counter", Counter::default()).restart(policy).start().unwrap();
        for _ in 0..3 {
            panic_in(&context, "counter").await;
        }
        assert_eq!(worker.ended().await, Ended::Panicked);
        assert!(!context.node().is_registered(&"counter".into()));
    });
}

#[test]
fn a_node_stops_during_a_pause() {
    run(|context| async move {
        let (_, worker) = pausing(&context, "stopping").await;
        context.node().stop().await;
        assert_eq!(worker.ended().await, Ended::Stopped);
    });
}

#[test]
fn stopped_hooks_run_before_a_stop_returns() {
    run(|context| async move {
        let counter = Counter::default();
        for number in 0..50 {
            context.worker(format!("counter-{number}"), counter.clone()).start().unwrap();
        }
        context.node().stop().await;
        assert_eq!(counter.stopped.load(Ordering::SeqCst), 50);
    });
}

/// Stops its node.
struct Stopper(Node);

impl Actor for Stopper {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<u8>> for Stopper {
    type Result = ();

    fn handle(&mut self, _: Routed<u8>, context: &mut ActorContext<Self>) {
        let node = self.0.clone();
        context.spawn(async move { node.stop().await }.into_actor(self));
    }
}

#[test]
fn a_worker_can_stop_its_own_node() {
    run(|context| async move {
        let node = context.node().clone();
        context.worker("stopper", Stopper(node.clone())).start().unwrap();
        context.send(route!["stopper"], 1_u8).await.unwrap();
        node.stopped().await;
        node.stop().await;
    });
}

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    item: String,
    pieces: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Cancel {
    item: String,
}

/// The bytes of a [`Cancel`] are those of a `Complaint`.
#[derive(Debug, Serialize, Deserialize)]
struct Complaint {
    text: String,
}

#[derive(Clone)]
struct Shop;

impl Actor for Shop {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<Order>> for Shop {
    type Result = ();

    fn handle(&mut self, message: Routed<Order>, _: &mut ActorContext<Self>) {
        let answer = format!("ordered {} {}", message.body().pieces, message.body().item);
        message.reply(answer).unwrap();
    }
}

impl Handler<Routed<Cancel>> for Shop {
    type Result = ();

    fn handle(&mut self, message: Routed<Cancel>, _: &mut ActorContext<Self>) {
        let answer = format!("cancelled {}", message.body().item);
        message.reply(answer).unwrap();
    }
}

impl Handler<Routed<Complaint>> for Shop {
    type Result = ();

    fn handle(&mut self, message: Routed<Complaint>, _: &mut ActorContext<Self>) {
        let answer = format!("regretted {}", message.body().text);
        message.reply(answer).unwrap();
    }
}

impl Handler<Routed<Payload>> for Shop {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut ActorContext<Self>) {
        let answer = format!("{} other bytes", message.body().len());
        message.reply(answer).unwrap();
    }
}

fn order() -> Order {
    Order { item: "tea".into(), pieces: 2 }
}

#[test]
fn the_first_type_that_fits_is_taken() {
    run(|context| async move {
        let shop = context.worker("shop", Shop).handles::<Order>();
        let shop = shop.handles::<Cancel>().handles::<Complaint>();
        shop.restart(AT_ONCE).start().unwrap();
        let answer: String = context.ask("shop", order()).reply_as().await.unwrap();
        assert_eq!(answer, "ordered 2 tea");
        let answer: String =
            context.ask("shop", Cancel { item: "tea".into() }).reply_as().await.unwrap();
        assert_eq!(answer, "cancelled tea");
        let complaint = Complaint { text: "cold".into() };
        let answer: String = context.ask("shop", complaint).reply_as().await.unwrap();
        assert_eq!(answer, "cancelled cold", "as the documentation of the order says");
        let fits_none = context.ask("shop", 7_u8).reply_as::<String>().await;
        assert_eq!(reason(fits_none), UndeliverableReason::BodyNotUnderstood);
    });
}

#[test]
fn raw_bytes_after_types_are_the_rest() {
    run(|context| async move {
        let shop = context.worker("shop", Shop).handles::<Order>().handles::<Payload>();
        shop.start().unwrap();
        let answer: String = context.ask("shop", order()).reply_as().await.unwrap();
        assert_eq!(answer, "ordered 2 tea");
        let answer: String = context.ask("shop", vec![7_u8; 3]).reply_as().await.unwrap();
        assert_eq!(answer, "4 other bytes");
    });
}
