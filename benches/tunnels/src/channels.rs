//! Idle secure channels between two nodes through a hub: what one costs each of the three.

use crate::{
    figures::{Answer, Figure},
    options::Options,
};
use ockam_actix_harness::{process::Process, table::table, usage};
use std::io;

/// How many channels there are, in one inlet's node; the first row is what the others grow from.
const CHANNELS: [usize; 4] = [1, 10, 100, 1_000];

/// The processes, in the order of the table.
const WHOSE: [&str; 3] = ["hub", "outlet", "inlet"];

/// Measures channels of one node with another.
pub(crate) fn run(_options: &Options) -> io::Result<Answer> {
    let mut heading = vec!["channels".to_owned()];
    heading.extend(WHOSE.map(|whose| format!("{whose} MB")));
    heading.extend(WHOSE.map(|whose| format!("{whose}, bytes each")));
    let (mut lines, mut figures) = (vec![heading], Vec::new());
    let mut first = None;
    for count in CHANNELS {
        eprintln!("{count} channels");
        let memory = once(count)?;
        let first = *first.get_or_insert(memory);
        let each = |whose: usize| {
            let grown = memory[whose].saturating_sub(first[whose]);
            (count > 1).then(|| grown / (count as u64 - 1))
        };
        let mut line = vec![count.to_string()];
        line.extend(memory.map(|bytes| format!("{:.1}", bytes as f64 / 1e6)));
        line.extend([0, 1, 2].map(|whose| each(whose).map_or("-".into(), |each| each.to_string())));
        lines.push(line);
        figures.extend((0..WHOSE.len()).map(|whose| {
            let megabytes = memory[whose] as f64 / 1e6;
            Figure::new("channels", WHOSE[whose], ("memory", "MB"), megabytes).at(count)
        }));
    }
    let text = format!(
        "Secure channels of one node with another, through a hub, over one connection each; nothing \
         is sent through them. What one takes is what the process has grown by since the first \
         line.\n\n{}",
        table(&lines)
    );
    Ok(Answer { text, figures })
}

/// The memory of hub, outlet and inlet with so many channels.
fn once(count: usize) -> io::Result<[u64; 3]> {
    let (_target, target) = Process::role("target", "target", &[])?;
    let (hub, address) = Process::role("hub", "hub", &[])?;
    let (exit, forwarder) = Process::role("outlet", "04-outlet", &[&target, &address])?;
    let count = count.to_string();
    let (entry, _) = Process::role("inlet", "held-channels", &[&address, &forwarder, &count])?;
    Ok([&hub, &exit, &entry].map(|process| usage::memory_now(process.id())))
}
