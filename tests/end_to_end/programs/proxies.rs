//! `ockam` through tinyproxy and microsocks, as the environment says.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    process::Command,
    thread,
};

use super::{are_installed, free_address, succeed};
use crate::carrier::{Carrier, Files};
use ockam_actix_harness::{
    client::{download, fetch, upload, Ended},
    deadline::{poll, PATIENCE},
    network::{in_own_network, is_own},
    program::{clean, Program},
    target::{Target, PAGE},
};
use tempfile::TempDir;

/// Where the hub listens: an address for documentation, as one of this machine's own would not be
/// asked of a proxy. The test's network has it on its only interface.
const HUB: &str = "198.51.100.1:4000";

/// What each of a few streams carries, in bytes, in a long test and a short one, and each of many.
const LARGE: u64 = 100_000_000;
const MEDIUM: u64 = 5_000_000;
const SMALL: u64 = 200_000;

/// A running proxy, which knows `alice`, whose password is `s3cret`.
struct Proxy {
    _program: Program,
    address: SocketAddr,
    scheme: &'static str,
    _folder: Option<TempDir>,
}

impl Proxy {
    /// Waits until it listens.
    fn started(program: Program, address: SocketAddr, scheme: &'static str) -> Self {
        poll("the proxy to listen", PATIENCE, || TcpStream::connect(address));
        Self { _program: program, address, scheme, _folder: None }
    }

    fn tinyproxy() -> Self {
        let (folder, address) = (tempfile::tempdir().unwrap(), free_address());
        let file = folder.path().join("tinyproxy.conf");
        let port = address.port();
        let settings = format!("Listen 127.0.0.1\nPort {port}\nBasicAuth alice s3cret\n");
        fs::write(&file, settings).unwrap();
        let program = Program::start(clean("tinyproxy").args(["-d", "-c"]).arg(file));
        Self { _folder: Some(folder), ..Self::started(program, address, "http") }
    }

    fn microsocks() -> Self {
        let address = free_address();
        let mut microsocks = clean("microsocks");
        microsocks.args(["-i", "127.0.0.1", "-p", &address.port().to_string()]);
        let program = Program::start(microsocks.args(["-u", "alice", "-P", "s3cret"]));
        Self::started(program, address, "socks5h")
    }

    /// Its URL with these credentials.
    fn url(&self, credentials: &str) -> String {
        format!("{}://{credentials}@{}", self.scheme, self.address)
    }
}

fn ockam() -> Command {
    clean(env!("CARGO_BIN_EXE_ockam"))
}

/// Whether there is a network to try it in, and the program.
fn is_possible(program: &str) -> bool {
    if !is_own() {
        println!("skipped: no network of its own for the test");
    }
    is_own() && are_installed(&[program])
}

/// A hub, and an outlet and an inlet that reach it through the proxy only.
struct Proxied {
    at: SocketAddr,
    clients: [Program; 2],
    _others: (Program, Proxy, Target),
}

impl Proxied {
    fn through(proxy: Proxy, carrier: Carrier, arbiters: &str) -> Self {
        succeed(clean("ip").args(["address", "replace", "198.51.100.1/32", "dev", "lo"]));
        let (target, files) = (Target::start(), Files::new());
        let (scheme, transport) = match carrier {
            Carrier::Ws => ("ws://", "ws"),
            Carrier::Wss => ("wss://", "wss"),
            _ => ("", "tcp"),
        };
        let address = format!("{scheme}{HUB}");
        let mut hub = ockam();
        hub.args(["hub", &address]).arg("--tls-cert").arg(files.path("chain.pem"));
        let hub = Program::start(hub.arg("--tls-key").arg(files.path("key.pem")));
        hub.wait_for_line("hub on ");
        let url = proxy.url("alice:s3cre%74");
        let through = |arguments: &[&str], variable: &str| {
            let mut command = ockam();
            command.args(arguments).arg("--tls-ca").arg(files.path("chain.pem"));
            command.env(variable, &url).env("NO_PROXY", "10.0.0.0/8");
            let program = Program::start(command.env("OCKAM_ARBITERS", arbiters));
            let way = format!("connected to {transport}#{HUB} through the proxy {}", proxy.address);
            program.wait_for_line(&way);
            program
        };
        let to = ["outlet", "--to", &target.address(), "--via", &address];
        let outlet = through(&to, "HTTPS_PROXY");
        let route = outlet.wait_for_rest("--route ").trim_matches('\'').to_owned();
        let inlet = ["inlet", "--listen", "127.0.0.1:0", "--route", &route];
        let inlet = through(&inlet, "all_proxy");
        let at = inlet.wait_for_address("inlet on ");
        assert_eq!(fetch(at, "/"), Ok(PAGE.into()));
        Self { at, clients: [outlet, inlet], _others: (hub, proxy, target) }
    }

