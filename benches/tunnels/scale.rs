//! Growth: the same bytes over 1, 10, 100, 1,000 and 10,000 streams of one tunnel. What does the number of streams cost?
//! And what do entries in the routing table, and hops, which need no tunnel to be measured?

use crate::client::Direction;
use crate::crowd::Crowd;
use crate::lines::{self, Axis, Panel, Series};
use crate::measure::processor_time;
use crate::options::Options;
use crate::routing::Routing;
use crate::support::process::Process;
use crate::support::scratch::Scratch;
use crate::support::table;
use crate::support::usage;
use crate::tunnel::{self, parse, Kind, Running};
use std::io;
use std::time::Duration;

/// Files that a process needs besides those of its streams.
const OTHER_FILES: usize = 100;

/// One number of streams.
struct Step {
    streams: usize,
    up: f64,
    down: f64,
    /// Seconds of the tunnel's processor time for each GB, both directions together.
    processor: f64,
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
    let routing = Routing::measure();
    text += &format!("\n{}", routing.text());
    let mut panels = plot(&grown);
    panels.extend(routing.panels());
    options.save_svg(&lines::draw(&panels))?;
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
    let gigabytes = (each * streams as u64) as f64 / 1e9;
    let mut used = Duration::ZERO;
    let mut rate = |direction: Direction| {
        let mut crowd = Crowd::open(running.listen, streams, direction.service(), each)?;
        let before = processor_time(&running);
        let took = crowd.carry(direction, each)?;
        used += processor_time(&running) - before;
        io::Result::Ok(gigabytes / took.as_secs_f64())
    };
    let (up, down) = (rate(Direction::Up)?, rate(Direction::Down)?);
    let processor = used.as_secs_f64() / (2.0 * gigabytes);
    let peak = |process: &Process| (process.title(), usage::peak_memory(process.id()) as f64 / 1e6);
    let peaks = running.processes.iter().map(peak).collect();
    Ok(Step { streams, up, down, processor, peaks })
}

/// Starts a target for crowds, and a tunnel to it.
pub(crate) fn start(kind: &Kind) -> io::Result<(Process, Running)> {
    let (target, address) = Process::role("target", "crowd-target", &[], &Scratch::new()?)?;
    let running = (kind.start)(parse(&address)?)?;
    Ok((target, running))
}

fn table(steps: &[Step]) -> String {
    let heading = ["streams", "up GB/s", "down GB/s", "CPU s/GB", "peak memory MB"];
    let mut lines = vec![heading.map(str::to_owned).to_vec()];
    for step in steps {
        let peaks: Vec<String> =
            step.peaks.iter().map(|(title, megabytes)| format!("{title} {megabytes:.1}")).collect();
        lines.push(vec![
            step.streams.to_string(),
            format!("{:.2}", step.up),
            format!("{:.2}", step.down),
            format!("{:.2}", step.processor),
            peaks.join(", "),
        ]);
    }
    table::table(&lines)
}

fn plot(grown: &[(&Kind, Vec<Step>)]) -> Vec<Panel> {
    let panel = |title: &str, at_least: f64, value: fn(&Step) -> f64| {
        let series = grown.iter().map(|(kind, steps)| Series {
            name: kind.name.to_owned(),
            points: steps.iter().map(|step| (step.streams, value(step))).collect(),
        });
        let axis = Axis { name: "streams at once", step: 10 };
        Panel { title: title.to_owned(), axis, at_least, series: series.collect() }
    };
    let steps = grown.iter().flat_map(|(_, steps)| steps);
    let fastest = steps.map(|step| step.up.max(step.down)).fold(0.0, f64::max);
    vec![
        panel("Upload of all streams, GB/s", fastest, |step| step.up),
        panel("Download of all streams, GB/s", fastest, |step| step.down),
        panel("Peak memory of all processes, MB", 0.0, |step| {
            step.peaks.iter().map(|peak| peak.1).sum()
        }),
        panel("Processor time of the tunnel, s/GB", 0.0, |step| step.processor),
    ]
}
