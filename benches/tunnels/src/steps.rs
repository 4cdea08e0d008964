//! Starting our own tunnels: the processes of each step, in the order in which they need each
//! other.
//!
//! `program` is this program or that of another build ([`crate::options::Options::other`]), and
//! plays the roles of [`crate::ours`].

use crate::tunnel::{await_listening, free_address, parse, Running};
use ockam_actix_harness::{installed::installed, process::Process};
use std::{io, net::SocketAddr, path::Path, process::Command};

/// Step 01: inlet and outlet in one node; one process, nothing is sealed.
pub(crate) fn start_01(program: &Path, target: SocketAddr) -> io::Result<Running> {
    let (node, inlet) = Process::role_of(program, "node", "01", &[&target.to_string()])?;
    Running::when_ready(parse(&inlet)?, vec![node], None)
}

/// Step 02: two nodes, nothing is sealed.
pub(crate) fn start_02(program: &Path, target: SocketAddr) -> io::Result<Running> {
    two_nodes(program, target, "02-outlet", "02-inlet")
}

/// Step 03: two nodes and a secure channel between them.
pub(crate) fn start_03(program: &Path, target: SocketAddr) -> io::Result<Running> {
    two_nodes(program, target, "03-outlet", "03-inlet")
}

/// Step 04: two nodes that only ever connect to a hub, and a secure channel between them through
/// it.
pub(crate) fn start_04(program: &Path, target: SocketAddr) -> io::Result<Running> {
    let target = target.to_string();
    let (hub, address) = Process::role_of(program, "hub", "hub", &[])?;
    let (exit, forwarder) = Process::role_of(program, "outlet", "04-outlet", &[&target, &address])?;
    let (entry, inlet) = Process::role_of(program, "inlet", "04-inlet", &[&address, &forwarder])?;
    Running::when_ready(parse(&inlet)?, vec![entry, exit, hub], None)
}

/// Step 04, but the inlet connects to another hub than the outlet, of the same cluster.
pub(crate) fn start_04_with_two_hubs(program: &Path, target: SocketAddr) -> io::Result<Running> {
    let Hubs { near_address, far_address, mut processes } = cluster_of_two(program)?;
    let (exit, forwarder) =
        Process::role_of(program, "outlet", "04-outlet", &[&target.to_string(), &far_address])?;
    let (entry, inlet) =
        Process::role_of(program, "inlet", "04-inlet", &[&near_address, &forwarder])?;
    processes.splice(0..0, [entry, exit]);
    Running::when_ready(parse(&inlet)?, processes, None)
}

/// Two hubs of one cluster, and what they need.
pub(crate) struct Hubs {
    /// The inlet's.
    pub(crate) near_address: String,
    /// The outlet's.
    pub(crate) far_address: String,
    pub(crate) processes: Vec<Process>,
}

/// Starts a NATS server and two hubs that find each other over it.
pub(crate) fn cluster_of_two(program: &Path) -> io::Result<Hubs> {
    let nats = free_address()?;
    let (host, port) = (nats.ip().to_string(), nats.port().to_string());
    let mut server = Command::new(installed("nats-server")?);
    let mut server = Process::start("nats", server.args(["-a", &host, "-p", &port]))?;
    await_listening(&mut server, nats)?;
    let nats = format!("nats://{nats}");
    let hub = |title: &str| {
        let address = free_address()?.to_string();
        Process::role_of(program, title, "cluster-hub", &[&address, &nats])
    };
    let ((near, near_address), (far, far_address)) = (hub("hub")?, hub("other hub")?);
    Ok(Hubs { near_address, far_address, processes: vec![near, far, server] })
}

fn two_nodes(program: &Path, target: SocketAddr, outlet: &str, inlet: &str) -> io::Result<Running> {
    let (exit, node) = Process::role_of(program, "outlet", outlet, &[&target.to_string()])?;
    let (entry, listen) = Process::role_of(program, "inlet", inlet, &[&node])?;
    Running::when_ready(parse(&listen)?, vec![entry, exit], None)
}
