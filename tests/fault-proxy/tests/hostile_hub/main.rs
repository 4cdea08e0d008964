//! A hostile hub: streams through a secure channel across a proxy that drops, repeats, injects,
//! reorders, alters, delays and cuts frames.
//!
//! ```text
//! client - inlet node - proxy - outlet node - target
//! client - inlet node - proxy - hub - outlet node - target
//! ```
//!
//! Whatever happens, an application gets a prefix of what was sent, and then either the rest and an
//! end, or a reset. Once the faults stop, the same inlet works again.
//!
//! Each kind of fault runs for each carrier and each of the two topologies, `OCKAM_FAULTS` times or
//! 10 times over TCP and twice over each other carrier; `OCKAM_FAULTS_SEED` repeats a run, and
//! `OCKAM_FAULTS_OVER=wss` runs them over one carrier. Over TCP and Unix sockets a fault hits a
//! frame, as if a hub did it; in WebSockets and TLS it hits a chunk of bytes, and in QUIC a
//! datagram, as if the network did it.

// Clippy knows tests by their attribute, but not the functions that help them.
#![allow(clippy::unwrap_used)]

#[path = "../../../carriers/carrier.rs"]
mod carrier;
#[path = "../../../interop/node.rs"]
mod node;
mod nodes;
mod stream;

use std::{
    env, thread,
    time::{Duration, Instant},
};

use carrier::{Carrier, Files};
use fault_proxy::{Fault, Line, Outcome, Proxy};
use futures::{stream::iter, StreamExt};
use nodes::{Nodes, Topology};
use stream::{converse, Target};

/// For one run with its recovery: a stream that is given up, and others until one passes.
const DEADLINE: Duration = Duration::from_secs(300);

/// Runs at the same time: they mostly wait. `OCKAM_FAULTS_AT_ONCE` sets another number.
const AT_ONCE: u64 = 10;

/// The default seed, fixed so that a failure can be repeated.
const SEED: u64 = 0x0bad_cafe;

fn number(variable: &str, default: u64) -> u64 {
    let text = env::var(variable);
    text.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{variable}={text}")))
}

/// The outcomes of the runs of one fault.
#[derive(Debug, Default)]
struct Tally {
    whole: usize,
    cut: usize,
    faults: usize,
}

/// Runs one kind of fault many times over each carrier and on both topologies, which all wait most
/// of the time, so that they do it together.
fn suffer(fault: Fault) {
    let mut logger = env_logger::Builder::from_env("RUST_LOG");
    let _ = logger.format_timestamp_millis().is_test(true).try_init();
    let over = env::var("OCKAM_FAULTS_OVER").ok();
    let is_chosen = |carrier: &Carrier| {
        over.as_ref().is_none_or(|over| format!("{carrier:?}").eq_ignore_ascii_case(over))
    };
    thread::scope(|scope| {
        for carrier in Carrier::ALL.into_iter().filter(is_chosen) {
            for topology in [Topology::Direct, Topology::ThroughHub] {
                scope.spawn(move || suffer_over(carrier, topology, fault));
            }
        }
    });
}

fn suffer_over(carrier: Carrier, topology: Topology, fault: Fault) {
    let default = if carrier == Carrier::Tcp { 10 } else { 2 };
    let (count, seed) = (number("OCKAM_FAULTS", default), number("OCKAM_FAULTS_SEED", SEED));
    let at_once = usize::try_from(number("OCKAM_FAULTS_AT_ONCE", AT_ONCE)).unwrap();
    let begun = Instant::now();
    let tally = actix_rt::System::new().block_on(async {
        let (target, files) = (Target::start().await, Files::new());
        let nodes = Nodes::start(topology, carrier, &files, &target).await;
        let run = |run| one(&nodes, &files, &target, fault, seed + run);
        let mut runs = iter((0..count).map(run)).buffer_unordered(at_once);
        let mut tally = Tally::default();
        while let Some(run) = runs.next().await {
            tally.whole += run.whole;
            tally.cut += run.cut;
            tally.faults += run.faults;
        }
        drop(runs);
        let wrong = target.wrong_seeds();
        assert!(wrong.is_empty(), "{fault}, {carrier:?}: first bytes were altered: {wrong:x?}");
        if fault.is_harmless(&nodes.line()) {
            assert_eq!(tally.cut, 0, "{fault}: {tally:?}");
        }
        nodes.stop().await;
        tally
    });
    println!(
        "{fault} {carrier:?} {topology:?}: {count} runs from seed {seed}, {} faults, \
         {} directions whole and {} cut, 0 violations, {:.1} s",
        tally.faults,
        tally.whole,
        tally.cut,
        begun.elapsed().as_secs_f32()
    );
}

async fn one(nodes: &Nodes, files: &Files, target: &Target, fault: Fault, seed: u64) -> Tally {
    let line = nodes.line();
    let what = format!("{fault}, {line:?}, seed {seed}");
    let listen = match line {
        Line::Unix(_) => files.path(&seed.to_string()).display().to_string(),
        _ => "127.0.0.1:0".to_owned(),
    };
    let run = async {
        let proxy = Proxy::start(&listen, line, fault, seed).await.unwrap();
        let entrance = nodes.enter(proxy.address()).await;
        let mut tally = Tally::default();
        for direction in converse(entrance.address(), target, seed).await {
            match direction {
                Ok(Outcome::Whole) => tally.whole += 1,
                Ok(Outcome::Cut) => tally.cut += 1,
                Err(violation) => panic!("{what}: {violation}\n{}", proxy.log()),
            }
        }
        tally.faults = proxy.faults();
        proxy.calm();
        entrance.works_again(target, seed).await;
        entrance.stop();
        tally
    };
    match tokio::time::timeout(DEADLINE, run).await {
        Ok(tally) => tally,
        Err(_) => panic!("{what}: not over after {DEADLINE:?}"),
    }
}

#[test]
fn dropped_frames() {
    suffer(Fault::Drop);
}

#[test]
fn duplicated_frames() {
    suffer(Fault::Duplicate);
}

#[test]
fn injected_frames() {
    suffer(Fault::Inject);
}

#[test]
fn reordered_frames() {
    suffer(Fault::Reorder);
}

#[test]
fn flipped_bits() {
    suffer(Fault::Flip);
}

#[test]
fn delayed_frames() {
    suffer(Fault::Delay);
}

#[test]
fn sliced_frames() {
    suffer(Fault::Slice);
}

#[test]
fn truncated_connections() {
    suffer(Fault::Truncate);
}

#[test]
fn reset_connections() {
    suffer(Fault::Reset);
}

#[test]
fn stalled_connections() {
    suffer(Fault::Stall);
}
