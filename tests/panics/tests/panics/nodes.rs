//! Nodes that are joined by TCP, their workers at rest, and waits with a deadline.

use std::{
    future::{Future, IntoFuture},
    time::{Duration, Instant},
};

use ockam::{
    route, Address, Context, Echoer, Entity, Node, NodeBuilder, Result, Route, TcpTransport, Vault,
    TCP,
};
use ockam_actix_runtime::{edge::first_hop::FirstHop, Class, Host};
use tokio::time::timeout;

/// For everything that a test waits for.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Runs a test in a `System` of its own, with nodes of one arbiter and of two.
pub(crate) fn run<F: Future<Output = ()>>(test: impl Fn(usize) -> F) {
    let _ = env_logger::Builder::from_env("RUST_LOG").is_test(true).try_init();
    for arbiters in [1, 2] {
        actix_rt::System::new().block_on(in_time("the whole test", test(arbiters)));
    }
}

/// Bounds a wait.
pub(crate) async fn in_time<T>(what: &str, waiting: impl IntoFuture<Output = T>) -> T {
    timeout(3 * DEADLINE, waiting).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < end, "waited {DEADLINE:?} in vain: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A node with an echoer, a TCP transport and an identity.
pub(crate) struct Peer {
    pub(crate) ctx: Context,
    pub(crate) node: Node,
    pub(crate) tcp: TcpTransport,
    pub(crate) entity: Entity,
}

impl Peer {
    pub(crate) async fn start(arbiters: usize) -> Self {
        let ctx = NodeBuilder::new().arbiters(arbiters).start_with_context().await.unwrap();
        let node = ctx.node().clone();
        Echoer::start(&node, "echoer").unwrap();
        let tcp = TcpTransport::create(&node).await.unwrap();
        let vault = Vault::create(&ctx).unwrap();
        let entity = Entity::create(&ctx, &vault).unwrap();
        Self { ctx, node, tcp, entity }
    }

    /// Listens; returns the address that stands for this node in others' routes.
    pub(crate) async fn listen(&self) -> Address {
        let listener = self.tcp.listen("127.0.0.1:0").await.unwrap();
        Address::from((TCP, listener.address().to_string()))
    }

    pub(crate) async fn echo(&self, route: impl Into<Route>) -> Result<String> {
        let mut route = route.into();
        route = route.iter().cloned().chain([Address::from("echoer")]).collect();
        in_time("an echo", self.node.ask(route, String::from("hello")).reply_as()).await
    }

    /// The node itself answers.
    pub(crate) async fn lives(&self) {
        assert_eq!(self.echo(route![]).await.unwrap(), "hello");
    }

    /// Waits until the other end answers, as it does when what was lost is there again.
    pub(crate) async fn reaches(&self, route: Route) {
        let end = Instant::now() + DEADLINE;
        while let Err(error) = self.echo(route.clone()).await {
            assert!(Instant::now() < end, "waited {DEADLINE:?} for {route}: {error}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub(crate) fn first_hop(&self, first: &Address) -> FirstHop {
        self.node.first_hop(&Route::from(first.clone())).unwrap()
    }

    /// The workers of the node, by name where they have one, else by class.
    pub(crate) fn workers(&self) -> Vec<String> {
        let name = |(address, class): (Address, Class)| match address.is_random() {
            true => format!("{class:?}"),
            false => address.to_string(),
        };
        let mut names: Vec<_> = self.node.workers().into_iter().map(name).collect();
        names.sort();
        names
    }

    /// The workers while the node asks nothing: an inlet asks its outlet a question of its own, and
    /// a question has a mailbox as the node's context has.
    pub(crate) async fn at_rest(&self) -> Vec<String> {
        let end = Instant::now() + DEADLINE;
        loop {
            let workers = self.workers();
            if workers.iter().filter(|name| name.starts_with("mailbox-")).count() == 1 {
                return workers;
            }
            assert!(Instant::now() < end, "waited {DEADLINE:?} for one mailbox: {workers:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits until there are the same workers as before: none is left over, and none is missing.
    pub(crate) async fn is_as_before(&self, before: &[String]) {
        let end = Instant::now() + DEADLINE;
        while self.workers() != before {
            assert!(Instant::now() < end, "{before:?} became {:?}", self.workers());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Makes the only actor of a kind panic.
    pub(crate) fn panic_in(&self, kind: &str) {
        assert_eq!(self.node.panic_in(kind), 1, "{kind}");
    }
}

/// Stops the nodes, so that their threads end before the test does.
pub(crate) async fn stop<const N: usize>(peers: [Peer; N]) {
    for peer in peers {
        peer.node.stop().await;
    }
}
