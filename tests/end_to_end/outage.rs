//! Programs that are killed and started again, and targets that are not there: open streams are
//! reset at once, new clients wait a few seconds, and nothing has to be done but start the program
//! again.

use std::{
    io::{ErrorKind, Write},
    net::{SocketAddr, TcpListener},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use ockam_actix_harness::{
    client::{connect, download_within, fetch, read_pattern, Ended},
    deadline::{poll, PATIENCE},
    network::in_own_network,
    pattern::Pattern,
    target::{Target, PAGE},
};

use crate::tunnel::{
    forwarded_outlet, forwarding_address, hub, inlet_address, listening_outlet, start, step_01,
    step_02, step_03, step_04, Step, Tunnel,
};

/// Until a client is reset because there is no route, and until a restored route is used.
const MOMENT: Duration = Duration::from_secs(5);

/// Until a client is reset because the target is not there.
const SHORT_MOMENT: Duration = Duration::from_secs(2);

/// A client in the middle of an endless download.
struct Streaming(JoinHandle<Ended>);

impl Streaming {
    /// Returns when the first megabyte has arrived.
    fn begin(inlet: SocketAddr) -> Self {
        let (flowing, flows) = mpsc::channel();
        let client = thread::spawn(move || {
            let mut client = connect(inlet, MOMENT).unwrap();
            writeln!(client, "SEND {} 7", u64::MAX).unwrap();
            read_pattern(client, u64::MAX, &Pattern::new(7), |taken| {
                if taken > 1_000_000 {
                    // Nobody listens after the first time.
                    let _ = flowing.send(());
                }
            })
        });
        flows.recv_timeout(PATIENCE).expect("a download begins");
        Self(client)
    }

    /// It must end, with a reset, and all that came before must be right.
    fn ends_with_a_reset(self) {
        let ended = self.0.join().unwrap();
        assert!(matches!(ended, Ended::Reset { after: 1_000_000.. }), "{ended}");
    }
}

/// A client whose stream is quiet, with both ends open.
struct Quiet(std::net::TcpStream);

impl Quiet {
    fn begin(inlet: SocketAddr) -> Self {
        use std::io::Read;
        let mut client = connect(inlet, MOMENT).unwrap();
        writeln!(client, "HOLD 1000 8").unwrap();
        let mut arrived = [0; 1000];
        client.read_exact(&mut arrived).unwrap();
        assert_eq!(Pattern::new(8).check(0, &arrived), Ok(()));
        Self(client)
    }

    fn ends_with_a_reset(self) {
        let ended = read_pattern(self.0, 1000, &Pattern::new(8), |_| {});
        assert_eq!(ended, Ended::Reset { after: 0 });
    }
}

/// The connections of a target's open streams must be reset as well.
fn target_is_reset(target: &Target, streams: usize) {
    for _ in 0..streams {
        let end = target.next_end();
        assert!(matches!(end, Err(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)), "{end:?}");
    }
}

/// No client is left hanging while there is no route.
fn clients_are_rejected(inlet: SocketAddr) {
    let ended = download_within(inlet, 1000, 9, MOMENT);
    assert!(matches!(ended, Ended::Reset { after: 0 } | Ended::Refused), "{ended}");
}

/// Clients that come while there is no route wait for it a while.
fn clients_are_patient(inlet: SocketAddr, restore: impl FnOnce()) {
    thread::scope(|scope| {
        let clients = [(); 3].map(|()| scope.spawn(|| a_page_comes(inlet)));
        restore();
        clients.into_iter().for_each(|client| client.join().unwrap());
    });
}

fn a_page_comes(inlet: SocketAddr) {
    assert_eq!(fetch(inlet, "/"), Ok(PAGE.into()));
}

fn a_page_comes_again(inlet: SocketAddr) {
    let page = poll("a page after a restart", MOMENT, || fetch(inlet, "/"));
    assert_eq!(page, PAGE);
}

/// Kills one of a tunnel's programs while streams are open.
fn kill(tunnel: &mut Tunnel, index: usize, target: &Target) {
    a_page_comes(tunnel.inlet);
    assert_eq!(target.next_end(), Ok(0));
    let (streaming, quiet) = (Streaming::begin(tunnel.inlet), Quiet::begin(tunnel.inlet));
    tunnel.programs[index].kill();
    streaming.ends_with_a_reset();
    quiet.ends_with_a_reset();
    target_is_reset(target, 2);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| clients_are_rejected(tunnel.inlet));
        }
    });
}

fn outlet_is_killed(step: Step, name: &str) {
    let target = Target::start();
    let mut tunnel = step(&target.address(), 2);
    for _ in 0..2 {
        kill(&mut tunnel, 0, &target);
        tunnel.programs[0] = listening_outlet(name, &target.address(), 2);
        a_page_comes_again(tunnel.inlet);
        assert_eq!(target.next_end(), Ok(0));
    }
}

fn inlet_is_killed(step: Step, name: &str, more: impl Fn(&Tunnel) -> Vec<String>) {
    let target = Target::start();
    let mut tunnel = step(&target.address(), 2);
    let last = tunnel.programs.len() - 1;
    let mut arguments = vec![tunnel.inlet.to_string()];
    arguments.extend(more(&tunnel));
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    for _ in 0..2 {
        kill(&mut tunnel, last, &target);
        tunnel.programs[last] = start(name, &arguments, 2);
        tunnel.programs[last].wait_for_line("inlet on ");
        a_page_comes_again(tunnel.inlet);
        assert_eq!(target.next_end(), Ok(0));
    }
}

