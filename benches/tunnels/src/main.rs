//! Our tunnels, other people's tunnels and the least that a sealing tunnel can cost, side by side.
//!
//! ```text
//! client (this process) --> entry --[sealed]--> exit --> target (a child of this process)
//! ```
//!
//! Every tunnel is started afresh in every round, and then they are measured in turn, a fraction of
//! a second each, so that a slow moment of the machine falls on all of them; only ratios within one
//! run mean anything. Three rules keep the comparison fair: the same [`client`] and [`target`]
//! drive every tunnel, processor time and memory are those of the tunnel's own processes
//! ([`usage`]), and nothing counts as ready before a byte has passed the whole tunnel and come back
//! ([`tunnel::Running`]).
//!
//! | file | idea |
//! |---|---|
//! | [`options`], [`role`] | the command line, and what this program becomes when it starts itself again |
//! | [`tunnel`] | a tunnel under test |
//! | [`target`], [`client`] | the two ends of the traffic |
//! | [`floor`] | the upper bound: read, seal or open, write |
//! | [`socat`], [`ssh`], [`stunnel`], [`haproxy`], [`certificates`] | the peers |
//! | [`steps`], [`ours`] | our own tunnels: starting them, and being them |
//! | [`measure`], [`metric`] | one round, and what is measured |
//! | [`summary`], [`targets`], [`report`] | medians, the bars to clear, and the Markdown |
//! | [`figures`] | the JSON, which `plot.py` draws |
//! | [`scale`], [`idle`], [`stall`], [`fairness`], [`crowd`] | what happens with many streams, or with readers that stop |
//! | [`routing`], [`entries`], [`ring`] | what happens with many table entries, and with many hops |
//! | [`channels`] | what idle secure channels cost |
//! | [`first_byte`] | how long a new outlet takes to answer, through one hub and through two |
//! | [`flood`], [`attack`] | what strangers can take from honest clients |
//!
//! The bytes, the processes and their usage are the harness's (`ockam_actix_harness`).

// No arbiter runs in the threads that sleep here.
#![allow(clippy::disallowed_methods)]

mod attack;
mod certificates;
mod channels;
mod client;
mod crowd;
#[path = "../../pure/entries.rs"]
mod entries;
mod fairness;
mod figures;
mod first_byte;
mod flood;
mod floor;
mod haproxy;
mod idle;
mod measure;
mod metric;
mod options;
mod ours;
mod report;
#[path = "../../routing/ring.rs"]
mod ring;
mod role;
mod routing;
mod scale;
mod socat;
mod ssh;
mod stall;
mod steps;
mod stunnel;
mod summary;
mod target;
mod targets;
mod tunnel;

use clap::Parser;
use figures::{to_json, Answer};
use ockam_actix_harness::{machine, progress::Progress, usage};
use options::Options;
use std::{
    io,
    process::ExitCode,
    time::{Duration, Instant},
};

/// The allocator of the program `ockam`: our nodes, which run in copies of this program, have what
/// its users have.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(role) = &options.role {
        return role::play(role, &options.arguments);
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tunnels: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs whichever questions the command line asks; without one of them, the comparison.
fn run(options: &Options) -> io::Result<()> {
    // Ten thousand streams need as many files, here and in every process started from here, which
    // inherits the limit. Where the limit stays too low, runs that need more say so and are left
    // out.
    if let Err(error) = rlimit::increase_nofile_limit(65_536) {
        eprintln!("tunnels: the limit of open files stays as it is: {error}");
    }
    let questions: [(bool, Question); 7] = [
        (options.scale, scale::run),
        (options.idle, idle::run),
        (options.stall, stall::run),
        (options.fairness, fairness::run),
        (options.flood, flood::run),
        (options.first_byte, first_byte::run),
        (options.channels, channels::run),
    ];
    let asked: Vec<Question> =
        questions.iter().filter(|(wanted, _)| *wanted).map(|(_, question)| *question).collect();
    let facts = report::machine();
    let (mut text, mut figures) = (machine::list(&facts), Vec::new());
    if asked.is_empty() {
        let answer = compare(options)?;
        text += &answer.text;
        figures.extend(answer.figures);
    }
    for question in asked {
        let answer = question(options)?;
        text += &format!("\n{}", answer.text);
        figures.extend(answer.figures);
    }
    println!("{text}");
    options.save_markdown(&text)?;
    options.save_json(&to_json(&facts, &figures)?)
}

/// Measures something about the chosen tunnels and reports it.
type Question = fn(&Options) -> io::Result<Answer>;

/// The comparison: rounds over all tunnels, then the report.
fn compare(options: &Options) -> io::Result<Answer> {
    let kinds = tunnel::chosen(options, tunnel::compared(options))?;
    let mut results = summary::Results::of(&kinds);
    for round in 1..=options.rounds() {
        eprintln!("round {round} of {}", options.rounds());
        let progress = Progress::of("waiting until the machine does little else");
        results.note_others(other_work(options.wait_quiet()));
        let mut contestants = Vec::new();
        for kind in results.still_running() {
            match measure::Contestant::start(kind, options) {
                Ok(contestant) => contestants.push(contestant),
                Err(error) => results.give_up(kind, error.to_string()),
            }
        }
        measure::round(&mut contestants, options, &progress);
        for contestant in contestants {
            results.add(contestant.kind, contestant.finish());
        }
    }
    let text = report::comparison(&results, options);
    Ok(Answer { text, figures: results.figures() })
}

/// The part of the machine that other work takes, once that is little or `patience` has run out.
fn other_work(patience: Duration) -> f64 {
    let asked = Instant::now();
    loop {
        let busy = usage::machine_busy(Duration::from_millis(200));
        if busy <= summary::TOO_BUSY || asked.elapsed() >= patience {
            return busy;
        }
    }
}
