//! Addresses as people write them: all of a machine, `localhost`, and those of a link.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    process::Command,
};

use ockam_actix_harness::{
    client::fetch,
    network::{in_own_network, is_own},
    program::{clean, Program},
    target::{Target, PAGE},
};

fn ockam() -> Command {
    clean(env!("CARGO_BIN_EXE_ockam"))
}

fn started(arguments: &str) -> Program {
    Program::start(ockam().args(arguments.split(' ')))
}

/// The port after the last colon.
fn port(address: &str) -> u16 {
    let port = address.split_whitespace().next().and_then(|text| text.rsplit(':').next());
    port.and_then(|port| port.parse().ok()).unwrap_or_else(|| panic!("no port: {address}"))
}

#[test]
fn printed_routes_work_on_other_machines() {
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let outlet = started(&format!("outlet --to 127.0.0.1:5000 --listen {listen}"));
        let route = outlet.wait_for_rest("--route ");
        let (address, _) = route.trim_matches('\'').split_once(" => ").unwrap();
        let (host, _) = address.strip_prefix("tcp#").unwrap().rsplit_once(':').unwrap();
        assert!(!host.contains(':') && host != "0.0.0.0", "{route}");
        if host == "YOUR-HOST" {
            outlet.wait_for_line("YOUR-HOST stands for a name");
        }
    }
}

#[test]
fn hubs_and_inlets_say_how_they_are_reached() {
    let hub = started("hub 0.0.0.0:0");
    let port_of_hub = port(&hub.wait_for_rest("hub on 0.0.0.0"));
    let reached = hub.wait_for_rest("other nodes reach it as ");
    assert_eq!(port(&reached), port_of_hub, "{reached}");
    assert!(!reached.contains("0.0.0.0"), "{reached}");
    let inlet =
        format!("inlet --listen 0.0.0.0:0 --plain --route tcp#127.0.0.1:{port_of_hub},,outlet");
    let reached = started(&inlet).wait_for_rest("clients reach it at ");
    assert!(!reached.contains("0.0.0.0"), "{reached}");
}

#[test]
fn localhost_is_both_loopback_addresses() {
    let target = Target::start();
    let to = target.address();
    let outlet = started(&format!("outlet --to {to} --plain --listen localhost:0"));
    let route = outlet.wait_for_rest("--route ").trim_matches('\'').to_owned();
    let at_outlet = port(route.split(' ').next().unwrap());
    let has_ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    let route = if has_ipv6 { format!("tcp#[::1]:{at_outlet} => outlet") } else { route };
    let mut inlet = ockam();
    inlet.args(["inlet", "--plain", "--listen", "localhost:0", "--route", &route]);
    let inlet = Program::start(&mut inlet);
    let at = inlet.wait_for_address("inlet on ").port();
    let families = [SocketAddr::from((Ipv4Addr::LOCALHOST, at)), (Ipv6Addr::LOCALHOST, at).into()];
    for client in families.into_iter().filter(|address| address.is_ipv4() || has_ipv6) {
        assert_eq!(fetch(client, "/"), Ok(PAGE.into()));
    }
}

#[test]
fn addresses_of_a_link_name_their_interface() {
    in_own_network(|| {
        let address = ["address", "add", "fe80::1/64", "dev", "lo", "nodad"];
        if !is_own() || !clean("ip").args(address).status().is_ok_and(|status| status.success()) {
            return println!("skipped: no network of its own with IPv6 for the test");
        }
        let target = Target::start();
        let hub = started("hub [fe80::1%lo]:4000");
        hub.wait_for_line("hub on [fe80::1%");
        let to = target.address();
        let outlet = started(&format!("outlet --to {to} --via fe80::1%lo:4000"));
        let route = outlet.wait_for_rest("--route ").trim_matches('\'').to_owned();
        let mut inlet = ockam();
        inlet.args(["inlet", "--listen", "[fe80::1%lo]:4001", "--route", &route]);
        let inlet = Program::start(&mut inlet);
        let at = inlet.wait_for_address("inlet on ");
        assert_eq!(fetch(at, "/"), Ok(PAGE.into()));
    });
}

#[test]
fn what_is_no_address_is_refused_at_start() {
    for (arguments, hint) in [
        ("hub https://hub.example.org", "hub.example.org"),
        ("hub udp:127.0.0.1:4000", "did you mean 127.0.0.1:4000?"),
        ("outlet --to 127.0.0.1:5000 --via ::1", "did you mean [::1]:4000?"),
        (
            "inlet --listen 4001 --plain --route tcp#127.0.0.1:4000,,a",
            "did you mean 127.0.0.1:4001?",
        ),
        ("inlet --listen 127.0.0.1:0 --plain --route tcp#http://a:1,,a", "did you mean a:1?"),
    ] {
        let output = ockam().args(arguments.split(' ')).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(hint), "{arguments}: {said}");
    }
}
