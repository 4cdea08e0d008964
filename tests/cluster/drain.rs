//! Hubs that stop: their peers move to others, and no stream is cut.

use std::{
    fs,
    time::{Duration, Instant},
};

use ockam_actix_harness::{
    client::connect,
    deadline::PATIENCE,
    installed::installed,
    islands::Islands,
    lasting::Lasting,
    network::in_own_network,
    program::{clean, Program},
    target::Target,
};

use crate::{behind_hub, echoes, inlet, nats, ockam, outlet, outlet_to, signal, HUBS, NATS};

/// Stops a hub as `systemctl` does, and waits for its end; returns when it was told.
fn drain(hub: &mut Program) -> Instant {
    let told = Instant::now();
    hub.terminate();
    assert!(hub.wait_for_exit(PATIENCE).success());
    told
}

#[test]
fn a_drained_hub_costs_no_stream() {
    in_own_network(|| {
        let plain = |address: &str| {
            let hub = ockam(&["hub", address]);
            hub.wait_for_line("hub on ");
            hub
        };
        let (first, list) = (HUBS[0], HUBS[..2].join(","));
        let mut hubs = [plain(first), plain(HUBS[1])];
        let target = Target::start();
        let (outlet, behind) = outlet_to(&target.address(), &list);
        let (_near, address) = inlet(&list, &behind);
        let lasting = Lasting::begin(address, PATIENCE).unwrap();
        let mut moments = Vec::new();
        for at in [0, 1] {
            let before = outlet.line_count();
            moments.push(drain(&mut hubs[at]));
            lasting.moves_after(Instant::now(), PATIENCE).unwrap();
            hubs[at] = plain(HUBS[at]);
            outlet.wait_for_line_after(before, "forwards here again", PATIENCE);
        }
        let stalls = lasting.stalls(&moments);
        println!("the echo stalled {stalls:.2?}");
        println!("{:?}", lasting.end().unwrap());
        assert_eq!(target.accepted(), Lasting::CONNECTIONS, "none was opened again");
        assert!(stalls.iter().all(|stall| *stall < Duration::from_secs(1)), "{stalls:.2?}");
    });
}

#[test]
fn a_lone_hub_ends_at_once() {
    in_own_network(|| {
        let mut hub = ockam(&["hub", HUBS[0]]);
        hub.wait_for_line("hub on ");
        let (_outlet, behind) = outlet(HUBS[0]);
        let (_near, address) = inlet(HUBS[0], &behind);
        echoes(&mut connect(address, PATIENCE).unwrap());
        let told = drain(&mut hub);
        assert!(told.elapsed() < Duration::from_secs(3), "{:?}", told.elapsed());
    });
}

/// A tunnel from an outlet at two hubs, whose inlet lists both, and what goes through it.
struct Tunnel {
    target: Target,
    outlet: Program,
    _inlet: Program,
    lasting: Lasting,
}

impl Tunnel {
    fn start(more: &[&str]) -> Self {
        let (target, list) = (Target::start(), HUBS[..2].join(","));
        let line = ["outlet", "--to", &target.address(), "--via", &list];
        let outlet = ockam(&[&line[..], more].concat());
        let behind = behind_hub(&outlet);
        let (inlet, address) = inlet(&list, &behind);
        let lasting = Lasting::begin(address, PATIENCE).unwrap();
        Self { target, outlet, _inlet: inlet, lasting }
    }

    /// Has something stop while the connections go on; returns how long the echo stalled.
    fn outlives(&self, what: impl FnOnce()) -> Duration {
        let begun = Instant::now();
        what();
        self.lasting.moves_after(Instant::now(), PATIENCE).unwrap();
        self.lasting.stalls(&[begun])[0]
    }

    fn end(self) {
        println!("{:?}", self.lasting.end().unwrap());
        assert_eq!(self.target.accepted(), Lasting::CONNECTIONS, "none was opened again");
    }
}

#[test]
fn outlets_move_with_their_channel_to_hubs() {
    in_own_network(|| {
        let Some(_server) = nats() else { return };
        let strict = |address: &str| {
            let line = ["hub", address, "--require-channel", "--cluster", NATS];
            let hub = ockam(&[&line[..], &["--advertise", address]].concat());
            hub.wait_for_line("hub on ");
            hub.wait_for_line("connected to NATS");
            hub
        };
        let mut hubs = [strict(HUBS[0]), strict(HUBS[1])];
        let tunnel = Tunnel::start(&["--hub-channel"]);
        for at in [0, 1, 0, 1] {
            let stall = tunnel.outlives(|| {
                drain(&mut hubs[at]);
            });
            println!("the echo stalled {stall:.2?}");
            assert!(stall < Duration::from_secs(2), "{stall:?} {}", tunnel.outlet);
            hubs[at] = strict(HUBS[at]);
            // Who came to the other hub first stays there.
            tunnel.outlives(|| ());
        }
        tunnel.end();
    });
}

#[test]
fn inlets_prefer_the_hub_that_has_the_outlet() {
    in_own_network(|| {
        let hubs = [HUBS[0], HUBS[1]].map(|address| {
            let hub = ockam(&["hub", address, "--require-channel"]);
            hub.wait_for_line("hub on ");
            (address, hub)
        });
        let (target, list) = (Target::start(), HUBS[..2].join(","));
        // Each has an identity of its own, which prefers one of the two.
        for _ in 0..6 {
            let line = ["outlet", "--to", &target.address(), "--via", &list, "--hub-channel"];
            let outlet = ockam(&line);
            let route = outlet.wait_for_rest("--route 'tcp#");
            let (_, hub) = hubs.iter().find(|(address, _)| route.starts_with(address)).unwrap();
            let (_, behind) = route.split_once(" => ").unwrap();
            hub.wait_for_line(&format!("registered {}", &behind[..9]));
        }
    });
}

