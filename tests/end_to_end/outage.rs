//! Programs that are killed and started again, and targets that are not there: open streams go on
//! when only the hub was gone, and otherwise are reset as soon as it is known that they cannot; new
//! clients wait a few seconds, and nothing has to be done but start the program again.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        atomic::{AtomicU64, Ordering::Relaxed},
        Arc,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use ockam_actix_harness::{
    client::{connect, download_within, fetch, read_pattern, Ended},
    deadline::{poll, PATIENCE},
    network::in_own_network,
    pattern::Pattern,
    pauses::Pauses,
    target::{Target, PAGE},
    transfer::send,
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
struct Streaming {
    client: TcpStream,
    taken: Arc<AtomicU64>,
    thread: JoinHandle<(Ended, Instant)>,
}

impl Streaming {
    /// Returns when the first megabyte has arrived.
    fn begin(inlet: SocketAddr) -> Self {
        let mut client = connect(inlet, PATIENCE).unwrap();
        writeln!(client, "SEND {} 7", u64::MAX).unwrap();
        let (taken, reader) = (Arc::new(AtomicU64::new(0)), client.try_clone().unwrap());
        let counted = taken.clone();
        let thread = thread::spawn(move || {
            let count = |so_far| counted.store(so_far, Relaxed);
            (read_pattern(reader, u64::MAX, &Pattern::new(7), count), Instant::now())
        });
        let streaming = Self { client, taken, thread };
        streaming.wait_for_more();
        streaming
    }

    fn wait_for_more(&self) {
        let before = self.taken.load(Relaxed);
        let is_more = || match self.taken.load(Relaxed) {
            now if now > before + 1_000_000 => Ok(()),
            now => Err(format!("{now} bytes, after {before}")),
        };
        poll("another megabyte", PATIENCE, is_more);
    }

    /// Ends it as soon as it has gone on; all that came must be right.
    fn goes_on(self) {
        self.wait_for_more();
        assert!(!self.thread.is_finished());
        self.client.shutdown(Shutdown::Both).unwrap();
        let (ended, _) = self.thread.join().unwrap();
        // What still arrives after the shutdown may reset the connection.
        let is_own = matches!(
            ended,
            Ended::Short { after: 2_000_000.. } | Ended::Reset { after: 2_000_000.. }
        );
        assert!(is_own, "{ended}");
    }

    /// It must end with a reset, and all that came before must be right; returns when.
    fn ends_with_a_reset(self) -> Instant {
        let (ended, at) = self.thread.join().unwrap();
        assert!(matches!(ended, Ended::Reset { after: 1_000_000.. }), "{ended}");
        at
    }
}

/// A client whose stream is quiet, with both ends open.
struct Quiet(JoinHandle<(Ended, Instant)>, TcpStream);

impl Quiet {
    fn begin(inlet: SocketAddr) -> Self {
        let mut client = connect(inlet, PATIENCE).unwrap();
        writeln!(client, "HOLD 1000 8").unwrap();
        let mut arrived = [0; 1000];
        client.read_exact(&mut arrived).unwrap();
        assert_eq!(Pattern::new(8).check(0, &arrived), Ok(()));
        let reader = client.try_clone().unwrap();
        let read = || (read_pattern(reader, 0, &Pattern::new(8), |_| {}), Instant::now());
        Self(thread::spawn(read), client)
    }

    /// Still carries bytes to the target, and an end each way.
    fn goes_on(self, target: &Target) {
        send(&self.1, 1000, &Pattern::new(0)).unwrap();
        self.1.shutdown(Shutdown::Write).unwrap();
        assert_eq!(target.next_end(), Ok(1000));
        assert_eq!(self.0.join().unwrap().0, Ended::Whole);
    }

    /// Returns when.
    fn ends_with_a_reset(self) -> Instant {
        let (ended, at) = self.0.join().unwrap();
        assert_eq!(ended, Ended::Reset { after: 0 });
        at
    }
}

/// A client of either kind.
struct Open(Streaming, Quiet);

impl Open {
    /// Has them connected and kills one of a tunnel's programs; also returns when it did. The inlet
    /// knows then, if it is another one.
    fn through_killed(tunnel: &mut Tunnel, index: usize, target: &Target) -> (Self, Instant) {
        a_page_comes(tunnel.inlet);
        assert_eq!(target.next_end(), Ok(0));
        let open = Self(Streaming::begin(tunnel.inlet), Quiet::begin(tunnel.inlet));
        let (last, now) = (tunnel.programs.len() - 1, Instant::now());
        let before = tunnel.programs[last].line_count();
        tunnel.programs[index].kill();
        if index != last {
            tunnel.programs[last].wait_for_line_after(before, "was lost", MOMENT);
        }
        (open, now)
    }

    /// Both end with a reset, after this moment, and soon.
    fn are_reset_after(self, moment: Instant) {
        let ends = [self.0.ends_with_a_reset(), self.1.ends_with_a_reset()];
        let soon = moment..moment + MOMENT;
        let after = ends.map(|end| end.saturating_duration_since(moment));
        assert!(ends.iter().all(|end| soon.contains(end)), "{after:?} after it, or before");
    }

    /// Both have noticed nothing.
    fn go_on(self, target: &Target) {
        self.0.goes_on();
        target_is_reset(target, 1);
        self.1.goes_on(target);
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
    let ended = download_within(inlet, 1000, 9, PATIENCE);
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

fn clients_are_rejected_together(inlet: SocketAddr) {
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| clients_are_rejected(inlet));
        }
    });
}

