//! The first byte to an outlet whose forwarder nobody has used: through the hub that has it, and
//! through another hub of the cluster, which looks for it first.

use crate::{
    figures::{Answer, Figure},
    options::Options,
    steps::{cluster_of_two, Hubs},
    summary::median,
};
use ockam_actix_harness::{process::Process, table::table};
use std::{env, io};

/// Forwarders that are used through each of the two hubs in a round: with one more for each, as
/// many as a hub lets one connection have.
const EACH: usize = 31;

/// Who the inlet connects to.
const THROUGH: [&str; 2] = ["the hub that has it", "another hub"];

/// Measures a cluster of two hubs.
pub(crate) fn run(options: &Options) -> io::Result<Answer> {
    let mut taken: [Vec<f64>; 2] = Default::default();
    for round in 1..=options.rounds() {
        eprintln!("first byte: round {round} of {}", options.rounds());
        for (all, found) in taken.iter_mut().zip(once()?) {
            all.extend(found);
        }
    }
    let heading = ["first byte through", "median ms", "99 of 100 below, ms"];
    let mut lines = vec![heading.map(str::to_owned).to_vec()];
    let mut figures = Vec::new();
    for (through, mut taken) in THROUGH.into_iter().zip(taken) {
        taken.sort_by(f64::total_cmp);
        let most = taken[taken.len() * 99 / 100];
        let middle = median(taken).unwrap_or(f64::INFINITY);
        lines.push(vec![through.to_owned(), format!("{middle:.2}"), format!("{most:.2}")]);
        figures.extend(
            [("median", middle), ("99 of 100 below", most)]
                .map(|(name, value)| Figure::new("first byte", through, (name, "ms"), value)),
        );
    }
    let text = format!(
        "From the order for a secure channel to an outlet until a byte has come back over it: \
         handshake, inlet, stream. {} outlets, each used once; the inlet's node is connected to \
         its hub, and the hubs to each other.\n\n{}",
        EACH * options.rounds() * THROUGH.len(),
        table(&lines)
    );
    Ok(Answer { text, figures })
}

/// Milliseconds through the hub that has the forwarders, and through the other one.
fn once() -> io::Result<[Vec<f64>; 2]> {
    let program = env::current_exe()?;
    let (_target, target) = Process::role("target", "target", &[])?;
    let Hubs { near_address, far_address, processes: _processes, .. } = cluster_of_two(&program)?;
    let count = (2 * (EACH + 1)).to_string();
    let (_exit, forwarders) = Process::role("outlet", "outlets", &[&target, &far_address, &count])?;
    let forwarders: Vec<&str> = forwarders.split(',').collect();
    let (through_one, through_two) = forwarders.split_at(EACH + 1);
    let used = |hub: &str, forwarders: &[&str]| {
        let (_entry, taken) = Process::role("inlet", "first-bytes", &[hub, &forwarders.join(",")])?;
        // The first one also had the connections made.
        let times = taken.split(',').skip(1).map(|text| text.parse().map_err(io::Error::other));
        times.collect::<io::Result<Vec<f64>>>()
    };
    Ok([used(&far_address, through_one)?, used(&near_address, through_two)?])
}
