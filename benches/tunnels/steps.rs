//! Starting our own tunnels: the processes of each step, in the order in which they need each other.

use crate::{
    support::{process::Process, scratch::Scratch},
    tunnel::{parse, Running},
};
use std::{io, net::SocketAddr};

/// Step 01: inlet and outlet in one node; one process, nothing is sealed.
pub(crate) fn start_01(target: SocketAddr) -> io::Result<Running> {
    let scratch = Scratch::new()?;
    let (node, inlet) = Process::role("node", "01", &[&target.to_string()], &scratch)?;
    Running::when_ready(parse(&inlet)?, vec![node], scratch)
}

/// Step 02: two nodes, nothing is sealed.
pub(crate) fn start_02(target: SocketAddr) -> io::Result<Running> {
    two_nodes(target, "02-outlet", "02-inlet")
}

/// Step 03: two nodes and a secure channel between them.
pub(crate) fn start_03(target: SocketAddr) -> io::Result<Running> {
    two_nodes(target, "03-outlet", "03-inlet")
}

/// Step 04: two nodes that only ever connect to a hub, and a secure channel between them through it.
pub(crate) fn start_04(target: SocketAddr) -> io::Result<Running> {
    let scratch = Scratch::new()?;
    let (hub, address) = Process::role("hub", "hub", &[], &scratch)?;
    let (exit, forwarder) =
        Process::role("outlet", "04-outlet", &[&target.to_string(), &address], &scratch)?;
    let (entry, inlet) = Process::role("inlet", "04-inlet", &[&address, &forwarder], &scratch)?;
    Running::when_ready(parse(&inlet)?, vec![entry, exit, hub], scratch)
}

fn two_nodes(target: SocketAddr, outlet: &str, inlet: &str) -> io::Result<Running> {
    let scratch = Scratch::new()?;
    let (exit, node) = Process::role("outlet", outlet, &[&target.to_string()], &scratch)?;
    let (entry, listen) = Process::role("inlet", inlet, &[&node], &scratch)?;
    Running::when_ready(parse(&listen)?, vec![entry, exit], scratch)
}
