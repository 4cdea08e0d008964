//! Watches and groups across nodes: over connections, channels and hubs.

// Clippy knows tests by their attribute, but not their helpers.
#![allow(clippy::unwrap_used)]

use std::{future::Future, time::Duration};

use actix::{Actor, ActorContext as _, Handler};
use ockam::{
    access, author::Host, route, Context, Ended, Entity, ForwardingOptions, ForwardingService,
    Node, NodeBuilder, RemoteForwarder, Route, Routed, SecureChannels, TcpTransport,
    TrustEveryonePolicy, UndeliverableReason, Vault, WorkerContext, TCP,
};
use ockam_actix_transports::memory::{Link, LinkOptions};

const DEADLINE: Duration = Duration::from_secs(20);

/// Runs a test with nodes of one arbiter and of two.
fn run<F: Future<Output = ()>>(test: impl Fn(usize) -> F) {
    for arbiters in [1, 2] {
        actix_rt::System::new().block_on(async {
            let ended = tokio::time::timeout(DEADLINE, test(arbiters)).await;
            ended.expect("the test ends in time");
        });
    }
}

/// Answers with its name; has a bug, and can stop.
struct Clerk(&'static str);

impl Actor for Clerk {
    type Context = WorkerContext<Self>;
}

impl Handler<Routed<String>> for Clerk {
    type Result = ();

    fn handle(&mut self, message: Routed<String>, context: &mut WorkerContext<Self>) {
        match message.body().as_str() {
            "panic" => panic!("a worker with a bug"),
            "stop" => context.stop(),
            _ => message.reply(String::from(self.0)).unwrap(),
        }
    }
}

async fn node(arbiters: usize) -> Context {
    NodeBuilder::new().arbiters(arbiters).start_with_context().await.unwrap()
}

/// Listens on a node; returns the address that stands for it.
async fn listen(node: &Node) -> (ockam::TransportType, String) {
    let listener = TcpTransport::create(node).await.unwrap().listen("127.0.0.1:0").await.unwrap();
    (TCP, listener.address().to_string())
}

/// Waits until a watch that began before has come to the end of `route`: a question that follows it
/// has.
async fn arrived(from: &Context, route: &Route) {
    let _: String = from.ask(route, String::from("name")).reply_as().await.unwrap();
}

async fn tell(from: &Context, route: &Route, word: &str) {
    from.send(route, word.to_owned()).await.unwrap();
}

async fn stop<const N: usize>(nodes: [Context; N]) {
    for node in nodes {
        node.stop().await.unwrap();
    }
}

fn reason(ended: &Ended) -> UndeliverableReason {
    match ended {
        Ended::Unreachable(notice) => notice.reason,
        other => panic!("expected that it cannot be reached: {other}"),
    }
}

#[test]
fn a_watch_over_tcp_tells_each_end() {
    run(|arbiters| async move {
        let (here, there) = (node(arbiters).await, node(arbiters).await);
        TcpTransport::create(&here).await.unwrap();
        let route = route![listen(there.node()).await, "clerk"];
        for (word, expected) in [("stop", Ended::Stopped), ("panic", Ended::Panicked)] {
            there.worker("clerk", Clerk("there")).start().unwrap();
            let watch = here.watch(&route);
            arrived(&here, &route).await;
            tell(&here, &route, word).await;
            assert_eq!(watch.await, expected);
        }
        stop([here, there]).await;
    });
}

#[test]
fn a_watch_over_a_channel_ends_with_it() {
    run(|arbiters| async move {
        let (here, there) = (node(arbiters).await, node(arbiters).await);
        TcpTransport::create(&here).await.unwrap();
        let mut entity = Entity::create(&there, &Vault::create(&there).unwrap()).unwrap();
        entity.create_secure_channel_listener("listener", TrustEveryonePolicy).unwrap();
        let listener = route![listen(there.node()).await, "listener"];
        let mut entity = Entity::create(&here, &Vault::create(&here).unwrap()).unwrap();
        let channel = entity.create_secure_channel(listener, TrustEveryonePolicy).unwrap();
        let route = route![&channel, "clerk"];

        let worker = there.worker("clerk", Clerk("there")).start().unwrap();
        let watch = here.watch(&route);
        arrived(&here, &route).await;
        worker.stop().unwrap();
        assert_eq!(watch.await, Ended::Stopped);

        there.worker("clerk", Clerk("there")).start().unwrap();
        let watch = here.watch(&route);
        arrived(&here, &route).await;
        channel.close();
        assert_eq!(reason(&watch.await), UndeliverableReason::Disconnected);
        stop([here, there]).await;
    });
}

#[test]
fn a_lost_link_ends_a_watch_at_once() {
    run(|arbiters| async move {
        let (here, there) = (node(arbiters).await, node(arbiters).await);
        there.worker("clerk", Clerk("there")).start().unwrap();
        let link = Link::new(here.node(), there.node(), LinkOptions::default()).unwrap();
        let route = route![link.address(), "clerk"];
        let watch = here.watch(&route);
        arrived(&here, &route).await;
        link.cut();
        assert_eq!(reason(&watch.await), UndeliverableReason::Disconnected);
        let down = here.watch(&route).await;
        assert_eq!(reason(&down), UndeliverableReason::Disconnected);
        link.mend();
        let watch = here.watch(&route);
        arrived(&here, &route).await;
        there.stop_worker("clerk").unwrap();
        assert_eq!(watch.await, Ended::Stopped);
        stop([here, there]).await;
    });
}

#[test]
fn a_watch_of_a_forbidden_worker_tells_nothing() {
    run(|arbiters| async move {
        let (here, there) = (node(arbiters).await, node(arbiters).await);
        TcpTransport::create(&here).await.unwrap();
        let address = listen(there.node()).await;
        let clerk = there.worker("clerk", Clerk("there")).access(access::local_only());
        clerk.start().unwrap();
        let told = |ended: Ended| match ended {
            Ended::Unreachable(notice) => (notice.reason, notice.detail),
            other => panic!("it must not be reached: {other}"),
        };
        let forbidden = told(here.watch(route![address.clone(), "clerk"]).await);
        let missing = told(here.watch(route![address, "nobody"]).await);
        assert_eq!(forbidden, missing);
        assert_eq!(forbidden.0, UndeliverableReason::Unreachable);
        stop([here, there]).await;
    });
}

#[test]
fn a_watch_passes_a_forwarder_to_its_worker() {
    run(|arbiters| async move {
        let [hub, here, private] =
            [node(arbiters).await, node(arbiters).await, node(arbiters).await];
        ForwardingService::start(hub.node(), ForwardingOptions::new()).unwrap();
        let address = listen(hub.node()).await;
        for node in [&here, &private] {
            TcpTransport::create(node).await.unwrap();
        }
        private.worker("clerk", Clerk("private")).start().unwrap();
        let forwarder = RemoteForwarder::create(&private, address.clone(), "clerk").await.unwrap();
        let route = route![address, forwarder.remote_address()];
        let watch = here.watch(&route);
        arrived(&here, &route).await;
        tell(&here, &route, "panic").await;
        assert_eq!(watch.await, Ended::Panicked);
        stop([here, private, hub]).await;
    });
}

#[test]
fn a_sender_is_watched_by_its_return_route() {
    run(|arbiters| async move {
        let (here, there) = (node(arbiters).await, node(arbiters).await);
        let link = Link::new(here.node(), there.node(), LinkOptions::default()).unwrap();
        here.worker("clerk", Clerk("here")).start().unwrap();
        let mut office = Context::named(&there, "office").unwrap();
        let to_office = route![link.address(), "office"];
        here.node().send_from(&"clerk".into(), to_office, 7_u8).await.unwrap();
        // Its name stays on its node: an address for reply stands for it.
        let back = office.receive::<u8>().await.unwrap().return_route().clone();
        let watch = there.watch(&back);
        arrived(&there, &back).await;
        tell(&there, &back, "panic").await;
        assert_eq!(watch.await, Ended::Panicked);
        stop([here, there]).await;
    });
}

#[test]
fn a_group_has_members_on_other_nodes() {
    run(|arbiters| async move {
        let (here, there) = (node(arbiters).await, node(arbiters).await);
        let link = Link::new(here.node(), there.node(), LinkOptions::default()).unwrap();
        here.worker("clerk", Clerk("here")).start().unwrap();
        there.worker("clerk", Clerk("there")).start().unwrap();
        let group = here.group("clerks").start().unwrap();
        group.add("clerk").unwrap();
        group.add(route![link.address(), "clerk"]).unwrap();
        let ask = || here.ask("clerks", String::from("name")).reply_as::<String>();
        let answers = [ask().await.unwrap(), ask().await.unwrap(), ask().await.unwrap()];
        assert_eq!(answers, ["here", "there", "here"]);
        link.cut();
        while group.members().len() > 1 {
            tokio::task::yield_now().await;
        }
        for _ in 0..2 {
            assert_eq!(ask().await.unwrap(), "here");
        }
        stop([here, there]).await;
    });
}
