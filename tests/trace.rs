//! `ockam trace` beside real programs, and the function that it prints.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

use std::{net::TcpListener, time::Duration};

use actix_rt::System;
use ockam::{trace, HopRole, NodeBuilder, TcpTransport, TraceOptions};
use ockam_actix_harness::{
    deadline::PATIENCE,
    program::{clean, Program},
    target::Target,
};

/// An identity that nobody has here.
const NOBODY: &str = "I60ed66d1c761541b027864a5897a11caba65400bf26b1ff5dee9493c03d50d62";

/// The secure channel listener of a command.
const LISTENER: &str = "secure_channel_listener_service";

fn ockam(arguments: &[&str]) -> Program {
    Program::start(clean(env!("CARGO_BIN_EXE_ockam")).args(arguments))
}

/// Runs a trace to its end: whether it succeeded, the hops with the first two columns of their
/// table, and the line of error.
fn traced(arguments: &[&str]) -> (bool, Vec<[String; 2]>, String) {
    let mut program = ockam(&[&["trace"], arguments].concat());
    let status = program.wait_for_exit(PATIENCE);
    let hops = program.stdout();
    let hops = hops.iter().filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    let columns = |line: &String| -> [String; 2] {
        let mut columns = line.split("  ").map(str::trim).filter(|column| !column.is_empty());
        columns.next();
        [(); 2].map(|()| columns.next().unwrap_or_default().to_owned())
    };
    let stderr = program.stderr();
    assert!(stderr.len() <= 1, "{program}");
    (status.success(), hops.map(columns).collect(), stderr.concat())
}

/// A trace that breaks at hop `number` with all of `said` in its error.
fn breaks_at(number: usize, said: &[&str], arguments: &[&str]) {
    let (is_whole, hops, error) = traced(arguments);
    assert!(!is_whole && hops.len() == number, "{hops:?} {error}");
    assert_eq!(hops.last().unwrap()[1], "FAILS");
    assert!(hops[..number - 1].iter().all(|hop| hop[1] != "FAILS"), "{hops:?}");
    assert!(error.starts_with(&format!("error: hop {number}, ")), "{error}");
    for text in said {
        assert!(error.contains(text), "{text:?} is not in {error}");
    }
}

fn is_of(hops: &[[String; 2]], expected: &[&str]) {
    let is: Vec<_> = hops.iter().map(|[_, is]| is.as_str()).collect();
    assert_eq!(is.len(), expected.len(), "{hops:?}");
    assert!(is.iter().zip(expected).all(|(is, expected)| is.starts_with(expected)), "{hops:?}");
}

/// An outlet that listens, and the route to its node.
fn listening(arguments: &[&str]) -> (Program, String) {
    let outlet = ockam(&[&["outlet", "--listen", "127.0.0.1:0"], arguments].concat());
    let address = outlet.wait_for_address("listening for nodes on ");
    outlet.wait_for_line("ockam inlet ");
    (outlet, format!("tcp#{address} => "))
}

/// An outlet behind a hub, and the route to it.
fn behind(hub: &Program, target: &str) -> (Program, String) {
    let hub = hub.wait_for_address("hub on ").to_string();
    let outlet = ockam(&["outlet", "--to", target, "--via", &hub]);
    let route = outlet.wait_for_rest("--route '").trim_end_matches('\'').to_owned();
    (outlet, route)
}

fn hub() -> Program {
    ockam(&["hub", "127.0.0.1:0"])
}

#[test]
fn a_route_on_one_node_is_traced() {
    System::new().block_on(trace_one_node());
}

async fn trace_one_node() {
    let target = Target::start();
    let node = NodeBuilder::new().arbiters(1).start().await.unwrap();
    let tcp = TcpTransport::create(&node).await.unwrap();
    tcp.create_outlet("outlet", target.address()).await.unwrap();
    let options = TraceOptions::along("outlet").open_stream("").count(2);
    let found = trace(&node, options).await.unwrap();
    assert_eq!(found.failure, None);
    let hops: Vec<_> = found.hops.iter().map(|hop| (hop.role, hop.round_trips.len())).collect();
    assert_eq!(hops, [(HopRole::Worker, 2), (HopRole::Target, 0)]);
    // A node that dials nothing cannot begin.
    assert!(trace(&node, TraceOptions::along("ws#127.0.0.1:1")).await.is_err());
    node.stop().await;
}