fn clients_wait_for_a_restarted_outlet(step: Step, name: &str) {
    let target = Target::start();
    let mut tunnel = step(&target.address(), 2);
    a_page_comes(tunnel.inlet);
    let quiet = Quiet::begin(tunnel.inlet);
    tunnel.programs[0].kill();
    // From now on the inlet knows.
    quiet.ends_with_a_reset();
    clients_are_patient(tunnel.inlet, || {
        tunnel.programs[0] = listening_outlet(name, &target.address(), 2);
    });
}

#[test]
fn clients_of_step_02_wait_for_the_path() {
    in_own_network(|| clients_wait_for_a_restarted_outlet(step_02, "02-outlet"));
}

#[test]
fn clients_of_step_03_wait_for_the_path() {
    in_own_network(|| clients_wait_for_a_restarted_outlet(step_03, "03-outlet"));
}

#[test]
fn step_02_survives_a_restart_of_its_outlet() {
    in_own_network(|| outlet_is_killed(step_02, "02-outlet"));
}

#[test]
fn step_03_survives_a_restart_of_its_outlet() {
    in_own_network(|| outlet_is_killed(step_03, "03-outlet"));
}

#[test]
fn step_02_survives_a_restart_of_its_inlet() {
    in_own_network(|| inlet_is_killed(step_02, "02-inlet", |_| vec![]));
}

#[test]
fn step_03_survives_a_restart_of_its_inlet() {
    in_own_network(|| inlet_is_killed(step_03, "03-inlet", |_| vec![]));
}

#[test]
fn step_04_survives_a_restart_of_its_inlet() {
    in_own_network(|| {
        inlet_is_killed(step_04, "04-inlet", |tunnel| vec![forwarding_address(&tunnel.programs[1])])
    });
}

#[test]
fn forwarding_address_survives_a_restart_of_the_hub() {
    in_own_network(|| {
        let target = Target::start();
        let mut tunnel = step_04(&target.address(), 2);
        let address = forwarding_address(&tunnel.programs[1]);
        for _ in 0..2 {
            kill(&mut tunnel, 0, &target);
            let before = tunnel.programs[1].line_count();
            tunnel.programs[0] = hub(2);
            tunnel.programs[1].wait_for_line_after(before, "at the same address", PATIENCE);
            a_page_comes_again(tunnel.inlet);
            assert_eq!(target.next_end(), Ok(0));
        }
        // A new inlet gets through at this address, too.
        let inlet = start("04-inlet", &["127.0.0.1:0", &address], 2);
        a_page_comes_again(inlet_address(&inlet));
    });
}

#[test]
fn restarted_step_04_outlet_is_another_one() {
    in_own_network(|| {
        let target = Target::start();
        let mut tunnel = step_04(&target.address(), 2);
        let old = forwarding_address(&tunnel.programs[1]);
        let before = tunnel.programs[2].line_count();
        kill(&mut tunnel, 1, &target);
        let (outlet, new) = forwarded_outlet(&target.address(), 2);
        assert_ne!(old, new);
        clients_are_rejected(tunnel.inlet);
        let parts: Vec<_> = old.split('.').collect();
        let (forwarder, identity, secret) = (parts[0], parts[1], parts[2]);
        let said = tunnel.programs[2].wait_for_line_after(before, "no secure channel", MOMENT);
        assert!(said.contains(forwarder), "{said}");
        assert!(said.contains(&format!("pinned to {identity}")), "{said}");
        assert!(!said.contains(secret), "{said}");
        let inlet = start("04-inlet", &["127.0.0.1:0", &new], 2);
        a_page_comes_again(inlet_address(&inlet));
        // The old address never leads to the new identity.
        clients_are_rejected(tunnel.inlet);
        drop(outlet);
    });
}

/// A target that cannot be connected to: the client is reset, and one line says why.
fn target_is_missing(step: Step, target: &str, reason: &str) {
    let mut tunnel = step(target, 2);
    let begun = Instant::now();
    assert_eq!(download_within(tunnel.inlet, 1, 1, SHORT_MOMENT), Ended::Reset { after: 0 });
    assert!(begun.elapsed() < SHORT_MOMENT, "{:?}", begun.elapsed());
    let about = format!("cannot connect to the target {target}: ");
    let (inlet, others) = tunnel.programs.split_last_mut().unwrap();
    inlet.wait_for_line("reset the client 127.0.0.1:");
    // The outlet was started just before the inlet, or is the same program.
    let outlet = others.last_mut().unwrap_or(inlet);
    let line = outlet.wait_for_line(&about);
    assert!(line.contains(reason), "{line}");
    // There is no second such line when everything has been written.
    outlet.kill();
    outlet.wait_for_exit(PATIENCE);
    let count = outlet.stderr().into_iter().filter(|line| line.contains(&about)).count();
    assert_eq!(count, 1, "{outlet}");
}

#[test]
fn refusing_target_is_named_and_resets_the_client() {
    in_own_network(|| {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        for step in [step_01, step_02, step_03, step_04] {
            target_is_missing(step, &gone, "refused");
        }
    });
}

#[test]
fn unknown_target_is_named_and_resets_the_client() {
    // Without a network no name server is asked, so the answer comes at once.
    in_own_network(|| {
        for step in [step_01, step_02, step_03, step_04] {
            target_is_missing(step, "no-such-host.invalid:5000", "lookup");
        }
    });
}
