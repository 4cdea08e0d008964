//! What options may say, what is logged, and a bus whose server is not there, or takes nothing.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    sync::mpsc,
    thread,
};

use actix_rt::System;
use async_nats::{connection::State, Event};
use bytes::Bytes;
use futures::FutureExt as _;
use ockam_actix_harness::deadline::PATIENCE;
use tokio::{sync::oneshot, task::yield_now, time::timeout};

use super::{pause_before, user_of, NatsBus, NatsOptions, Said, MAX_SAID};
use crate::cluster::Bus as _;

/// A server that greets a client, and then takes nothing until it is let go on.
struct Stalled {
    url: String,
    go_on: mpsc::Sender<()>,
    /// The client has closed its connection.
    closed: oneshot::Receiver<()>,
}

impl Stalled {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("nats://{}", listener.local_addr().unwrap());
        let (go_on, goes_on) = mpsc::channel();
        let (sender, closed) = oneshot::channel();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"INFO {\"max_payload\":1048576}\r\n").unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            while line != "PING\r\n" {
                line.clear();
                reader.read_line(&mut line).unwrap();
            }
            stream.write_all(b"PONG\r\n").unwrap();
            // An error says that the test has ended.
            if goes_on.recv().is_ok() {
                // A client that is gone may have reset the connection.
                let _ = reader.read_to_end(&mut Vec::new());
                let _ = sender.send(());
            }
        });
        Self { url, go_on, closed }
    }

    async fn connected(&self) -> NatsBus {
        let bus = NatsBus::connect(NatsOptions::new(&self.url)).await.unwrap();
        bus.listen(Box::new(|_| None));
        let connected = async {
            while bus.client.connection_state() != State::Connected {
                yield_now().await;
            }
        };
        timeout(PATIENCE, connected).await.expect("it connects in time");
        bus
    }
}

fn claims() -> Bytes {
    vec![0; 40_000].into()
}

#[test]
fn nothing_piles_up_behind_a_stalled_server() {
    System::new().block_on(async {
        let server = Stalled::start();
        let bus = server.connected().await;
        let tasks = bus.runtime.metrics().num_alive_tasks();
        // 80 MB: more than any socket takes.
        for _ in 0..2_000 {
            bus.publish(claims());
            yield_now().await;
        }
        let more = bus.runtime.metrics().num_alive_tasks().saturating_sub(tasks);
        assert!(more < 10, "{more} more tasks");
        assert_eq!(bus.ask(claims(), Box::new(|_| true)).now_or_never(), Some(None));
    });
}

#[test]
fn without_a_server_no_answer_is_awaited() {
    System::new().block_on(async {
        // A port where nothing listens any more.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let bus = NatsBus::connect(NatsOptions::new(format!("nats://{port}"))).await.unwrap();
        let asked = bus.ask("who?".into(), Box::new(|_| true));
        assert_eq!(asked.now_or_never(), Some(None));
    });
}

#[test]
fn a_bus_that_is_dropped_leaves_no_connection() {
    System::new().block_on(async {
        let server = Stalled::start();
        drop(server.connected().await);
        server.go_on.send(()).unwrap();
        timeout(PATIENCE, server.closed).await.expect("it closes in time").unwrap();
    });
}

#[test]
fn names_and_servers_are_checked() {
    let options = NatsOptions::new("nats://a:4222, nats://user:secret@b");
    assert_eq!(options.subject().unwrap().as_str(), "ockam.ockam.hubs");
    let servers = options.addresses().unwrap();
    let users: Vec<_> = servers.iter().map(user_of).collect();
    assert_eq!(users, [None, Some(("user".into(), Some("secret".into())))]);
    let encoded = NatsOptions::new("nats://us%3Aer:p%40ss%2fw%25%zz@a").addresses().unwrap();
    assert_eq!(user_of(&encoded[0]), Some(("us:er".into(), Some("p@ss/w%%zz".into()))));
    for name in ["", "a.b", "a b", "*", &"x".repeat(65)] {
        let error = options.clone().name(name).subject().unwrap_err();
        assert!(error.to_string().contains("is no name of a cluster"), "{error}");
    }
    let error = NatsOptions::new("nats://user:secret@:x").addresses().unwrap_err();
    assert!(!error.to_string().contains("secret"), "{error}");
    assert!(!format!("{options:?}").contains("secret"));
}

#[test]
fn each_failure_is_said_once() {
    let said = Said::default();
    (0..100).for_each(|_| said.once("wrong password".into()));
    assert_eq!(said.0.lock().len(), 1);
    (0..100).for_each(|number| said.once(format!("failure {number}")));
    assert_eq!(said.0.lock().len(), MAX_SAID);
    said.log(&Event::Connected);
    assert!(said.0.lock().is_empty());
}

#[test]
fn pauses_before_attempts_grow_to_a_second() {
    let pauses = [0, 1, 2, 3, 7, 8, usize::MAX].map(|attempt| pause_before(attempt).as_millis());
    assert_eq!(pauses, [0, 0, 50, 100, 1_000, 1_000, 1_000]);
}
