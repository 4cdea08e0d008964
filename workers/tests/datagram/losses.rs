//! What is lost, and that nothing else is: full edges, floods, lost paths, targets that are gone.

use std::net::SocketAddr;

use ockam_actix_runtime::route;
use ockam_actix_workers::datagram::UdpOutlet;
use tokio::{net::UdpSocket, task::yield_now};

use crate::support::{
    client, echo, echoes, echoes_at_last, in_time, inlet, node, receive, run, udp, until, Pair,
};

/// What one datagram of a flood has.
const FLOOD: [u8; 1_000] = [1; 1_000];

/// Bytes that the system keeps for a socket of UDP, which would have no room for others.
fn unread(socket: SocketAddr) -> u64 {
    let port = format!(":{:04X}", socket.port());
    // A system without this file shows nothing.
    let all = std::fs::read_to_string("/proc/net/udp").unwrap_or_default();
    let of_socket = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let queues = fields.get(1)?.ends_with(&port).then(|| fields.get(4))??;
        u64::from_str_radix(queues.split_once(':')?.1, 16).ok()
    };
    all.lines().filter_map(of_socket).sum()
}

#[test]
fn a_flood_leaves_room_for_another_client() {
    run(async {
        let pair = Pair::to(echo().await, 2).await;
        let inlet = pair.inlet();
        let (flooding, other) = (client(inlet).await, client(inlet).await);
        echoes(&other, b"first").await;
        echoes(&flooding, b"first").await;
        pair.line.hold(true);
        // The socket of the inlet holds some of them; those that it has read find no room.
        while pair.lost("datagrams-no-room") < 1_000 {
            flooding.send(&FLOOD).await.unwrap();
            yield_now().await;
        }
        let lost = pair.lost("datagrams-no-room");
        until("the inlet has read the flood", || unread(inlet) == 0).await;
        for number in 0..20 {
            other.send(&[number]).await.unwrap();
        }
        pair.line.hold(false);
        for number in 0..20 {
            assert_eq!(receive(&other).await, [number], "{lost} of the flood were lost");
        }
        assert!(pair.channel.peer().is_some());
    });
}

#[test]
fn a_flow_goes_on_after_its_path() {
    run(async {
        let target = udp().await;
        let pair = Pair::to(target.local_addr().unwrap(), 2).await;
        let client = client(pair.inlet()).await;
        let mut ports = Vec::new();
        for _ in 0..3 {
            let mut buffer = [0; 10];
            let asking = async {
                loop {
                    client.send(b"question").await.unwrap();
                    tokio::select! {
                        came = target.recv_from(&mut buffer) => return came.unwrap(),
                        () = tokio::time::sleep(std::time::Duration::from_millis(20)) => {}
                    }
                }
            };
            let (_, from) = in_time("the question", asking).await;
            target.send_to(b"answer", from).await.unwrap();
            assert_eq!(receive(&client).await, b"answer");
            while client.try_recv(&mut buffer).is_ok() || target.try_recv(&mut buffer).is_ok() {}
            ports.push(from);
            pair.line.cut();
        }
        assert!(ports.iter().all(|port| *port == ports[0]), "one flow: {ports:?}");
    });
}

async fn bound_again(address: SocketAddr) -> UdpSocket {
    UdpSocket::bind(address).await.unwrap()
}

#[test]
fn a_target_that_was_gone_is_found_again() {
    run(async {
        let target = udp().await;
        let at = target.local_addr().unwrap();
        let node = node(1).await;
        UdpOutlet::start(&node, "outlet", at.to_string()).unwrap();
        let client = client(inlet(&node, route!["outlet"])).await;
        client.send(b"one").await.unwrap();
        let mut buffer = [0; 10];
        let (_, from) = in_time("one", target.recv_from(&mut buffer)).await.unwrap();
        drop(target);
        // The system answers these for the target: nobody is there.
        for _ in 0..5 {
            client.send(b"lost").await.unwrap();
            yield_now().await;
        }
        let target = bound_again(at).await;
        let asking = async {
            loop {
                client.send(b"two").await.unwrap();
                let (length, again) = target.recv_from(&mut buffer).await.unwrap();
                if buffer[..length] == *b"two" {
                    return again;
                }
            }
        };
        assert_eq!(in_time("two", asking).await, from, "the flow has gone on");
        target.send_to(b"answer", from).await.unwrap();
        assert_eq!(receive(&client).await, b"answer");
    });
}

#[test]
fn an_inlet_starts_before_its_outlet() {
    run(async {
        let pair = Pair::to(echo().await, 1).await;
        let early = inlet(&pair.client, route![&pair.channel, "later"]);
        let client = client(early).await;
        client.send(b"too early").await.unwrap();
        until("a notice has come", || pair.lost("datagrams-undelivered") > 0).await;
        UdpOutlet::start(&pair.server, "later", echo().await.to_string()).unwrap();
        echoes_at_last(&client, b"in time").await;
    });
}
