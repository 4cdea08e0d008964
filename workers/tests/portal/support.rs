//! Nodes, portals and waits for the tests.

use std::{future::Future, net::SocketAddr, time::Duration};

use ockam_actix_runtime::{Context, Node, NodeBuilder, Route};
use ockam_actix_transports::tcp;
use ockam_actix_workers::portal::{Inlet, InletOptions, Outlet};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// The limit of every wait in a test.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Runs a test in a `System` of its own.
pub(crate) fn run<F: Future<Output = ()>>(test: F) {
    let _ = env_logger::Builder::from_env("RUST_LOG").is_test(true).try_init();
    actix_rt::System::new().block_on(async {
        timeout(3 * DEADLINE, test).await.expect("the test ends in time");
    });
}

/// Bounds a wait.
pub(crate) async fn in_time<T>(what: &str, waiting: impl Future<Output = T>) -> T {
    timeout(DEADLINE, waiting).await.unwrap_or_else(|_| panic!("waited {DEADLINE:?} for {what}"))
}

/// A node that can dial.
pub(crate) async fn node() -> Context {
    let ctx = NodeBuilder::new().arbiters(2).start_with_context().await.unwrap();
    tcp::add(ctx.node()).unwrap();
    ctx
}

/// An outlet named `outlet` on `node`, and its target.
pub(crate) async fn outlet(node: &Node) -> TcpListener {
    let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Outlet::start(node, "outlet", target.local_addr().unwrap().to_string()).unwrap();
    target
}

/// An inlet on `node` for `route`.
pub(crate) fn inlet(node: &Node, route: Route) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    Inlet::start(node, listener, route).unwrap().address()
}

/// An inlet with options.
pub(crate) fn inlet_with(node: &Node, options: InletOptions) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    Inlet::start(node, listener, options).unwrap().address()
}

/// An inlet on `node` for `route`, for streams that end with their path.
pub(crate) fn passing_inlet(node: &Node, route: Route) -> SocketAddr {
    inlet_with(node, InletOptions::along(route).resume_for(Duration::ZERO))
}

/// One connection through a portal: the client's socket and the target's.
pub(crate) async fn connect(inlet: SocketAddr, target: &TcpListener) -> [TcpStream; 2] {
    let connecting = async {
        let client = TcpStream::connect(inlet).await.unwrap();
        [client, target.accept().await.unwrap().0]
    };
    in_time("a connection to the target", connecting).await
}
