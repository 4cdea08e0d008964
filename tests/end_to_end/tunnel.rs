//! The guide's steps as running programs, each started as the readme says.

use std::net::SocketAddr;

use ockam_actix_harness::program::{example, Program};

/// A step's programs, and where clients connect.
pub(crate) struct Tunnel {
    pub(crate) inlet: SocketAddr,
    /// In the order in which they were started.
    pub(crate) programs: Vec<Program>,
}

/// A step: from the target's address and the number of arbiters to a running tunnel.
pub(crate) type Step = fn(&str, usize) -> Tunnel;

/// One node with an inlet and an outlet.
pub(crate) fn step_01(target: &str, arbiters: usize) -> Tunnel {
    let node = start("01-inlet-outlet", &["127.0.0.1:0", target], arbiters);
    Tunnel { inlet: inlet_address(&node), programs: vec![node] }
}

/// Two nodes with a connection between them.
pub(crate) fn step_02(target: &str, arbiters: usize) -> Tunnel {
    let outlet = listening_outlet("02-outlet", target, arbiters);
    let inlet = start("02-inlet", &["127.0.0.1:0"], arbiters);
    Tunnel { inlet: inlet_address(&inlet), programs: vec![outlet, inlet] }
}

/// Two nodes with a secure channel between them.
pub(crate) fn step_03(target: &str, arbiters: usize) -> Tunnel {
    let outlet = listening_outlet("03-outlet", target, arbiters);
    let inlet = start("03-inlet", &["127.0.0.1:0"], arbiters);
    Tunnel { inlet: inlet_address(&inlet), programs: vec![outlet, inlet] }
}

/// Two nodes with a hub between them, and a secure channel from end to end.
pub(crate) fn step_04(target: &str, arbiters: usize) -> Tunnel {
    let hub = hub(arbiters);
    let (outlet, forwarding_address) = forwarded_outlet(target, arbiters);
    let inlet = start("04-inlet", &["127.0.0.1:0", &forwarding_address], arbiters);
    Tunnel { inlet: inlet_address(&inlet), programs: vec![hub, outlet, inlet] }
}

/// An outlet program of step 02 or 03, which listens.
pub(crate) fn listening_outlet(name: &str, target: &str, arbiters: usize) -> Program {
    let outlet = start(name, &[target], arbiters);
    outlet.wait_for_line("listening for nodes on 127.0.0.1:4000");
    outlet
}

/// Step 04's hub, which listens.
pub(crate) fn hub(arbiters: usize) -> Program {
    let hub = start("hub", &["127.0.0.1:4000"], arbiters);
    hub.wait_for_line("hub on 127.0.0.1:4000");
    hub
}

/// Step 04's outlet, and its forwarding address.
pub(crate) fn forwarded_outlet(target: &str, arbiters: usize) -> (Program, String) {
    let outlet = start("04-outlet", &[target], arbiters);
    let address = forwarding_address(&outlet);
    (outlet, address)
}

/// The forwarding address that an outlet of step 04 prints.
pub(crate) fn forwarding_address(outlet: &Program) -> String {
    outlet.wait_for_line("Forwarding address in Hub is:");
    let address = outlet.wait_for_line(".I");
    let parts: Vec<_> = address.split('.').map(|part| (part.chars().next(), part.len())).collect();
    let expected = [(Some('F'), 33), (Some('I'), 65), (Some('S'), 65)];
    assert_eq!(parts, expected, "{outlet}");
    address
}

/// An example with its arguments.
pub(crate) fn start(name: &str, arguments: &[&str], arbiters: usize) -> Program {
    let mut command = example(name);
    Program::start(command.args(arguments).env("OCKAM_ARBITERS", arbiters.to_string()))
}

/// Where an inlet listens, as its log says.
pub(crate) fn inlet_address(inlet: &Program) -> SocketAddr {
    inlet.wait_for_address("inlet on ")
}
