//! What open connections do not notice: hubs that are killed, connections that are cut, and
//! programs that stand still. None is reset, and no byte is lost, doubled or wrong.

// No arbiter runs in the threads that sleep here.
#![allow(clippy::disallowed_methods)]

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use ockam_actix_harness::{
    deadline::PATIENCE,
    installed::installed,
    lasting::Lasting,
    network::{in_own_network, is_own},
    program::{clean, example, Program},
    target::Target,
};

use crate::{
    carrier::Carrier,
    over::Over,
    tunnel::{forwarding_address, hub, inlet_address, step_04, Tunnel},
};

/// How often hubs are killed.
const KILLS: usize = 4;

/// The same on each carrier.
const KILLS_ON_EACH: usize = 3;

/// How long what was begun goes on before the next kill.
const BETWEEN: Duration = Duration::from_millis(500);

/// What a stall may last, at the median and at most.
struct Stalls {
    median: Duration,
    most: Duration,
}

/// With one hub, which has to start again.
const ONE_HUB: Stalls =
    Stalls { median: Duration::from_millis(1500), most: Duration::from_secs(3) };

/// With another hub to go to.
const OTHER_HUB: Stalls = Stalls { median: Duration::from_secs(1), most: Duration::from_secs(2) };

/// Connections through a tunnel, and what was done to it.
pub(crate) struct Trial {
    target: Target,
    lasting: Lasting,
    events: Vec<Instant>,
}

impl Trial {
    /// Begins the connections; no longer than `patience` may any of them stand still.
    pub(crate) fn begin(target: Target, inlet: SocketAddr, patience: Duration) -> Self {
        let lasting = Lasting::begin(inlet, patience).unwrap();
        Self { target, lasting, events: Vec::new() }
    }

    /// Does something to the tunnel, and waits until all connections go on after it.
    pub(crate) fn outlives(&mut self, limit: Duration, event: impl FnOnce()) {
        thread::sleep(BETWEEN);
        self.events.push(Instant::now());
        event();
        self.lasting.moves_after(Instant::now(), limit).unwrap();
    }

    /// Ends the connections, which must be the same as at first; returns how long each event made
    /// the echo wait, the shortest first.
    pub(crate) fn end(self) -> Vec<Duration> {
        let mut stalls = self.lasting.stalls(&self.events);
        println!("the echo stalled {stalls:.2?}");
        println!("{:?}", self.lasting.end().unwrap());
        assert_eq!(self.target.accepted(), Lasting::CONNECTIONS, "none was opened again");
        stalls.sort();
        stalls
    }
}

impl Stalls {
    fn judge(&self, stalls: &[Duration]) {
        let (median, most) = (stalls[stalls.len() / 2], stalls[stalls.len() - 1]);
        assert!(median <= self.median && most <= self.most, "{stalls:.2?}");
    }
}

/// Kills a program, and starts it again at once.
fn restart(program: &mut Program, start: impl FnOnce() -> Program) {
    program.kill();
    *program = start();
}

#[test]
fn a_hub_is_killed_and_restarted() {
    in_own_network(|| {
        let target = Target::start();
        let Tunnel { inlet, mut programs } = step_04(&target.address(), 2);
        let mut trial = Trial::begin(target, inlet, PATIENCE);
        for _ in 0..KILLS {
            trial.outlives(PATIENCE, || restart(&mut programs[0], || hub(2)));
        }
        ONE_HUB.judge(&trial.end());
    });
}

#[test]
fn a_hub_on_each_carrier_is_killed() {
    in_own_network(|| {
        for over in Carrier::ALL.map(Over::new) {
            let target = Target::start();
            let Tunnel { inlet, mut programs } = over.step_04(&target.address());
            let mut trial = Trial::begin(target, inlet, PATIENCE);
            for _ in 0..KILLS_ON_EACH {
                trial.outlives(PATIENCE, || restart(&mut programs[0], || over.hub()));
            }
            ONE_HUB.judge(&trial.end());
        }
    });
}

