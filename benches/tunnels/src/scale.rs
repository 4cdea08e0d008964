//! Growth: what does the number of streams cost, when the same bytes go over 1, 10, 100, 1,000 and
//! 10,000 streams of one tunnel? And what do entries in the routing table and hops cost, which need
//! no tunnel to be measured?

use crate::{
    client::Direction,
    crowd::Crowd,
    figures::{Answer, Figure},
    measure::processor_time,
    options::Options,
    routing::Routing,
    summary::median,
    tunnel::{self, parse, Kind, Running},
};
use ockam_actix_harness::{process::Process, table, usage};
use std::{io, time::Duration};

/// Files that a process needs besides those of its streams.
const OTHER_FILES: usize = 100;

/// The figures for one number of streams.
struct Step {
    streams: usize,
    up: f64,
    down: f64,
    /// Seconds of the tunnel's processor time for each GB, both directions together.
    processor: f64,
    peaks: Vec<(String, f64)>,
}

/// The figures of one tunnel for each number of streams.
struct Growth<'a> {
    kind: &'a Kind,
    steps: Vec<Step>,
    notes: String,
}

/// Measures the chosen tunnels, the floor and step 03 unless told otherwise.
pub(crate) fn run(options: &Options) -> io::Result<Answer> {
    let growths = grow(tunnel::chosen(options, ["floor", "step03"])?, options);
    let mut text = format!(
        "Growth: {} MB in all over so many streams, each tunnel started afresh; medians of {} \
         interleaved rounds.\n",
        options.bytes() / 1_000_000,
        options.rounds()
    );
    for growth in &growths {
        text += &format!("\n{}:\n\n{}{}", growth.kind.name, table(&growth.steps), growth.notes);
    }
    let routing = Routing::measure();
    text += &format!("\n{}", routing.text());
    let mut figures: Vec<Figure> = growths.iter().flat_map(Growth::figures).collect();
    figures.extend(routing.figures());
    Ok(Answer { text, figures })
}

/// Measures each number of streams in turn, and for each of them all tunnels in turn, repeatedly.
fn grow<'a>(kinds: Vec<&'a Kind>, options: &Options) -> Vec<Growth<'a>> {
    let growth = |kind| Growth { kind, steps: Vec::new(), notes: String::new() };
    let mut growths: Vec<_> = kinds.into_iter().map(growth).collect();
    let numbers = std::iter::successors(Some(1), |streams| Some(streams * 10))
        .take_while(|streams| *streams <= options.streams);
    for streams in numbers {
        let mut rounds: Vec<Vec<Step>> = growths.iter().map(|_| Vec::new()).collect();
        for round in 1..=options.rounds() {
            for (growth, rounds) in growths.iter_mut().zip(&mut rounds) {
                eprintln!(
                    "round {round} of {}: {}, {streams} streams",
                    options.rounds(),
                    growth.kind.name
                );
                let measured = enough_files(growth.kind, streams)
                    .and_then(|()| step(growth.kind, streams, options));
                match measured {
                    Ok(step) => rounds.push(step),
                    Err(error) => growth.leave_out(streams, &error),
                }
            }
        }
        for (growth, rounds) in growths.iter_mut().zip(&rounds) {
            growth.steps.extend(Step::median(rounds));
        }
    }
    growths
}

impl Growth<'_> {
    fn figures(&self) -> Vec<Figure> {
        self.steps.iter().flat_map(|step| step.figures(self.kind.name)).collect()
    }

    fn leave_out(&mut self, streams: usize, error: &io::Error) {
        let note = format!("\n{streams} streams are left out: {error}\n");
        if !self.notes.contains(&note) {
            self.notes += &note;
        }
    }
}

impl Step {
    fn figures(&self, tunnel: &str) -> Vec<Figure> {
        let of = |name: &str, unit, value| {
            Figure::new("scale", tunnel, (name, unit), value).at(self.streams)
        };
        let mut figures = vec![
            of("up", "GB/s", self.up),
            of("down", "GB/s", self.down),
            of("processor time", "s/GB", self.processor),
        ];
        let peaks = self.peaks.iter();
        figures
            .extend(peaks.map(|(title, peak)| of(&format!("peak memory, {title}"), "MB", *peak)));
        figures
    }

    /// The median of each figure; `None` without any round.
    fn median(rounds: &[Self]) -> Option<Self> {
        let of = |value: &dyn Fn(&Self) -> f64| median(rounds.iter().map(value));
        let first = rounds.first()?;
        let peaks = first.peaks.iter().enumerate();
        let peaks = peaks
            .map(|(index, (title, _))| Some((title.clone(), of(&|step| step.peaks[index].1)?)));
        Some(Self {
            streams: first.streams,
            up: of(&|step| step.up)?,
            down: of(&|step| step.down)?,
            processor: of(&|step| step.processor)?,
            peaks: peaks.collect::<Option<_>>()?,
        })
    }
}

/// Fails when the limit of open files, which our children inherit, does not allow so many streams.
pub(crate) fn enough_files(kind: &Kind, streams: usize) -> io::Result<()> {
    let wanted = (streams * kind.files_per_stream.max(1) + OTHER_FILES) as u64;
    let (limit, _) = rlimit::Resource::NOFILE.get()?;
    match wanted <= limit {
        true => Ok(()),
        false => Err(io::Error::other(format!(
            "{streams} streams need {wanted} open files in a process, {limit} are allowed"
        ))),
    }
}

fn step(kind: &Kind, streams: usize, options: &Options) -> io::Result<Step> {
    let (_target, running) = start(kind, options)?;
    let each = options.bytes() / streams as u64;
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
    let peak = |process: &Process| {
        (process.title().to_owned(), usage::peak_memory(process.id()) as f64 / 1e6)
    };
    let peaks = running.processes.iter().map(peak).collect();
    Ok(Step { streams, up, down, processor, peaks })
}

/// Starts a target for crowds, and a tunnel to it.
pub(crate) fn start(kind: &Kind, options: &Options) -> io::Result<(Process, Running)> {
    let (target, address) = Process::role("target", "crowd-target", &[])?;
    let running = kind.start(parse(&address)?, options)?;
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
