//! `soak`: the guide's step 04 as four real programs under load, killed at random, every byte
//! checked.
//!
//! ```text
//! clients (this process) --> inlet --> hub --> outlet --> target (a child of this process)
//!                            \_____ [sealed] _____/
//! ```
//!
//! Three parts, each of which ends the run at the first violation ([`verdict`]): connections opened
//! and closed ([`churn`]), readers that stop ([`stall`]), and programs killed under load
//! ([`kills`]). What each stream must look like at both of its ends is defined in one place
//! ([`traffic`]).
//!
//! | file | idea |
//! |---|---|
//! | [`options`] | the command line |
//! | [`nodes`] | the four programs, killed and started again at the same addresses |
//! | [`exchange`], [`client`], [`target`] | what goes through a stream, and its two ends |
//! | [`traffic`], [`outages`], [`recovery`] | what a stream may look like, when it may break, and when all is well again |
//! | [`load`], [`held`] | clients that never rest, and clients that wait for a kill |
//! | [`rest`], [`slope`] | descriptors at rest, and how memory grows |
//! | [`churn`], [`stall`], [`kills`] | figures 10, 11 and 14; 13 is in all of them |
//! | [`hub_kills`], [`everyday`] | hubs killed under connections that must not notice |
//! | [`verdict`], [`report`] | what went wrong first, and the tables |
//!
//! Patterns, processes and their usage are the harness's (`ockam_actix_harness`).

// No arbiter runs in the threads that sleep here.
#![allow(clippy::disallowed_methods)]

mod churn;
mod client;
mod everyday;
mod exchange;
mod held;
mod hub_kills;
mod kills;
mod load;
mod nodes;
mod options;
mod outages;
mod recovery;
mod report;
mod rest;
mod slope;
mod stall;
mod target;
mod traffic;
mod verdict;

use exchange::Order;
use kills::Killer;
use load::Load;
use nodes::{Program, Tunnel};
use ockam_actix_harness::{machine, progress::Progress, random::Random, role};
use options::Options;
use recovery::await_recovery;
use report::{Findings, Life, Peaks};
use rest::Baseline;
use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use traffic::Traffic;
use verdict::Violation;

/// Streams before the first look at descriptors and memory.
const WARM_UP: usize = 100;

/// Bytes that a stream of the load carries each way, at most.
const LARGE: u64 = 2 << 20;

/// The longest time between the end of one outage and the next kill.
const QUIET: Duration = Duration::from_secs(8);

/// Runs what the command line asks for. `ockam` finds the program under test; it is not called in a
/// copy of this program that is the target.
pub fn long_run(ockam: impl FnOnce() -> io::Result<PathBuf>) -> ExitCode {
    carry_out(&Options::of_command_line(), "cargo run --release -p ockam-actix-soak", ockam)
}

/// Runs the quick form, unless `cargo test` was asked for other tests. It starts this program again
/// as the target, so `main` must do nothing else.
pub fn quick_test(ockam: &Path) -> ExitCode {
    match Options::of_test() {
        Some(options) => carry_out(&options, "cargo test --test soak", || Ok(ockam.to_owned())),
        None => ExitCode::SUCCESS,
    }
}

