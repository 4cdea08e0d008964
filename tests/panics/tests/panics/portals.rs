//! The inlet, the two ends of a stream, and the outlet.

use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};

use ockam::{route, Address, Inlet, OutletOptions};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::nodes::{in_time, run, stop, Peer, DEADLINE};

/// Two nodes, an inlet on the first and an outlet on the second.
struct Portal {
    here: Peer,
    there: Peer,
    address: Address,
    inlet: Inlet,
    target: TcpListener,
}

/// One connection through it: the client's socket and the target's.
type Stream = [TcpStream; 2];

impl Portal {
    async fn start(arbiters: usize) -> Self {
        let (here, there) = (Peer::start(arbiters).await, Peer::start(arbiters).await);
        let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = target.local_addr().unwrap().to_string();
        there.tcp.create_outlet("outlet", to).await.unwrap();
        let address = there.listen().await;
        let route = route![address.clone(), "outlet"];
        let inlet = here.tcp.create_inlet("127.0.0.1:0", route).await.unwrap();
        assert_eq!(here.echo(route![address.clone()]).await.unwrap(), "hello");
        Self { here, there, address, inlet, target }
    }

    /// A connection on which both have spoken, so that both ends know each other.
    async fn stream(&self) -> Stream {
        let connecting = async {
            let client = TcpStream::connect(self.inlet.address()).await.unwrap();
            let (target, _) = self.target.accept().await.unwrap();
            [client, target]
        };
        let mut stream = in_time("a connection to the target", connecting).await;
        speak(&mut stream).await;
        stream
    }

    async fn at_rest(&self) -> [Vec<String>; 2] {
        [self.here.at_rest().await, self.there.at_rest().await]
    }

    async fn is_as_before(&self, before: &[Vec<String>; 2]) {
        self.here.is_as_before(&before[0]).await;
        self.there.is_as_before(&before[1]).await;
        self.here.lives().await;
        self.there.lives().await;
    }

    async fn stop(self) {
        stop([self.here, self.there]).await;
    }
}

/// A byte in each direction.
async fn speak([client, target]: &mut Stream) {
    client.write_all(&[7]).await.unwrap();
    assert_eq!(in_time("a byte", target.read_u8()).await.unwrap(), 7);
    target.write_all(&[8]).await.unwrap();
    assert_eq!(in_time("a byte", client.read_u8()).await.unwrap(), 8);
}

/// Both applications see a reset, although neither has sent anything.
async fn is_reset(stream: Stream) {
    for mut socket in stream {
        let seen = in_time("a reset", socket.read_u8()).await;
        assert_eq!(seen.map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
    }
}

#[test]
fn panic_in_inlet_leaves_its_streams_open() {
    run(|arbiters| async move {
        let portal = Portal::start(arbiters).await;
        let mut open = portal.stream().await;
        let before = portal.at_rest().await;
        portal.here.panic_in("Server");
        let another = portal.stream().await;
        speak(&mut open).await;
        drop(another);
        portal.is_as_before(&before).await;
        portal.stop().await;
    });
}

#[test]
fn inlet_stopped_after_a_panic_stays_down() {
    run(|arbiters| async move {
        let portal = Portal::start(arbiters).await;
        let before = portal.here.at_rest().await.len();
        let is_gone = || portal.here.workers().len() < before;
        while !is_gone() {
            portal.here.panic_in("Server");
            // It starts again soon: a busy machine may miss that it was gone.
            let end = Instant::now() + Duration::from_secs(1);
            while !is_gone() && Instant::now() < end {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
        portal.inlet.stop().unwrap();
        portal.inlet.stop().unwrap_err();
        let end = Instant::now() + DEADLINE;
        while TcpStream::connect(portal.inlet.address()).await.is_ok() {
            assert!(Instant::now() < end, "the inlet still accepts clients");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        portal.stop().await;
    });
}

#[test]
fn panic_at_inlets_end_resets_both_applications() {
    run(|arbiters| async move {
        let portal = Portal::start(arbiters).await;
        let before = portal.at_rest().await;
        let stream = portal.stream().await;
        portal.here.panic_in("StreamWorker");
        is_reset(stream).await;
        portal.is_as_before(&before).await;
        portal.stop().await;
    });
}

#[test]
fn panic_at_outlets_end_resets_both_applications() {
    run(|arbiters| async move {
        let portal = Portal::start(arbiters).await;
        let before = portal.at_rest().await;
        let stream = portal.stream().await;
        portal.there.panic_in("StreamWorker");
        is_reset(stream).await;
        portal.is_as_before(&before).await;
        portal.stop().await;
    });
}

#[test]
fn panic_in_access_rule_refuses_the_stream() {
    run(|arbiters| async move {
        let portal = Portal::start(arbiters).await;
        let mut open = portal.stream().await;
        let before = portal.at_rest().await;
        let to = portal.target.local_addr().unwrap().to_string();
        let rule = |_: &ockam::Origin| panic!("a rule with a bug");
        portal.there.tcp.create_outlet("ruled", OutletOptions::to(to).access(rule)).await.unwrap();
        let route = route![portal.address.clone(), "ruled"];
        let inlet = portal.here.tcp.create_inlet("127.0.0.1:0", route).await.unwrap();
        let mut client = TcpStream::connect(inlet.address()).await.unwrap();
        let seen = in_time("a reset", client.read_u8()).await;
        assert_eq!(seen.map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
        speak(&mut open).await;
        inlet.stop().unwrap();
        portal.there.node.stop_worker("ruled").unwrap();
        portal.is_as_before(&before).await;
        portal.stop().await;
    });
}