#[test]
fn hubs_of_a_file_are_drained_too() {
    in_own_network(|| {
        let folder = tempfile::tempdir().unwrap();
        let write = |number: usize, sections: &[&str]| {
            let file = folder.path().join(format!("{number}.toml"));
            let section = |at: &&str| format!("[[hub]]\nlisten = [\"{at}\"]\n");
            fs::write(&file, sections.iter().map(section).collect::<String>()).unwrap();
            file.display().to_string()
        };
        let start = |number: usize, sections: &[&str]| {
            let program = ockam(&["run", &write(number, sections)]);
            sections.iter().for_each(|_| drop(program.wait_for_line("hub on ")));
            program
        };
        let mut programs = [start(0, &HUBS[..1]), start(1, &[HUBS[1], HUBS[2]])];
        let tunnel = Tunnel::start(&[]);
        let comes_back = |before| {
            tunnel.outlet.wait_for_line_after(before, "forwards here again", PATIENCE);
        };
        // The whole process.
        let before = tunnel.outlet.line_count();
        let stall = tunnel.outlives(|| {
            drain(&mut programs[0]);
        });
        assert!(stall < Duration::from_secs(1), "{stall:?}");
        programs[0] = start(0, &HUBS[..1]);
        comes_back(before);
        // One section, twice: without it, and with it again.
        for sections in [&HUBS[2..], &HUBS[1..]] {
            let (before, lines) = (tunnel.outlet.line_count(), programs[1].line_count());
            write(1, sections);
            let stall = tunnel.outlives(|| {
                signal("HUP", &programs[1].id().to_string());
                let said = if sections.len() == 1 { "stops" } else { "hub on " };
                programs[1].wait_for_line_after(lines, said, PATIENCE);
            });
            assert!(stall < Duration::from_secs(1), "{stall:?}");
            if sections.len() == 2 {
                comes_back(before);
            }
        }
        tunnel.end();
    });
}

/// A machine of the cluster: a NATS server and a hub on an island.
struct Machine<'a> {
    islands: &'a Islands,
    number: u8,
    nats: Program,
    hub: Option<Program>,
}

const MACHINES: u8 = 3;

impl<'a> Machine<'a> {
    fn start(islands: &'a Islands, number: u8) -> Self {
        let nats = Self::nats(islands, number);
        let mut machine = Self { islands, number, nats, hub: None };
        machine.start_hub();
        machine
    }

    fn nats(islands: &Islands, number: u8) -> Program {
        let own = Islands::address(number).to_string();
        let all: Vec<_> = (0..MACHINES).map(|number| nats_of(number, 6222)).collect();
        let mut server = clean(installed("nats-server").unwrap());
        server.args(["-a", &own, "-p", "4222", "--cluster_name", "test"]);
        server.args(["--cluster", &nats_of(number, 6222), "--routes", &all.join(",")]);
        let server = Program::start(&mut islands.inside(number, &server));
        server.wait_for_line("Server is ready");
        server
    }

    fn start_hub(&mut self) {
        let own = hub_of(self.number);
        let all: Vec<_> = (0..MACHINES).map(|number| nats_of(number, 4222)).collect();
        let mut hub = clean(env!("CARGO_BIN_EXE_ockam"));
        hub.args(["hub", &own, "--cluster", &all.join(","), "--advertise", &own]);
        let hub = Program::start(&mut self.islands.inside(self.number, &hub));
        hub.wait_for_line("hub on ");
        hub.wait_for_line("connected to NATS");
        self.hub = Some(hub);
    }
}

fn nats_of(number: u8, port: u16) -> String {
    format!("nats://{}:{port}", Islands::address(number))
}

fn hub_of(number: u8) -> String {
    format!("{}:4000", Islands::address(number))
}

#[test]
fn a_rolling_restart_resets_nothing() {
    in_own_network(|| {
        if let Err(missing) = installed("nats-server") {
            return println!("skipped: {missing:?}");
        }
        let islands = match Islands::new(MACHINES) {
            Ok(islands) => islands,
            Err(missing) => return println!("skipped: no networks for three hubs: {missing}"),
        };
        let mut machines: Vec<_> =
            (0..MACHINES).map(|number| Machine::start(&islands, number)).collect();
        let list = (0..MACHINES).map(hub_of).collect::<Vec<_>>().join(",");
        let target = Target::start();
        let (outlet, behind) = outlet_to(&target.address(), &list);
        let (_near, address) = inlet(&list, &behind);
        let lasting = Lasting::begin(address, PATIENCE).unwrap();
        let mut moments = Vec::new();
        for machine in &mut machines {
            let before = outlet.line_count();
            moments.push(drain(machine.hub.as_mut().unwrap()));
            machine.start_hub();
            outlet.wait_for_line_after(before, "forwards here again", PATIENCE);
            lasting.moves_after(Instant::now(), PATIENCE).unwrap();
        }
        moments.push(Instant::now());
        machines[0].nats.kill();
        lasting.moves_after(Instant::now(), PATIENCE).unwrap();
        machines[0].nats = Machine::nats(&islands, 0);
        moments.push(Instant::now());
        let before = outlet.line_count();
        islands.cut(0);
        outlet.wait_for_line_after(before, "was lost", PATIENCE);
        lasting.moves_after(Instant::now(), PATIENCE).unwrap();
        islands.mend(0);
        println!("the echo stalled {:.2?}", lasting.stalls(&moments));
        println!("{:?}", lasting.end().unwrap());
        assert_eq!(target.accepted(), Lasting::CONNECTIONS, "none was opened again");
    });
}
