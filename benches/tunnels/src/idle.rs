//! Idle connections: what one costs, and whether closing it frees that, the second time as well as
//! the first.

use crate::{
    client,
    crowd::Crowd,
    figures::{Answer, Figure},
    options::Options,
    scale::{enough_files, start},
    target::ECHO,
    tunnel::{self, Kind, Running},
};
use ockam_actix_harness::{table::table, usage};
use std::{
    io, thread,
    time::{Duration, Instant},
};

/// How often all connections are opened and closed: growth from one time to the next is a leak.
const TIMES: usize = 2;
/// How long a tunnel may take to release closed connections.
const LETS_GO_WITHIN: Duration = Duration::from_secs(10);
/// How long it may take to give their memory back to the system.
const GIVES_BACK_WITHIN: Duration = Duration::from_secs(20);

/// Measures the chosen tunnels, the floor and step 03 unless told otherwise.
pub(crate) fn run(options: &Options) -> io::Result<Answer> {
    let heading = [
        "tunnel",
        "time",
        "MB before",
        "MB with all open",
        "bytes each",
        "MB after",
        "seconds after",
        "files before",
        "files after",
    ];
    let mut lines = vec![heading.map(str::to_owned).to_vec()];
    let (mut notes, mut figures) = (String::new(), Vec::new());
    for kind in tunnel::chosen(options, ["floor", "step03"])? {
        eprintln!("{}: {} idle connections", kind.name, options.streams);
        match enough_files(kind, options.streams)
            .and_then(|()| open_and_close(kind, options, &mut figures))
        {
            Ok(found) => lines.extend(found),
            Err(error) => notes += &format!("\n{} is left out: {error}\n", kind.name),
        }
    }
    let text = format!(
        "{} idle connections, each of which has carried one byte; all processes of the tunnel \
         together.\n\n{}{notes}",
        options.streams,
        table(&lines)
    );
    Ok(Answer { text, figures })
}

fn open_and_close(
    kind: &Kind,
    options: &Options,
    figures: &mut Vec<Figure>,
) -> io::Result<Vec<Vec<String>>> {
    let (_target, running) = start(kind, options)?;
    let mut once = |time| open_and_close_once(kind, &running, options.streams, time, figures);
    (0..TIMES).map(&mut once).collect()
}

fn open_and_close_once(
    kind: &Kind,
    running: &Running,
    streams: usize,
    time: usize,
    figures: &mut Vec<Figure>,
) -> io::Result<Vec<String>> {
    client::echo_once(running.listen)?;
    let files_before = settled_files(running, 0)?;
    let before = memory(running);
    let crowd = Crowd::open(running.listen, streams, ECHO, 0)?;
    let open = memory(running);
    drop(crowd);
    let files_after = settled_files(running, files_before)?;
    let (after, seconds) = settled_memory(running, before);
    let each = open.saturating_sub(before) / streams as u64;
    let of = |name, value| Figure::new("idle", kind.name, name, value).at(time + 1);
    figures.extend([
        of(("memory before", "MB"), before as f64 / 1e6),
        of(("memory with all open", "MB"), open as f64 / 1e6),
        of(("memory of each", "B"), each as f64),
        of(("memory after", "MB"), after as f64 / 1e6),
        of(("until memory is given back", "s"), seconds.as_secs_f64()),
        of(("open files before", "files"), files_before as f64),
        of(("open files after", "files"), files_after as f64),
    ]);
    let megabytes = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
    Ok(vec![
        kind.name.to_owned(),
        (time + 1).to_string(),
        megabytes(before),
        megabytes(open),
        each.to_string(),
        megabytes(after),
        format!("{:.0}", seconds.as_secs_f64()),
        files_before.to_string(),
        files_after.to_string(),
    ])
}

/// Open files once there are no more than `wanted`, or once their number has not changed for a
/// second.
fn settled_files(running: &Running, wanted: usize) -> io::Result<usize> {
    let asked = Instant::now();
    let (mut last, mut since) = (files(running)?, Instant::now());
    while last > wanted
        && since.elapsed() < Duration::from_secs(1)
        && asked.elapsed() < LETS_GO_WITHIN
    {
        thread::sleep(Duration::from_millis(50));
        let now = files(running)?;
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    Ok(last)
}

/// Resident memory once it is at most a tenth above `wanted`, or the time for that is over; and how
/// long this took.
fn settled_memory(running: &Running, wanted: u64) -> (u64, Duration) {
    let asked = Instant::now();
    let mut now = memory(running);
    while now > wanted + wanted / 10 && asked.elapsed() < GIVES_BACK_WITHIN {
        thread::sleep(Duration::from_millis(250));
        now = memory(running);
    }
    (now, asked.elapsed())
}

fn files(running: &Running) -> io::Result<usize> {
    running.processes.iter().map(|process| usage::open_files(process.id())).sum()
}

fn memory(running: &Running) -> u64 {
    running.processes.iter().map(|process| usage::memory_now(process.id())).sum()
}