/// Clients wait for the outlet, which knows nothing of their streams when it is back.
fn outlet_is_killed(step: Step, name: &str) {
    let target = Target::start();
    let mut tunnel = step(&target.address(), 2);
    for _ in 0..2 {
        let (open, _) = Open::through_killed(&mut tunnel, 0, &target);
        target_is_reset(&target, 2);
        clients_are_rejected_together(tunnel.inlet);
        let restarted = Instant::now();
        tunnel.programs[0] = listening_outlet(name, &target.address(), 2);
        open.are_reset_after(restarted);
        a_page_comes_again(tunnel.inlet);
        assert_eq!(target.next_end(), Ok(0));
    }
}

/// Clients are reset with their inlet; the target's ends wait for an inlet that does not come back.
fn inlet_is_killed(step: Step, name: &str, more: impl Fn(&Tunnel) -> Vec<String>) {
    let target = Target::start();
    let mut tunnel = step(&target.address(), 2);
    let last = tunnel.programs.len() - 1;
    let mut arguments = vec![tunnel.inlet.to_string()];
    arguments.extend(more(&tunnel));
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    for _ in 0..2 {
        let (open, killed) = Open::through_killed(&mut tunnel, last, &target);
        open.are_reset_after(killed);
        clients_are_rejected_together(tunnel.inlet);
        tunnel.programs[last] = start(name, &arguments, 2);
        tunnel.programs[last].wait_for_line("inlet on ");
        a_page_comes_again(tunnel.inlet);
        // No other end came before.
        assert_eq!(target.next_end(), Ok(0));
    }
}

fn clients_wait_for_a_restarted_outlet(step: Step, name: &str) {
    let target = Target::start();
    let mut tunnel = step(&target.address(), 2);
    a_page_comes(tunnel.inlet);
    let before = tunnel.programs[1].line_count();
    tunnel.programs[0].kill();
    tunnel.programs[1].wait_for_line_after(before, "was lost", MOMENT);
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
            let (open, _) = Open::through_killed(&mut tunnel, 0, &target);
            let before = tunnel.programs[1].line_count();
            clients_are_rejected_together(tunnel.inlet);
            tunnel.programs[0] = hub(2);
            tunnel.programs[1].wait_for_line_after(before, "at the same address", PATIENCE);
            open.go_on(&target);
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
        let (open, _) = Open::through_killed(&mut tunnel, 1, &target);
        target_is_reset(&target, 2);
        let (outlet, new) = forwarded_outlet(&target.address(), 2);
        assert_ne!(old, new);
        let parts: Vec<_> = old.split('.').collect();
        // As short as the log has them.
        let [forwarder, identity] = [0, 1].map(|part: usize| &parts[part][..9]);
        let said = tunnel.programs[2].wait_for_line_after(before, "no secure channel", MOMENT);
        assert!(said.contains(forwarder) && !said.contains(parts[2]), "{said}");
        let said = tunnel.programs[2].wait_for_line_after(before, "copy the new address", MOMENT);
        assert!(said.contains(identity), "{said}");
        clients_are_rejected(tunnel.inlet);
        let inlet = start("04-inlet", &["127.0.0.1:0", &new], 2);
        a_page_comes_again(inlet_address(&inlet));
        // The old address never leads to the new identity.
        clients_are_rejected(tunnel.inlet);
        // So the old streams still wait, and end with their inlet.
        let stopped = Instant::now();
        tunnel.programs[2].kill();
        open.are_reset_after(stopped);
        drop(outlet);
    });
}

/// A target that cannot be connected to: the client is reset, and one line says why.
fn target_is_missing(step: Step, target: &str, reason: &str) {
    let mut tunnel = step(target, 2);
    let (pauses, begun) = (Pauses::watch(), Instant::now());
    assert_eq!(download_within(tunnel.inlet, 1, 1, PATIENCE), Ended::Reset { after: 0 });
    let took = pauses.running(begun, Instant::now());
    assert!(took < SHORT_MOMENT, "{took:?}");
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
