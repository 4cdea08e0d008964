//! A line between two networks that is down for a while, so that packets vanish, and a machine that
//! gets another address: open connections go on afterwards.

// No arbiter runs in the threads that sleep here.
#![allow(clippy::disallowed_methods)]

use std::{net::SocketAddr, thread, time::Duration};

use ockam_actix_harness::{
    client::fetch,
    deadline::{poll, PATIENCE},
    network::in_own_network,
    program::{example, Program},
    target::{Target, PAGE},
    wan::Wan,
};

use crate::{survival::Trial, tunnel::forwarding_address};

/// Until a new connection works once the line is back.
const NEW_WITHIN: Duration = Duration::from_secs(2);

/// Until open ones go on then.
const OPEN_WITHIN: Duration = Duration::from_secs(3);

/// The same after a change that only silence tells of, which is noticed within 4.5 s.
const NOTICED_WITHIN: Duration = Duration::from_secs(6);

/// Step 04 with its inlet at the far end of a line.
struct FarInlet {
    inlet: SocketAddr,
    _programs: [Program; 3],
}

impl FarInlet {
    fn start(wan: &Wan, target: &str) -> Self {
        let hub_address = format!("{}:4000", Wan::NEAR);
        let start = |name, arguments: &[&str], far| {
            let mut command = example(name);
            command.args(arguments).env("OCKAM_HUB", &hub_address).env("OCKAM_ARBITERS", "2");
            Program::start(&mut if far { wan.far(&command) } else { command })
        };
        let hub = start("hub", &[&hub_address], false);
        hub.wait_for_line("hub on ");
        let outlet = start("04-outlet", &[target], false);
        let listen = format!("{}:4001", Wan::FAR_LAN);
        let inlet = start("04-inlet", &[&listen, &forwarding_address(&outlet)], true);
        let address = inlet.wait_for_address("inlet on ");
        Self { inlet: address, _programs: [hub, outlet, inlet] }
    }
}

/// Runs a test where lines can be made, if they can.
fn with_line(test: impl FnOnce(&Wan)) {
    match Wan::new() {
        Ok(wan) => test(&wan),
        Err(why) => println!("skipped: {why}"),
    }
}

/// The line is down for so long.
fn line_is_down(wan: &Wan, away: Duration) {
    let target = Target::start();
    let tunnel = FarInlet::start(wan, &target.address());
    let mut trial = Trial::begin(target, tunnel.inlet, away + PATIENCE);
    trial.outlives(PATIENCE, || {
        wan.cut();
        thread::sleep(away);
        wan.mend();
    });
    let stalls = trial.end();
    assert!(stalls[0] >= away, "the line was cut: {stalls:?}");
    assert!(stalls[0] <= away + OPEN_WITHIN, "{stalls:?}");
}

/// New connections work soon after the line is back.
fn new_ones_work(wan: &Wan, away: Duration) {
    let target = Target::start();
    let tunnel = FarInlet::start(wan, &target.address());
    assert_eq!(fetch(tunnel.inlet, "/"), Ok(PAGE.into()));
    wan.cut();
    thread::sleep(away);
    wan.mend();
    let page = poll("a page over the line", NEW_WITHIN, || fetch(tunnel.inlet, "/"));
    assert_eq!(page, PAGE);
}

fn another_address(wan: &Wan) {
    let target = Target::start();
    let tunnel = FarInlet::start(wan, &target.address());
    let mut trial = Trial::begin(target, tunnel.inlet, 2 * PATIENCE);
    for _ in 0..2 {
        trial.outlives(PATIENCE, || wan.move_far_end());
    }
    let stalls = trial.end();
    assert!(stalls[1] <= NOTICED_WITHIN, "{stalls:?}");
}

#[test]
fn a_line_is_down_for_3_s() {
    in_own_network(|| with_line(|wan| line_is_down(wan, Duration::from_secs(3))));
}

#[test]
fn a_line_is_down_for_20_s() {
    in_own_network(|| with_line(|wan| line_is_down(wan, Duration::from_secs(20))));
}

#[test]
#[ignore = "takes more than a minute: cargo test --test end_to_end -- --ignored lost_line"]
fn a_line_is_down_for_50_s() {
    in_own_network(|| with_line(|wan| line_is_down(wan, Duration::from_secs(50))));
}

#[test]
fn new_connections_work_soon_after_20_s() {
    in_own_network(|| with_line(|wan| new_ones_work(wan, Duration::from_secs(20))));
}

#[test]
fn a_machine_gets_another_address() {
    in_own_network(|| with_line(another_address));
}
