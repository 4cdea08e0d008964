//! Hubs of one cluster with real NATS servers: what is registered at one is reached through any,
//! also while NATS is down, and when a hub is killed; the newer of two registrations wins; hubs
//! show NATS who they are; those that stop cost no stream; and the guide's lines work as they are.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

mod drain;
mod guide;

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    time::Duration,
};

use actix_rt::System;
use ockam::{
    cluster::{Cluster, NatsBus, NatsOptions},
    Entity, ForwardingOptions, ForwardingService, Node, NodeBuilder, RemoteForwarder,
    RemoteForwarderOptions, SecureChannelListenerOptions, SecureChannels, TcpTransport,
    TrustIdentifierPolicy, Vault, TCP,
};
use ockam_actix_harness::{
    client::connect,
    deadline::PATIENCE,
    echo,
    installed::installed,
    network::in_own_network,
    program::{clean, Program},
};

const NATS: &str = "nats://127.0.0.1:4222";
const HUBS: [&str; 3] = ["127.0.0.1:4001", "127.0.0.1:4002", "127.0.0.1:4003"];

fn ockam(arguments: &[&str]) -> Program {
    Program::start(clean(env!("CARGO_BIN_EXE_ockam")).args(arguments))
}

/// Sends a signal to a process, or to a group, whose number has a minus.
fn signal(name: &str, to: &str) {
    // The shell's own `kill`, as not every other one knows groups.
    let sent = Command::new("sh").args(["-c", &format!("kill -s {name} -- {to}")]).status();
    assert!(sent.unwrap().success(), "{name} to {to}");
}

/// A NATS server, or `None`, which is said, where there is none to start.
fn nats() -> Option<Program> {
    nats_with(&[])
}

fn nats_with(options: &[&str]) -> Option<Program> {
    let Ok(path) = installed("nats-server") else {
        println!("skipped: nats-server is not installed");
        return None;
    };
    let arguments = [&["-a", "127.0.0.1", "-p", "4222"], options].concat();
    let server = Program::start(clean(path).args(arguments));
    server.wait_for_line("Server is ready");
    Some(server)
}

fn hub(address: &str) -> Program {
    let hub = ockam(&["hub", address, "--cluster", NATS, "--advertise", address]);
    hub.wait_for_line("hub on ");
    hub.wait_for_line("connected to NATS");
    hub
}

/// The outlet of an echo at these hubs, and its route behind a hub.
fn outlet(via: &str) -> (Program, String) {
    outlet_to(&echo::start(), via)
}

fn outlet_to(target: &str, via: &str) -> (Program, String) {
    let outlet = ockam(&["outlet", "--to", target, "--via", via]);
    let behind = behind_hub(&outlet);
    (outlet, behind)
}

/// What the outlet's route has behind the hub.
fn behind_hub(outlet: &Program) -> String {
    let route = outlet.wait_for_rest("--route '");
    let route = route.split('\'').next().unwrap().to_owned();
    let (_, behind) = route.split_once("=>").unwrap();
    behind.trim().to_owned()
}

/// An inlet that goes through one hub.
fn inlet(hub: &str, behind: &str) -> (Program, SocketAddr) {
    let route = format!("tcp#{hub} => {behind}");
    let inlet = ockam(&["inlet", "--listen", "127.0.0.1:0", "--route", &route]);
    let address = inlet.wait_for_address("inlet on ");
    (inlet, address)
}

/// Sends a byte through the connection and back.
fn echoes(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"x").unwrap();
    let mut back = [0];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(back, *b"x");
}

#[test]
fn any_hub_reaches_any_forwarder_without_nats_too() {
    in_own_network(|| {
        let Some(mut server) = nats() else { return };
        let mut hubs = HUBS.map(hub);
        let (_outlet, behind) = outlet(HUBS[0]);
        let (_near, address) = inlet(HUBS[1], &behind);
        let mut lasting = connect(address, PATIENCE).unwrap();
        echoes(&mut lasting);

        server.kill();
        hubs[1].wait_for_line("the connection to NATS was lost");
        echoes(&mut lasting);
        echoes(&mut connect(address, PATIENCE).unwrap());

        let before = hubs.each_ref().map(Program::line_count);
        let _server = nats().unwrap();
        for (hub, before) in hubs.iter().zip(before) {
            hub.wait_for_line_after(before, "connected to NATS", PATIENCE);
        }
        let (_other, address) = inlet(HUBS[2], &behind);
        echoes(&mut connect(address, PATIENCE).unwrap());
        echoes(&mut lasting);
        let mut trace = ockam(&["trace", &format!("tcp#{} => {behind}", HUBS[2])]);
        assert!(trace.wait_for_exit(PATIENCE).success(), "{trace}");
        trace.wait_for_line("another hub of the cluster");
        assert!(hubs.iter_mut().all(Program::is_running));
    });
}

#[test]
fn streams_outlive_the_hub_between() {
    in_own_network(|| {
        let Some(_server) = nats() else { return };
        let mut hubs = HUBS.map(hub);
        let (_outlet, behind) = outlet(&format!("{},{}", HUBS[0], HUBS[2]));
        let (_near, address) = inlet(HUBS[1], &behind);
        let mut lasting = connect(address, PATIENCE).unwrap();
        echoes(&mut lasting);
        for killed in [0, 2] {
            hubs[killed].kill();
            echoes(&mut lasting);
            hubs[killed] = hub(HUBS[killed]);
        }
    });
}