    /// Downloads at the same time, each of `bytes`.
    fn download(&self, clients: u64, bytes: u64) {
        thread::scope(|scope| {
            let download = |seed| scope.spawn(move || download(self.at, bytes, seed));
            let clients: Vec<_> = (0..clients).map(download).collect();
            for client in clients {
                assert_eq!(client.join().unwrap(), Ended::Whole);
            }
        });
    }

    /// Nobody wrote the proxy's password.
    fn stop(self) {
        for program in &self.clients {
            let said = [program.stdout(), program.stderr()].concat();
            assert!(!said.iter().any(|line| line.contains("s3cr")), "{program}");
        }
    }
}

/// A few large streams, and many small ones.
fn carries(start: fn() -> Proxy, arbiters: &str) {
    let tunnel = Proxied::through(start(), Carrier::Tcp, arbiters);
    assert_eq!(upload(tunnel.at, LARGE, 9).unwrap(), format!("took {LARGE}"));
    tunnel.download(4, LARGE);
    tunnel.download(50, SMALL);
    tunnel.stop();
}

/// The same over WebSockets, without and with TLS.
fn carries_websockets(start: fn() -> Proxy) {
    for carrier in [Carrier::Ws, Carrier::Wss] {
        println!("over {carrier:?}");
        let tunnel = Proxied::through(start(), carrier, "2");
        assert_eq!(upload(tunnel.at, MEDIUM, 9).unwrap(), format!("took {MEDIUM}"));
        tunnel.download(4, MEDIUM);
        tunnel.download(50, SMALL);
        tunnel.stop();
    }
}

/// With a password that is none.
fn refuses(start: fn() -> Proxy, why: &str) {
    let proxy = start();
    let mut inlet = ockam();
    inlet.args(["inlet", "--listen", "127.0.0.1:0", "--plain", "--route"]);
    inlet.arg(format!("tcp#{HUB} => outlet")).env("HTTPS_PROXY", proxy.url("alice:wr0ng"));
    let inlet = Program::start(&mut inlet);
    let line = inlet.wait_for_line(&format!("the proxy {} refused {HUB}: ", proxy.address));
    assert!(line.contains(why), "{line}");
    assert!(line.contains("the user or the password in HTTPS_PROXY is wrong"), "{line}");
    assert!(!inlet.stderr().iter().any(|line| line.contains("wr0ng")), "{inlet}");
}

#[test]
fn tinyproxy_carries_tunnels() {
    in_own_network(|| {
        if is_possible("tinyproxy") {
            carries(Proxy::tinyproxy, "2");
        }
    });
}

#[test]
fn tinyproxy_carries_tunnels_of_one_arbiter() {
    in_own_network(|| {
        if is_possible("tinyproxy") {
            carries(Proxy::tinyproxy, "1");
        }
    });
}

#[test]
fn microsocks_carries_tunnels() {
    in_own_network(|| {
        if is_possible("microsocks") {
            carries(Proxy::microsocks, "2");
        }
    });
}

#[test]
fn microsocks_carries_tunnels_of_one_arbiter() {
    in_own_network(|| {
        if is_possible("microsocks") {
            carries(Proxy::microsocks, "1");
        }
    });
}

#[test]
fn tinyproxy_carries_tunnels_of_websockets() {
    in_own_network(|| {
        if is_possible("tinyproxy") {
            carries_websockets(Proxy::tinyproxy);
        }
    });
}

#[test]
fn microsocks_carries_tunnels_of_websockets() {
    in_own_network(|| {
        if is_possible("microsocks") {
            carries_websockets(Proxy::microsocks);
        }
    });
}

#[test]
fn tinyproxy_refuses_a_wrong_password() {
    in_own_network(|| {
        if is_possible("tinyproxy") {
            refuses(Proxy::tinyproxy, "401 Unauthorized");
        }
    });
}

#[test]
fn microsocks_refuses_a_wrong_password() {
    in_own_network(|| {
        if is_possible("microsocks") {
            refuses(Proxy::microsocks, "it does not know who asks");
        }
    });
}

#[test]
fn an_invalid_variable_is_an_error_at_start() {
    let mut hub = ockam();
    hub.args(["hub", "127.0.0.1:0"]).env("HTTPS_PROXY", "https://alice:s3cr@proxy:3128");
    let output = hub.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("error: HTTPS_PROXY: TLS to the proxy itself"), "{said}");
    assert!(!said.contains("s3cr"), "{said}");
}
