//! Fairness: how evenly many busy streams share one tunnel.
//!
//! An upload counts what its client could write, so bytes that are still under way count too; the
//! buffers fill in the time before the count starts.

use crate::{
    client::Direction,
    crowd::Crowd,
    figures::{Answer, Figure},
    options::Options,
    scale::start,
    tunnel::{self, Kind},
};
use ockam_actix_harness::table::table;
use std::{io, time::Duration};

const STREAMS: usize = 50;
const DURING: Duration = Duration::from_secs(4);

/// Measures the chosen tunnels, the floor and step 03 unless told otherwise.
pub(crate) fn run(options: &Options) -> io::Result<Answer> {
    let heading =
        ["tunnel", "direction", "all GB/s", "least of mean", "most of mean", "Jain's index"];
    let mut lines = vec![heading.map(str::to_owned).to_vec()];
    let (mut notes, mut figures) = (String::new(), Vec::new());
    for kind in tunnel::chosen(options, ["floor", "step03"])? {
        for direction in [Direction::Up, Direction::Down] {
            eprintln!("{}: {STREAMS} streams, {direction:?}", kind.name);
            match share(kind, direction, options, &mut figures) {
                Ok(line) => lines.push(line),
                Err(error) => {
                    notes += &format!("\n{}, {direction:?}, is left out: {error}\n", kind.name)
                }
            }
        }
    }
    let text = format!(
        "{STREAMS} busy streams of one tunnel; 1 is the index of equal shares.\n\n{}{notes}",
        table(&lines)
    );
    Ok(Answer { text, figures })
}

fn share(
    kind: &Kind,
    direction: Direction,
    options: &Options,
    figures: &mut Vec<Figure>,
) -> io::Result<Vec<String>> {
    let (_target, running) = start(kind, options)?;
    let mut crowd = Crowd::open(running.listen, STREAMS, direction.service(), u64::MAX)?;
    let shares: Vec<f64> =
        crowd.shares(direction, DURING)?.into_iter().map(|bytes| bytes as f64).collect();
    let sum: f64 = shares.iter().sum();
    let mean = sum / STREAMS as f64;
    let least = shares.iter().copied().fold(f64::INFINITY, f64::min);
    let most = shares.iter().copied().fold(0.0, f64::max);
    let all = sum / 1e9 / (DURING.as_secs_f64() * 0.75);
    let label = format!("{direction:?}").to_lowercase();
    let of = |name: &str, unit, value| {
        Figure::new("fairness", kind.name, (format!("{label}, {name}"), unit), value)
    };
    figures.extend([
        of("all streams", "GB/s", all),
        of("least of mean", "1", least / mean),
        of("most of mean", "1", most / mean),
        of("Jain's index", "1", jain(&shares)),
    ]);
    Ok(vec![
        kind.name.to_owned(),
        label,
        format!("{all:.2}"),
        format!("{:.2}", least / mean),
        format!("{:.2}", most / mean),
        format!("{:.3}", jain(&shares)),
    ])
}

/// Jain's fairness index: the square of the sum over the sum of squares times their number (Jain,
/// Chiu and Hawe, 1984). It is 1 when all shares are equal and 1/n when one of them has everything.
fn jain(shares: &[f64]) -> f64 {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    sum * sum / (shares.len() as f64 * squares)
}