#[test]
fn a_hub_does_not_wait_for_nats() {
    in_own_network(|| {
        let hub = ockam(&["hub", HUBS[0], "--cluster", NATS, "--advertise", HUBS[0]]);
        hub.wait_for_line("hub on ");
        let (_outlet, behind) = outlet(HUBS[0]);
        let (_near, address) = inlet(HUBS[0], &behind);
        echoes(&mut connect(address, PATIENCE).unwrap());
        let mut wrong = ockam(&["hub", HUBS[1], "--cluster", "nats://:x", "--advertise", HUBS[1]]);
        assert!(!wrong.wait_for_exit(PATIENCE).success());
        wrong.wait_for_line("expected nats://host:4222");
    });
}

/// A hub in this process, with a short lease.
async fn hub_here(at: &str) -> Node {
    let node = NodeBuilder::new().arbiters(1).start().await.unwrap();
    let bus = NatsBus::connect(NatsOptions::new(NATS)).await.unwrap();
    let cluster = Cluster::join(&node, (TCP, at), bus).unwrap();
    let options = ForwardingOptions::new().cluster(cluster).lease(Duration::from_secs(3));
    ForwardingService::start(&node, options).unwrap();
    TcpTransport::create(&node).await.unwrap().listen(at).await.unwrap();
    node
}

/// A program of the identity "own" that registers a service with a hub.
async fn registered(vault: &Vault, hub: &str) -> (Node, RemoteForwarder) {
    let node = NodeBuilder::new().arbiters(1).start().await.unwrap();
    TcpTransport::create(&node).await.unwrap();
    let mut entity = Entity::open_or_create(&node, vault, "own").unwrap();
    let listener = SecureChannelListenerOptions::at("listener").named();
    let policy = TrustIdentifierPolicy::new(entity.identifier());
    entity.create_secure_channel_listener(listener, policy).unwrap();
    let options = RemoteForwarderOptions::to("listener").service("web").named();
    let forwarder = RemoteForwarder::create(&node, (TCP, hub), options).await.unwrap();
    (node, forwarder)
}

/// Of two registrations one is left within a lease, which is a minute.
const LEASE: Duration = Duration::from_secs(60);

async fn is_displaced(forwarder: &RemoteForwarder) {
    let begun = std::time::Instant::now();
    let mut state = forwarder.watch();
    let displaced = state.wait_for(|state| state.displaced);
    let displaced = actix_rt::time::timeout(LEASE, displaced).await;
    println!("displaced after {:.1?}", begun.elapsed());
    displaced.expect("the older registration is displaced in time").unwrap();
}

#[test]
fn the_newer_registration_wins_also_after_nats() {
    in_own_network(|| {
        let Some(mut server) = nats() else { return };
        System::new().block_on(async {
            let hubs = [hub_here(HUBS[0]).await, hub_here(HUBS[1]).await];
            let vault = Vault::in_memory();
            let (one, first) = registered(&vault, HUBS[0]).await;
            let (two, second) = registered(&vault, HUBS[1]).await;
            is_displaced(&first).await;
            // The hubs do not hear each other when the next one registers.
            server.kill();
            let (three, third) = registered(&vault, HUBS[0]).await;
            let _server = nats().unwrap();
            is_displaced(&second).await;
            let mut state = third.watch();
            let settled = state.wait_for(|state| state.registered || state.displaced);
            let settled = actix_rt::time::timeout(PATIENCE, settled).await;
            assert!(!settled.expect("the newer one is registered").unwrap().displaced);
            for node in hubs.into_iter().chain([one, two, three]) {
                node.stop().await;
            }
        });
    });
}

#[test]
fn hubs_show_nats_who_they_are() {
    in_own_network(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(path("chain.pem"), made.cert.pem()).unwrap();
        fs::write(path("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let (chain, key) = (path("chain.pem"), path("key.pem"));
        let tls = ["--tls", "--tlscert", &chain, "--tlskey", &key];
        let user = ["--user", "hubs", "--pass", "p@ss/word"];
        let connects = |server: &[&str], url: &str, more: &[&str], said: &str| {
            let server = nats_with(server);
            if server.is_some() {
                let options = ["hub", HUBS[0], "--advertise", HUBS[0], "--cluster", url];
                let hub = ockam(&[&options[..], more].concat());
                hub.wait_for_line(said);
                let lines = hub.stderr().iter().filter(|line| line.contains("NATS")).count();
                assert!(lines <= 2, "{hub}");
            }
        };
        let (connected, refused) = ("connected to NATS", "authorization violation");
        connects(&user, "nats://hubs:p%40ss%2Fword@127.0.0.1:4222", &[], connected);
        connects(&user, "nats://hubs:wrong@127.0.0.1:4222", &[], refused);
        connects(&["--auth", "a-token"], "nats://a-token@127.0.0.1:4222", &[], connected);
        let url = "tls://hubs:p%40ss%2Fword@localhost:4222";
        connects(&[&tls[..], &user].concat(), url, &["--cluster-ca", &chain], connected);
        connects(&[&tls[..], &user].concat(), url, &[], "cannot connect to NATS");
    });
}
