//! Idle streams past hops whose loss nothing reports.

use std::{
    io::ErrorKind,
    sync::{
        atomic::{AtomicUsize, Ordering},
        Arc,
    },
    time::Duration,
};

use actix::{Actor, Context as ActorContext, Handler};
use ockam_actix_runtime::{route, Context, Payload, Route, Routed};
use ockam_actix_transports::memory::{Link, LinkOptions};
use ockam_actix_workers::{
    portal::{
        pool::StreamPool,
        protocol::message::{decode, Control, Decoded},
    },
    relay::Relay,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{connect, in_time, node, outlet, passing_inlet as inlet, run, DEADLINE};

/// In place of the seconds after which a stream asks.
const SILENCE: Duration = Duration::from_millis(20);

/// Three nodes in a row.
struct Row {
    nodes: [Context; 3],
    links: [Link; 2],
}

impl Row {
    async fn start() -> Self {
        let nodes = [node().await, node().await, node().await];
        for ctx in &nodes {
            StreamPool::of(ctx.node()).set_silence(SILENCE);
        }
        let link = |one: usize, other: usize| {
            Link::new(nodes[one].node(), nodes[other].node(), LinkOptions::default()).unwrap()
        };
        let links = [link(0, 1), link(1, 2)];
        Self { nodes, links }
    }

    async fn stop(self) {
        for ctx in self.nodes {
            ctx.node().stop().await;
        }
    }
}

/// A byte in each direction.
async fn speak([client, target]: &mut [TcpStream; 2]) {
    client.write_all(&[7]).await.unwrap();
    assert_eq!(in_time("a byte", target.read_u8()).await.unwrap(), 7);
    target.write_all(&[8]).await.unwrap();
    assert_eq!(in_time("a byte", client.read_u8()).await.unwrap(), 8);
}

async fn is_reset(mut socket: TcpStream) {
    let seen = in_time("a reset", socket.read_u8()).await;
    assert_eq!(seen.map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
}

#[test]
fn a_loss_past_a_local_relay_resets_streams() {
    run(async {
        let row = Row::start().await;
        let target = outlet(row.nodes[1].node()).await;
        Relay::start(row.nodes[0].node(), "relay", route![row.links[0].address()]).unwrap();
        let inlet = inlet(row.nodes[0].node(), route!["relay", "outlet"]);
        let mut stream = connect(inlet, &target).await;
        speak(&mut stream).await;
        row.links[0].cut();
        for socket in stream {
            is_reset(socket).await;
        }
        row.stop().await;
    });
}

#[test]
fn a_loss_past_an_intermediate_node_resets_streams() {
    run(async {
        let row = Row::start().await;
        let target = outlet(row.nodes[2].node()).await;
        Relay::start(row.nodes[1].node(), "relay", route![row.links[1].address()]).unwrap();
        let route = route![row.links[0].address(), "relay", "outlet"];
        let inlet = inlet(row.nodes[0].node(), route);
        let mut stream = connect(inlet, &target).await;
        speak(&mut stream).await;
        row.links[1].cut();
        for socket in stream {
            is_reset(socket).await;
        }
        row.stop().await;
    });
}

#[test]
fn a_loss_before_an_intermediate_node_resets_targets() {
    run(async {
        let row = Row::start().await;
        let target = outlet(row.nodes[2].node()).await;
        Relay::start(row.nodes[1].node(), "relay", route![row.links[1].address()]).unwrap();
        let route = route![row.links[0].address(), "relay", "outlet"];
        let inlet = inlet(row.nodes[0].node(), route);
        let mut stream = connect(inlet, &target).await;
        speak(&mut stream).await;
        row.links[0].cut();
        for socket in stream {
            is_reset(socket).await;
        }
        row.stop().await;
    });
}

/// Passes everything on and counts repeated limits.
struct Spy(Arc<AtomicUsize>);

impl Actor for Spy {
    type Context = ActorContext<Self>;
}

impl Handler<Routed<Payload>> for Spy {
    type Result = ();

    fn handle(&mut self, message: Routed<Payload>, _: &mut ActorContext<Self>) {
        let mut rest: &[u8] = message.body();
        while let Ok((first, length)) = decode(rest) {
            let asks = matches!(first, Decoded::Control(Control::Window { .. }));
            self.0.fetch_add(asks.into(), Ordering::SeqCst);
            rest = &rest[length..];
        }
        // What comes after the end of a stream is undeliverable; its sender gets a notice.
        let _ = message.forward();
    }
}

/// Opens a stream through a spy at the far end of `route`, and returns the spy's counter.
async fn spied(row: &Row, route: Route) -> ([TcpStream; 2], Arc<AtomicUsize>) {
    let target = outlet(row.nodes[1].node()).await;
    let asked = Arc::new(AtomicUsize::new(0));
    row.nodes[1].worker("spy", Spy(asked.clone())).start().unwrap();
    let inlet = inlet(row.nodes[0].node(), route);
    (connect(inlet, &target).await, asked)
}

#[test]
fn an_idle_stream_with_a_peer_goes_on() {
    run(async {
        let row = Row::start().await;
        let route = route![row.links[0].address(), "spy", "outlet"];
        let (mut stream, asked) = spied(&row, route).await;
        speak(&mut stream).await;
        let begun = std::time::Instant::now();
        while asked.load(Ordering::SeqCst) < 10 {
            assert!(begun.elapsed() < DEADLINE, "only {asked:?} limits were repeated");
            tokio::time::sleep(SILENCE).await;
        }
        speak(&mut stream).await;
        row.stop().await;
    });
}

/// Whether the system probes the other end of the connection with `port`: its
/// [table](https://docs.kernel.org/networking/proc_net_tcp.html) has 2 for the timer of keep-alive.
fn is_kept_alive(port: u16, end: End) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{port:04X}");
    let is_ours = |fields: &Vec<&str>| {
        let address = match end {
            End::Local => fields[1],
            End::Remote => fields[2],
        };
        address.ends_with(&port) && fields[3] == "01"
    };
    let mut timers = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    timers.find(is_ours).is_some_and(|fields| fields[5].starts_with("02"))
}

/// The end of a connection that has the port.
#[derive(Clone, Copy)]
enum End {
    Local,
    Remote,
}

#[test]
fn applications_of_lasting_streams_are_kept_alive() {
    run(async {
        let row = Row::start().await;
        let target = outlet(row.nodes[1].node()).await;
        let inlet = inlet(row.nodes[0].node(), route![row.links[0].address(), "outlet"]);
        let mut stream = connect(inlet, &target).await;
        speak(&mut stream).await;
        for (port, end) in
            [(inlet.port(), End::Local), (stream[1].local_addr().unwrap().port(), End::Remote)]
        {
            in_time("keep-alive", async {
                while !is_kept_alive(port, end) {
                    tokio::time::sleep(SILENCE).await;
                }
            })
            .await;
        }
        row.stop().await;
    });
}
