//! Strangers who flood or dawdle: what is left for an honest stream and for an honest new channel
//! beside them?
//!
//! In every round honest clients are measured alone, beside attackers of an idle listener, and
//! beside attackers of the node. The machine is shared, so only the last two are compared: both
//! include what the attackers themselves take.

use crate::{
    attack::{HANDSHAKES_PER_SECOND, SLOW_CLIENTS},
    client::Direction,
    figures::{Answer, Figure},
    measure,
    options::Options,
    summary::median,
    tunnel::{parse, Running},
};
use ockam_actix_harness::{process::Process, table::table, usage};
use std::{
    io, thread,
    time::{Duration, Instant},
};

/// Channels opened one after the other in each measurement.
const CHANNELS: usize = 50;
/// From the start of an attack to the measurement beside it.
const UNDER_WAY: Duration = Duration::from_millis(500);

/// The attacks by their names in [`crate::attack`], with their titles.
const ATTACKS: [(&str, &str); 3] = [
    ("one-connection", "handshakes, 1 connection"),
    ("connection-each", "handshakes, 1 connection each"),
    ("slow", "slow clients"),
];

/// Step 03, with the address of the outlet's node, which is attacked.
struct Attacked {
    running: Running,
    node: String,
    _target: Process,
}

/// What one measurement found.
#[derive(Clone, Copy)]
struct Found {
    gigabytes_per_second: f64,
    channel_milliseconds: f64,
    /// Cores that the attackers used meanwhile, and those of the attacked node.
    attackers: f64,
    outlet: f64,
}

/// Measures step 03.
pub(crate) fn run(options: &Options) -> io::Result<Answer> {
    let heading = [
        "attack",
        "figure",
        "alone",
        "beside, idle listener",
        "beside, node",
        "keeps",
        "attackers' cores",
        "node's cores",
    ];
    let mut lines = vec![heading.map(str::to_owned).to_vec()];
    let mut figures = Vec::new();
    for (attack, title) in ATTACKS {
        eprintln!("step03: {title}");
        lines.extend(rows(attack, title, options, &mut figures)?);
    }
    let text = format!(
        "Step 03 while strangers at another address attack the outlet's node: \
         {HANDSHAKES_PER_SECOND} handshakes a second of which only message 1 is sent, or \
         {SLOW_CLIENTS} clients that send a byte a second and connect again when cut. Medians of \
         {} rounds. What is kept compares with the same attackers at an idle listener, with whom \
         they share the machine as much.\n\n{}",
        options.rounds(),
        table(&lines)
    );
    Ok(Answer { text, figures })
}

fn rows(
    attack: &str,
    title: &str,
    options: &Options,
    figures: &mut Vec<Figure>,
) -> io::Result<[Vec<String>; 2]> {
    let attacked = start()?;
    let (_dummy, dummy) = Process::role("dummy", "dummy", &[])?;
    let mut found: [Vec<Found>; 3] = Default::default();
    for round in 0..options.rounds() {
        // Another order in each round, so that none profits from its position.
        for offset in 0..3 {
            let which = (round + offset) % 3;
            let victim = [None, Some(&dummy), Some(&attacked.node)][which];
            found[which].push(once(&attacked, attack, victim, options)?);
        }
    }
    let middle = |which: usize, figure: fn(&Found) -> f64| {
        median(found[which].iter().map(figure).collect::<Vec<_>>()).unwrap_or(0.0)
    };
    let cores = [middle(2, |found| found.attackers), middle(2, |found| found.outlet)];
    for (who, cores) in ["attackers' cores", "node's cores"].into_iter().zip(cores) {
        figures.push(Figure::new("flood", title, (who, "cores"), cores));
    }
    let mut row = |(name, unit): (&str, &'static str),
                   figure: fn(&Found) -> f64,
                   more_is_better| {
        let [alone, idle, node] = [0, 1, 2].map(|which| middle(which, figure));
        for (beside, value) in
            ["alone", "beside, idle listener", "beside, node"].into_iter().zip([alone, idle, node])
        {
            let figure = (format!("{name}, {beside}"), unit);
            figures.push(Figure::new("flood", title, figure, value));
        }
        let keeps = if more_is_better { node / idle } else { idle / node };
        let mut row = vec![title.to_owned(), format!("{name}, {unit}")];
        row.extend([alone, idle, node].map(|value| format!("{value:.2}")));
        row.push(format!("{:.0} %", keeps * 100.0));
        row.extend(cores.map(|value| format!("{value:.2}")));
        row
    };
    Ok([
        row(("1 stream up", "GB/s"), |found| found.gigabytes_per_second, true),
        row(("new channel", "ms"), |found| found.channel_milliseconds, false),
    ])
}

fn start() -> io::Result<Attacked> {
    let (target, address) = Process::role("target", "target", &[])?;
    let (exit, node) = Process::role("outlet", "03-outlet", &[&address])?;
    let (entry, listen) = Process::role("inlet", "03-inlet", &[&node])?;
    let running = Running::when_ready(parse(&listen)?, vec![entry, exit], None)?;
    Ok(Attacked { running, node, _target: target })
}

fn once(
    attacked: &Attacked,
    attack: &str,
    victim: Option<&String>,
    options: &Options,
) -> io::Result<Found> {
    let attackers =
        victim.map(|victim| Process::role("attackers", "attack", &[attack, victim])).transpose()?;
    thread::sleep(UNDER_WAY);
    let (flooding, outlet) = (attackers.as_ref().map(|(process, _)| process.id()), exit(attacked));
    let spent =
        || [flooding, Some(outlet)].map(|id| id.map_or(Duration::ZERO, usage::processor_time));
    let (before, begun) = (spent(), Instant::now());
    let carried = measure::carry(&attacked.running, Direction::Up, 1, options.bytes())?;
    let count = CHANNELS.to_string();
    let (_, microseconds) = Process::role("channels", "03-channels", &[&attacked.node, &count])?;
    let took = begun.elapsed();
    let after = spent();
    let [attacking, serving] =
        [0, 1].map(|of| after[of].saturating_sub(before[of]).as_secs_f64() / took.as_secs_f64());
    drop(attackers);
    let microseconds: f64 = microseconds.parse().map_err(io::Error::other)?;
    Ok(Found {
        gigabytes_per_second: carried.gigabytes_per_second(),
        channel_milliseconds: microseconds / 1e3,
        attackers: attacking,
        outlet: serving,
    })
}

fn exit(attacked: &Attacked) -> u32 {
    attacked.running.processes[1].id()
}
