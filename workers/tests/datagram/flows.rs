//! Flows: one for each client, each with a socket of its own, until it was idle.

use std::{net::SocketAddr, time::Duration};

use ockam_actix_runtime::{route, Class};
use ockam_actix_workers::datagram::{UdpInlet, UdpInletOptions, UdpOutlet, UdpOutletOptions};
use tokio::net::UdpSocket;

use crate::support::{client, echo, echoes, in_time, inlet, node, receive, run, udp, until, Pair};

/// Sends a datagram, and returns where it came from at the target.
async fn seen_from(client: &UdpSocket, target: &UdpSocket, datagram: &[u8]) -> SocketAddr {
    client.send(datagram).await.unwrap();
    let mut buffer = vec![0; 2_000];
    let (length, from) = in_time("a datagram", target.recv_from(&mut buffer)).await.unwrap();
    assert_eq!(buffer[..length], *datagram);
    from
}

#[test]
fn answers_go_to_the_client_that_asked() {
    run(async {
        let target = udp().await;
        let pair = Pair::to(target.local_addr().unwrap(), 2).await;
        let inlet = pair.inlet();
        let mut flows = Vec::new();
        for number in 0..20 {
            let client = client(inlet).await;
            flows.push((seen_from(&client, &target, &[number]).await, client));
        }
        for (answer, (from, _)) in (0..20_u8).zip(&flows).rev() {
            target.send_to(&[answer], from).await.unwrap();
            target.send_to(&[answer, answer], from).await.unwrap();
        }
        for (number, (_, client)) in (0..20_u8).zip(&flows) {
            assert_eq!(receive(client).await, [number]);
            assert_eq!(receive(client).await, [number, number]);
        }
    });
}

#[test]
fn idle_flows_end_and_begin_again() {
    const IDLE: Duration = Duration::from_millis(100);
    run(async {
        let (node, target) = (node(1).await, udp().await);
        let to = UdpOutletOptions::to(target.local_addr().unwrap().to_string()).idle_timeout(IDLE);
        UdpOutlet::start(&node, "outlet", to).unwrap();
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let along = UdpInletOptions::along(route!["outlet"]).idle_timeout(IDLE);
        let inlet = UdpInlet::start(&node, socket, along).unwrap().address();
        let before = node.workers().len();
        let client = client(inlet).await;
        let first = seen_from(&client, &target, b"one").await;
        assert_eq!(node.workers().len(), before + 1);
        until("the flow has ended", || node.workers().len() == before).await;
        let second = async {
            loop {
                let second = seen_from(&client, &target, b"two").await;
                if second != first {
                    return second;
                }
                tokio::time::sleep(2 * IDLE).await;
            }
        };
        let second = in_time("another flow", second).await;
        target.send_to(b"late", first).await.unwrap();
        target.send_to(b"answer", second).await.unwrap();
        assert_eq!(receive(&client).await, b"answer");
    });
}

#[test]
fn a_stopped_inlet_leaves_nothing() {
    run(async {
        let node = node(2).await;
        UdpOutlet::start(&node, "outlet", echo().await.to_string()).unwrap();
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let before = node.workers().len();
        let inlet = UdpInlet::start(&node, socket, route!["outlet"]).unwrap();
        echoes(&client(inlet.address()).await, b"hello").await;
        inlet.stop().unwrap();
        assert!(inlet.stop().is_err());
        until("its addresses are free", || node.workers().len() == before).await;
        let again = || std::net::UdpSocket::bind(inlet.address()).is_ok();
        until("its socket is closed", again).await;
    });
}

#[test]
fn many_clients_at_once_all_get_answers() {
    run(async {
        let pair = Pair::to(echo().await, 2).await;
        let inlet = pair.inlet();
        let mut all = Vec::new();
        for round in 0..8_u8 {
            let mut clients = Vec::new();
            for number in 0..50 {
                clients.push((client(inlet).await, [round, number]));
            }
            for (client, datagram) in &clients {
                client.send(datagram).await.unwrap();
            }
            for (client, datagram) in &clients {
                assert_eq!(receive(client).await, datagram);
            }
            // A client that ends leaves its port to others.
            all.extend(clients);
        }
        let flows = pair.client.workers();
        assert!(flows.iter().filter(|worker| worker.1 == Class::Reply).count() >= 400);
    });
}

#[test]
fn a_stopped_outlet_takes_nothing_more() {
    run(async {
        let (node, target) = (node(1).await, udp().await);
        let to = target.local_addr().unwrap().to_string();
        let outlet = UdpOutlet::start(&node, "outlet", to).unwrap();
        let client = client(inlet(&node, route!["outlet"])).await;
        seen_from(&client, &target, b"one").await;
        outlet.stop().unwrap();
        client.send(b"two").await.unwrap();
        let lost = || node.refusals().by("datagrams-undelivered") > 0;
        until("the second has found nobody", lost).await;
    });
}