#[test]
fn a_plain_route_is_traced_to_its_target() {
    let target = Target::start();
    let (_outlet, node) = listening(&["--to", &target.address(), "--plain"]);
    let plain = |route: &str| traced(&["--plain", &format!("{node}{route}"), "--count", "1"]);
    let (is_whole, hops, error) = plain("outlet");
    assert!(is_whole, "{error}");
    is_of(&hops, &["node", "worker", "connected"]);
    assert_eq!(target.accepted(), 1);
    breaks_at(2, &["not there", "spelling"], &["--plain", &format!("{node}nobody")]);
    let (is_whole, hops, _) = traced(&["--plain", "--no-target", &format!("{node}outlet")]);
    assert!(is_whole && hops.len() == 2);
    assert_eq!(target.accepted(), 1);
}

#[test]
fn a_channel_is_traced_through_its_hub() {
    let (hub, target) = (hub(), Target::start());
    let (outlet, route) = behind(&hub, &target.address());
    let (is_whole, hops, error) = traced(&[&route]);
    assert!(is_whole, "{error}");
    is_of(&hops, &["node", "forwarder", "with I", "worker", "connected"]);
    // Whoever looks learns what is written there, and no secret of the route.
    let mut program = ockam(&["trace", &route, "--json"]);
    assert!(program.wait_for_exit(PATIENCE).success(), "{program}");
    let text = program.stdout().concat();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let identity = outlet.wait_for_rest("identity ");
    assert_eq!(json["hops"][2]["verified_identity"], identity.as_str());
    let may_read = |hop: usize| json["hops"][hop]["may_read"].as_str().map(str::to_owned);
    assert_eq!([1, 2].map(may_read), [Some("sizes".into()), Some("contents".into())]);
    assert_eq!(json["hops"][0]["round_trips_ms"].as_array().unwrap().len(), 3);
    assert!(json["failure"].is_null() && !text.contains(".S"), "{text}");
    // The wrong identity.
    breaks_at(3, &["not the trusted identity", "compare"], &[&route, "--trust", NOBODY]);
    // A node behind the hub that says nothing, then one that has gone, then no hub.
    outlet.stand_still();
    breaks_at(2, &["no answer within 5s", "the hub answers"], &[&route, "--timeout", "5s"]);
    outlet.go_on();
    drop(outlet);
    hub.wait_for_line("has left");
    breaks_at(2, &["not there", "copy its address again"], &[&route]);
    drop(hub);
    breaks_at(1, &["refused", "listens there"], &[&route]);
}

#[test]
fn a_target_that_refuses_is_the_last_hop() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (outlet, node) = listening(&["--to", &closed]);
    let route = format!("{node}{LISTENER}");
    breaks_at(5, &["target refused", "the route is fine"], &[&route]);
    let (is_whole, hops, _) = traced(&["--no-target", &route]);
    assert!(is_whole);
    is_of(&hops, &["node", "worker", "with I", "worker"]);
    // What is reached through the channel alone, and what is no channel's listener.
    breaks_at(2, &["not there", "exposed"], &["--plain", &format!("{node}outlet")]);
    breaks_at(3, &["no outlet of TCP"], &["--plain", &route]);
    outlet.wait_for_line("cannot connect to the target");
}

#[test]
fn an_outlet_that_trusts_others_refuses() {
    let directory = tempfile::tempdir().unwrap();
    let vault = directory.path().join("vault").display().to_string();
    let key = directory.path().join("key").display().to_string();
    let mut created = ockam(&["identity", "create", "web", "--vault", &vault, "--key-file", &key]);
    assert!(created.wait_for_exit(PATIENCE).success(), "{created}");
    let identity = ["--identity", "web", "--vault", &vault, "--key-file", &key];
    let trusting = [&["--to", "127.0.0.1:9", "--trust", NOBODY], &identity[..]].concat();
    let (_outlet, node) = listening(&trusting);
    breaks_at(3, &["does not trust", "compare the identities"], &[&format!("{node}{LISTENER}")]);
}

#[test]
fn a_silent_line_breaks_at_its_first_hop() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let route = format!("tcp#{} => outlet", silent.local_addr().unwrap());
    let limit = Duration::from_secs(1);
    breaks_at(1, &["no answer within 1s"], &[&route, "--timeout", &limit.as_secs().to_string()]);
    breaks_at(1, &["greeting"], &[&route]);
}
