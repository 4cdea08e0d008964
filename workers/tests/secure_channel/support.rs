//! Nodes, workers and a node in the middle for the tests.

use std::{
    future::Future,
    sync::{
        atomic::{AtomicUsize, Ordering},
        Arc, Mutex,
    },
    time::{Duration, Instant},
};

use actix::{Actor, Context as ActorContext, Handler};
use ockam_actix_runtime::{
    message::undelivered::Undelivered,
    node::{
        directory::Registration,
        entry::{Deliver, Description, Entry},
        routing::NextHop,
    },
    Address, Class, Context, Host, Identifier, Message, Node, NodeBuilder, Route, Routed,
};
use ockam_actix_transports::{
    tcp::{self, listener::listen},
    ListenOptions, TCP,
};
use ockam_actix_workers::{secure_channel::Limits, Entity, Vault};

/// The deadline of everything that a test waits for.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// The listener's name in all tests.
pub(crate) const SERVICE: &str = "secure_channel_listener_service";

/// Runs a test in a `System` of its own.
pub(crate) fn run<F: Future<Output = ()>>(test: F) {
    run_within(3 * DEADLINE, test);
}

/// As [`run`], with another deadline for the whole test.
pub(crate) fn run_within<F: Future<Output = ()>>(longest: Duration, test: F) {
    let _ = env_logger::Builder::from_env("RUST_LOG").is_test(true).try_init();
    actix_rt::System::new().block_on(async {
        tokio::time::timeout(longest, test).await.expect("the test ends in time");
    });
}

/// A node with an entity.
pub(crate) struct Peer {
    pub(crate) ctx: Context,
    pub(crate) node: Node,
    pub(crate) entity: Entity,
}

impl Peer {
    pub(crate) async fn start(arbiters: usize) -> Self {
        Self::with_limits(arbiters, quick()).await
    }

    pub(crate) async fn with_limits(arbiters: usize, limits: Limits) -> Self {
        let ctx = NodeBuilder::new().arbiters(arbiters).start_with_context().await.unwrap();
        let node = ctx.node().clone();
        tcp::add(&node).unwrap();
        let vault = Vault::create(&ctx).unwrap();
        let entity = Entity::create(&ctx, &vault).unwrap().with_limits(limits);
        Self { ctx, node, entity }
    }

    /// Listens for nodes at any port, or one that was used before.
    pub(crate) async fn listen(&self, port: u16) -> u16 {
        let address = format!("127.0.0.1:{port}");
        let end = Instant::now() + DEADLINE;
        loop {
            match listen(&self.node, ListenOptions::on(&address)).await {
                Ok(listener) => return listener.address().port(),
                // The threads of a stopped node still hold its socket for a moment.
                Err(error) => assert!(Instant::now() < end, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub(crate) fn identifier(&self) -> Identifier {
        self.entity.identifier()
    }
}

/// Limits with short times.
pub(crate) fn quick() -> Limits {
    Limits {
        handshake_deadline: Duration::from_secs(5),
        first_pause: Duration::from_millis(10),
        longest_pause: Duration::from_millis(100),
        // A refusal is the last attempt of a test, unless it says otherwise.
        first_refusal_pause: Duration::from_secs(3_600),
        longest_refusal_pause: Duration::from_secs(3_600),
        ..Limits::default()
    }
}

/// The route to a node's listener.
pub(crate) fn to(port: u16) -> Route {
    ockam_actix_runtime::route![tcp(port), SERVICE]
}

pub(crate) fn tcp(port: u16) -> Address {
    Address::from((TCP, format!("127.0.0.1:{port}")))
}

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A text, and the identity that it came from.
type Seen = (String, Option<Identifier>);

/// Answers with the same text, and remembers what came and from whom.
#[derive(Clone, Default)]
pub(crate) struct Echo {
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Echo {
    pub(crate) fn start(node: &Node, name: &str) -> Self {
        let echo = Self::default();
        node.worker(name, echo.clone()).start().unwrap();
        echo
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|(text, _)| text.clone()).collect()
    }

    pub(crate) fn peers(&self) -> Vec<Option<Identifier>> {
        self.seen.lock().unwrap().iter().map(|(_, peer)| *peer).collect()
    }
}

impl Actor for Echo {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<String>> for Echo {
    type Result = ();

    fn handle(&mut self, message: Routed<String>, _: &mut ActorContext<Self>) {
        let text = message.body().clone();
        self.seen.lock().unwrap().push((text.clone(), message.peer()));
        // The return route may have ended meanwhile.
        let _ = message.reply(text);
    }
}

/// What a node in the middle does to the messages that pass it, by number from 0.
pub(crate) type Meddling = Arc<dyn Fn(usize, Message) -> Vec<Message> + Send + Sync>;

/// A worker on a hub that passes messages to a node that it chose, and the answers back.
pub(crate) struct Middle {
    /// What it saw, payloads alone.
    pub(crate) seen: Arc<Mutex<Vec<Vec<u8>>>>,
    _registrations: [Registration; 2],
}

impl Middle {
    /// Registers `name` on `hub`; messages for it go to `next`.
    pub(crate) fn start(hub: &Node, name: &str, next: Address, meddle: Meddling) -> Self {
        let seen = Arc::default();
        let back = Address::random();
        let there = Pass {
            node: hub.clone(),
            own: back.clone(),
            next: Some(next),
            meddle: meddle.clone(),
            passed: Arc::default(),
            seen: Arc::clone(&seen),
        };
        // Messages on the return route, in either direction, already have the rest of their route.
        let here = Pass { next: None, ..there.clone() };
        let there = hub.register_delivery(Description::new(name, Class::Forwarder), there).unwrap();
        let here = hub.register_delivery(Description::new(back, Class::Reply), here).unwrap();
        Self { seen, _registrations: [there, here] }
    }
}

#[derive(Clone)]
struct Pass {
    node: Node,
    own: Address,
    next: Option<Address>,
    meddle: Meddling,
    passed: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Deliver for Pass {
    fn deliver(&self, _: &Entry, mut message: Message) -> Result<(), Box<Undelivered>> {
        let number = self.passed.fetch_add(1, Ordering::SeqCst);
        self.seen.lock().unwrap().push(message.payload.to_vec());
        message.return_route.push_front(self.own.clone());
        if let Some(next) = &self.next {
            message.onward_route.push_front(next.clone());
        }
        for message in (self.meddle)(number, message) {
            let _ = self.node.try_route(message, NextHop::Chosen);
        }
        Ok(())
    }
}

/// Passes everything on as it is.
pub(crate) fn honest() -> Meddling {
    Arc::new(|_, message| vec![message])
}
