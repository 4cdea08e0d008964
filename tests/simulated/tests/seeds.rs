//! The guide's tunnels under faults by chance: each seed is another run.
//!
//! `OCKAM_SEEDS=10000` explores more of them, `OCKAM_SEED=7` looks at one again.

use std::cell::Cell;

use ockam::testing::{explore, Network};
use simulated::{
    faults::Where,
    trial::{trial, CLIENTS},
    tunnel::Step,
};

/// Explores seeds. Over many of them, faults end some exchanges, and let others pass.
fn survives_faults(step: Step, place: Where) {
    let (runs, whole) = (Cell::new(0), Cell::new(0));
    explore(250, |net| {
        runs.set(runs.get() + 1);
        whole.set(whole.get() + trial(net, step, place));
    });
    let (all, whole) = (runs.get() * CLIENTS as usize, whole.get());
    println!("{step:?}, faults {place:?}: {whole} of {all} exchanges were whole");
    let expected = match place {
        Where::Everywhere => all / 4..all * 9 / 10,
        // One client in six gives up, and few come while there is no path.
        Where::Between => all * 3 / 5..all * 9 / 10,
    };
    if runs.get() >= 100 {
        assert!(expected.contains(&whole), "{whole} of {all}");
    }
}

#[test]
fn a_direct_tunnel_survives_faults() {
    survives_faults(Step::Direct, Where::Everywhere);
}

#[test]
fn a_tunnel_through_a_hub_survives_faults() {
    survives_faults(Step::ThroughHub, Where::Everywhere);
}

#[test]
fn streams_outlive_faults_of_a_line() {
    survives_faults(Step::Direct, Where::Between);
}

#[test]
fn streams_outlive_faults_of_hub_and_lines() {
    survives_faults(Step::ThroughHub, Where::Between);
}

#[test]
fn the_same_seed_gives_the_same_log() {
    for step in [Step::Direct, Step::ThroughHub] {
        for seed in 0..20 {
            let logs = [(); 2].map(|()| {
                let net = Network::seeded(seed);
                trial(&net, step, Where::Everywhere);
                net.log()
            });
            assert!(logs[0] == logs[1], "{}", first_difference(&logs[0], &logs[1]));
        }
    }
}

fn first_difference(one: &str, other: &str) -> String {
    let mut lines = one.lines().zip(other.lines()).enumerate();
    let found = lines.find(|(_, (one, other))| one != other);
    found.map_or_else(
        || "one log is longer".into(),
        |(number, (one, other))| format!("line {number}:\n{one}\n{other}"),
    )
}