/// An example with arguments, for these hubs.
fn with_hubs(name: &str, hubs: &str, arguments: &[&str]) -> Program {
    Program::start(example(name).args(arguments).env("OCKAM_HUB", hubs).env("OCKAM_ARBITERS", "2"))
}

fn hub_at(address: &str) -> Program {
    let hub = with_hubs("hub", "", &[address]);
    hub.wait_for_line("hub on ");
    hub
}

#[test]
fn two_hubs_are_killed_in_turn() {
    in_own_network(|| {
        let target = Target::start();
        let addresses = ["127.0.0.1:4000", "127.0.0.1:4001"];
        let list = addresses.join(",");
        let mut hubs = addresses.map(hub_at);
        let outlet = with_hubs("04-outlet", &list, &[&target.address()]);
        let to_outlet = forwarding_address(&outlet);
        let inlet = with_hubs("04-inlet", &list, &["127.0.0.1:0", &to_outlet]);
        let mut trial = Trial::begin(target, inlet_address(&inlet), PATIENCE);
        for number in 0..KILLS {
            let before = outlet.line_count();
            let index = number % 2;
            trial.outlives(PATIENCE, || hubs[index].kill());
            hubs[index] = hub_at(addresses[index]);
            outlet.wait_for_line_after(before, "at the same address", PATIENCE);
        }
        OTHER_HUB.judge(&trial.end());
    });
}

/// Cuts every connection that leads to `port`, at both ends; false if this system cannot.
fn cut_connections(port: u16) -> bool {
    let Ok(ss) = installed("ss") else { return false };
    let filter = format!("( dport = :{port} or sport = :{port} )");
    let output = clean(ss).args(["-KHtn", "state", "established", &filter]).output().unwrap();
    output.status.success() && !output.stdout.is_empty()
}

#[test]
fn a_connection_is_cut_in_the_middle() {
    in_own_network(|| {
        let target = Target::start();
        let tunnel = step_04(&target.address(), 2);
        if !is_own() || !cut_connections(4000) {
            return println!("skipped: ss -K cuts no connection here");
        }
        let mut trial = Trial::begin(target, tunnel.inlet, PATIENCE);
        for _ in 0..KILLS {
            trial.outlives(PATIENCE, || assert!(cut_connections(4000)));
        }
        OTHER_HUB.judge(&trial.end());
    });
}

/// A program of step 04 stands still for as long as a laptop that was closed for a while.
fn stands_still(index: usize, away: Duration) {
    let target = Target::start();
    let tunnel = step_04(&target.address(), 2);
    let mut trial = Trial::begin(target, tunnel.inlet, away + PATIENCE);
    trial.outlives(PATIENCE, || {
        tunnel.programs[index].stand_still();
        thread::sleep(away);
        tunnel.programs[index].go_on();
    });
    let stalls = trial.end();
    assert!((away..away + GOES_ON_WITHIN).contains(&stalls[0]), "{stalls:?}");
}

/// Longer than it takes until the others count it as gone.
const AWAY: Duration = Duration::from_secs(12);

const LONG_AWAY: Duration = Duration::from_secs(60);

/// Until connections go on once it does.
const GOES_ON_WITHIN: Duration = Duration::from_secs(3);

#[test]
fn an_inlet_stands_still() {
    in_own_network(|| stands_still(2, AWAY));
}

#[test]
fn a_hub_stands_still() {
    in_own_network(|| stands_still(0, AWAY));
}

#[test]
#[ignore = "takes more than a minute: cargo test --test end_to_end -- --ignored survival"]
fn an_inlet_stands_still_for_a_minute() {
    in_own_network(|| stands_still(2, LONG_AWAY));
}

#[test]
#[ignore = "takes more than a minute: cargo test --test end_to_end -- --ignored survival"]
fn a_hub_stands_still_for_a_minute() {
    in_own_network(|| stands_still(0, LONG_AWAY));
}
