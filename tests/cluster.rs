//! Hubs of one cluster with real NATS servers: what is registered at one is reached through any,
//! also while NATS is down, and when a hub is killed.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
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

/// A NATS server, or `None`, which is said, where there is none to start.
fn nats() -> Option<Program> {
    let Ok(path) = installed("nats-server") else {
        println!("skipped: nats-server is not installed");
        return None;
    };
    let server = Program::start(clean(path).args(["-a", "127.0.0.1", "-p", "4222"]));
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
    let outlet = ockam(&["outlet", "--to", &echo::start(), "--via", via]);
    let route = outlet.wait_for_rest("--route '");
    let route = route.split('\'').next().unwrap().to_owned();
    let (_, behind) = route.split_once("=>").unwrap();
    (outlet, behind.trim().to_owned())
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

        let before = hubs[2].line_count();
        let _server = nats().unwrap();
        hubs[2].wait_for_line_after(before, "connected to NATS", PATIENCE);
        let (_other, address) = inlet(HUBS[2], &behind);
        echoes(&mut connect(address, PATIENCE).unwrap());
        echoes(&mut lasting);
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