fn carry_out(
    options: &Options,
    command: &str,
    ockam: impl FnOnce() -> io::Result<PathBuf>,
) -> ExitCode {
    let outcome = match options.role.as_deref() {
        Some("target") => play_target(&options.arguments),
        Some(other) => Err(io::Error::other(format!("there is no role {other}"))),
        None => ockam().and_then(|ockam| match options.hub_kills {
            Some(kills) => hub_kills::run(options, kills, command, &ockam),
            None => run(options, command, &ockam),
        }),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

fn play_target(arguments: &[String]) -> io::Result<()> {
    thread::spawn(role::end_with_the_parent);
    match arguments {
        [address] => target::run(address),
        _ => Err(io::Error::other("the target needs an address")),
    }
}

/// Starts the tunnel, soaks it, and reports, whatever the outcome.
fn run(options: &Options, command: &str, ockam: &Path) -> io::Result<()> {
    let (begun, seed) = (Instant::now(), options.seed());
    eprintln!("soak: seed {seed}");
    let mut random = Random::new(seed);
    let mut tunnel = Tunnel::start(ockam, &mut random)?;
    let traffic = Arc::new(Traffic::new(tunnel.inlet, tunnel.target));
    let mut findings = Findings::default();
    let outcome = soak(options, &mut random, &mut tunnel, &traffic, &mut findings, begun);
    let mut text = machine::list(&machine::facts(command, &[]));
    text += &format!("- Seed: {seed}\n- Duration: {:.0} s\n\n", begun.elapsed().as_secs_f64());
    text += &findings.show(&traffic, outcome.as_ref().err());
    if let Err(violation) = &outcome {
        text += &format!("\n**Violation** of {violation}\n");
        eprint!("{}", tunnel.last_words());
    }
    println!("{text}");
    options.save_markdown(&text)?;
    outcome.map_err(|violation| io::Error::other(violation.to_string()))
}

fn soak(
    options: &Options,
    random: &mut Random,
    tunnel: &mut Tunnel,
    traffic: &Arc<Traffic>,
    findings: &mut Findings,
    begun: Instant,
) -> Result<(), Violation> {
    warm_up(traffic)?;
    let baseline = Baseline::take(tunnel)?;
    findings.baseline = Some(baseline.show());
    if options.kills.is_none() {
        let connections = options.connections();
        eprintln!("figure 10: {connections} connections");
        let progress = Progress::of(format!("{connections} connections, one after the other"));
        findings.churned = Some(churn::run(tunnel, traffic, &baseline, connections)?);
        eprintln!("figure 11: {} readers that stop", stall::STALLED);
        progress.now("readers that stop, beside those that read");
        let sizes = (options.offer(), options.live());
        findings.stalled = Some(stall::run(tunnel, traffic, sizes, !options.quick)?);
    }
    eprintln!("figures 13 and 14: kills under load");
    let load = Load::start(traffic, random, LARGE);
    let mut killer = Killer {
        tunnel,
        traffic,
        load: &load,
        baseline: &baseline,
        records: Vec::new(),
        past: Vec::new(),
        peaks: Peaks::default(),
    };
    let outcome = kill_all(&mut killer, random, options, begun);
    (findings.killed, findings.lives, findings.peaks) = (killer.records, killer.past, killer.peaks);
    findings.lives.extend(tunnel.ours().map(|(program, life)| Life::of(program, life)));
    outcome
}

/// Waits until a connection comes through, and carries some more, so that everything that is
/// created at the first use is there.
fn warm_up(traffic: &Traffic) -> Result<(), Violation> {
    let took = await_recovery(traffic, Instant::now())?;
    eprintln!("the tunnel works after {took:.1?}");
    (0..WARM_UP).try_for_each(|_| traffic.carry(Order::Both, 10_000, 10_000))
}

/// Kills programs in a random order: as many as were asked for, or for as long.
fn kill_all(
    killer: &mut Killer,
    random: &mut Random,
    options: &Options,
    begun: Instant,
) -> Result<(), Violation> {
    let progress = Progress::of("kills");
    if let Some(times) = options.kills_of_each() {
        let mut all: Vec<Program> = Program::ALL.repeat(times);
        random.shuffle(&mut all);
        let many = all.len();
        return all.into_iter().enumerate().try_for_each(|(past, program)| {
            progress.now(format!("{past} of {many} kills, now the {program}"));
            killer.kill(program, random)
        });
    }
    let end = begun + options.time();
    while Instant::now() < end {
        let left = end.saturating_duration_since(Instant::now()).as_secs();
        progress.now(format!("{} kills, {left} s to go", killer.records.len()));
        let quiet = QUIET.mul_f64(random.below(1000) as f64 / 1000.0);
        let until = (Instant::now() + quiet).min(end);
        killer.load.resume();
        while Instant::now() < until {
            thread::sleep(Duration::from_millis(50));
            killer.traffic.verdict.so_far()?;
        }
        killer.rest()?;
        killer.kill(random.pick(&Program::ALL), random)?;
    }
    Ok(())
}
