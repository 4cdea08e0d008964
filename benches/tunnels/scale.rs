//! Growth: the same bytes over 1, 10, 100, 1,000 and 10,000 streams of one tunnel. What does the number of streams cost?

use crate::client::Direction;
use crate::crowd::Crowd;
use crate::lines::{self, Panel, Series};
use crate::options::Options;
use crate::support::process::Process;
use crate::support::scratch::Scratch;
use crate::support::table;
use crate::support::usage;
use crate::tunnel::{self, parse, Kind, Running};
use std::io;

/// Files that a process needs besides those of its streams.
const OTHER_FILES: usize = 100;

/// One number of streams.
struct Step {
    streams: usize,
    up: f64,
    down: f64,
    peaks: Vec<(&'static str, f64)>,
}

/// Measures the chosen tunnels, the floor and step 03 unless told otherwise; the plot goes to `--svg`.
pub(crate) fn run(options: &Options) -> io::Result<String> {
    let mut text = format!(
        "Growth: {} MB in all over so many streams, each tunnel started afresh.\n",
        options.bytes() / 1_000_000
    );
    let mut grown: Vec<(&Kind, Vec<Step>)> = Vec::new();
    for kind in tunnel::chosen(options, ["floor", "step03"])? {
        let (steps, notes) = grow(kind, options);
        text += &format!("\n{}:\n\n{}{notes}", kind.name, table(&steps));
        grown.push((kind, steps));
    }
    options.save_svg(&plot(&grown))?;
    Ok(text)
}

/// The numbers of streams that could be measured, and a note on each that could not.
fn grow(kind: &Kind, options: &Options) -> (Vec<Step>, String) {
    let numbers = std::iter::successors(Some(1), |streams| Some(streams * 10))
        .take_while(|streams| *streams <= options.streams);
    let mut steps = Vec::new();
    let mut notes = String::new();
    for streams in numbers {
        eprintln!("{}: {streams} streams", kind.name);
        match enough_files(kind, streams).and_then(|()| step(kind, streams, options.bytes())) {
            Ok(step) => steps.push(step),
            Err(error) => notes += &format!("\n{streams} streams are left out: {error}\n"),
        }
    }
    (steps, notes)
}

/// Fails when the limit of open files, which our children inherit, does not allow so many streams.
pub(crate) fn enough_files(kind: &Kind, streams: usize) -> io::Result<()> {
    let wanted = (streams * kind.files_per_stream.max(1) + OTHER_FILES) as u64;
    let (limit, _) = rlimit::Resource::NOFILE.get()?;
    match wanted <= limit {
        true => Ok(()),
        false => Err(io::Error::other(format!(
            "{streams} streams want {wanted} open files in a process, {limit} are allowed"
        ))),
    }
}

fn step(kind: &Kind, streams: usize, bytes: u64) -> io::Result<Step> {
    let (_target, running) = start(kind)?;
    let each = bytes / streams as u64;
    let rate = |direction: Direction| {
        let mut crowd = Crowd::open(running.listen, streams, direction.service(), each)?;
        let took = crowd.carry(direction, each)?;
        io::Result::Ok((each * streams as u64) as f64 / 1e9 / took.as_secs_f64())
    };
    let (up, down) = (rate(Direction::Up)?, rate(Direction::Down)?);
    let peak = |process: &Process| (process.title(), usage::peak_memory(process.id()) as f64 / 1e6);
    Ok(Step { streams, up, down, peaks: running.processes.iter().map(peak).collect() })
}

/// Starts a target for crowds, and a tunnel to it.
pub(crate) fn start(kind: &Kind) -> io::Result<(Process, Running)> {
    let (target, address) = Process::role("target", "crowd-target", &[], &Scratch::new()?)?;
    let running = (kind.start)(parse(&address)?)?;
    Ok((target, running))
}

fn table(steps: &[Step]) -> String {
    let mut lines =
        vec![["streams", "up GB/s", "down GB/s", "peak memory MB"].map(str::to_owned).to_vec()];
    for step in steps {
        let peaks: Vec<String> =
            step.peaks.iter().map(|(title, megabytes)| format!("{title} {megabytes:.1}")).collect();
        lines.push(vec![
            step.streams.to_string(),
            format!("{:.2}", step.up),
            format!("{:.2}", step.down),
            peaks.join(", "),
        ]);
    }
    table::table(&lines)
}

fn plot(grown: &[(&Kind, Vec<Step>)]) -> String {
    let panel = |title: &str, value: fn(&Step) -> f64| {
        let series = grown.iter().map(|(kind, steps)| Series {
            name: kind.name.to_owned(),
            points: steps.iter().map(|step| (step.streams, value(step))).collect(),
        });
        Panel { title: title.to_owned(), series: series.collect() }
    };
    lines::draw(&[
        panel("Upload over so many streams, GB/s", |step| step.up),
        panel("Download over so many streams, GB/s", |step| step.down),
        panel("Peak memory of all processes, MB", |step| {
            step.peaks.iter().map(|peak| peak.1).sum()
        }),
    ])
}
