//! One tunnel, one round: it is started, measured and ended.

use crate::client::{self, Direction};
use crate::metric::Metric;
use crate::options::Options;
use crate::support::process::Process;
use crate::support::scratch::Scratch;
use crate::support::usage;
use crate::tunnel::{parse, Kind, Running};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

/// Threads that open connections at the same time.
const CONNECTING_THREADS: u32 = 2;

/// What one round found out about one tunnel. A figure that is missing could not be measured.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    /// The figures.
    pub(crate) values: BTreeMap<Metric, f64>,
    /// The most memory each process had resident, in bytes, by its title.
    pub(crate) peaks: BTreeMap<&'static str, u64>,
    /// Whether the end of one direction leaves the other one open.
    pub(crate) half_closes: bool,
}

/// Starts the target and the tunnel to it, and measures everything.
pub(crate) fn tunnel(kind: &Kind, options: &Options) -> io::Result<Sample> {
    let scratch = Scratch::new()?;
    let (_target, address) = Process::role("target", "target", &[], &scratch)?;
    let running = (kind.start)(parse(&address)?)?;
    let mut sample =
        Sample { half_closes: client::half_closes(running.listen).is_ok(), ..Sample::default() };
    sample.latency(&running, options);
    sample.throughput(&running, options);
    Ok(sample)
}

impl Sample {
    fn latency(&mut self, running: &Running, options: &Options) {
        if let Some(trips) = told(client::round_trips(running.listen, options.round_trips())) {
            self.values.insert(Metric::RoundTrip50, trips[trips.len() / 2]);
            self.values.insert(Metric::RoundTrip99, trips[trips.len() * 99 / 100]);
        }
        if let Some(rate) = told(connection_rate(running.listen, options.connecting())) {
            self.values.insert(Metric::Connections, rate);
        }
    }

    fn throughput(&mut self, running: &Running, options: &Options) {
        let mut carried = 0;
        let mut used = Duration::ZERO;
        for (metric, direction, streams) in [
            (Metric::Up1, Direction::Up, 1),
            (Metric::Down1, Direction::Down, 1),
            (Metric::Up8, Direction::Up, 8),
            (Metric::Down8, Direction::Down, 8),
        ] {
            let Some(run) = told(carry(running, direction, streams, options.bytes())) else {
                continue;
            };
            self.values.insert(metric, run.gigabytes_per_second());
            carried += run.bytes;
            used += run.processor;
            for (title, peak) in run.peaks {
                let most = self.peaks.entry(title).or_default();
                *most = peak.max(*most);
            }
        }
        if carried > 0 && !running.processes.is_empty() {
            self.values.insert(Metric::Processor, used.as_secs_f64() / (carried as f64 / 1e9));
        }
    }
}

/// The value, or what went wrong told to the user.
fn told<T>(outcome: io::Result<T>) -> Option<T> {
    outcome.inspect_err(|error| eprintln!("  failed: {error}")).ok()
}

/// One throughput measurement.
pub(crate) struct Run {
    bytes: u64,
    took: Duration,
    processor: Duration,
    peaks: Vec<(&'static str, u64)>,
}

impl Run {
    /// Over all streams together, by the slowest one's end.
    pub(crate) fn gigabytes_per_second(&self) -> f64 {
        self.bytes as f64 / 1e9 / self.took.as_secs_f64()
    }
}

/// Carries `bytes` in all over so many streams. They stay open until processor time and memory are read, so that the
/// processes that some tunnels keep for a connection are still there to be asked.
pub(crate) fn carry(
    running: &Running,
    direction: Direction,
    streams: usize,
    bytes: u64,
) -> io::Result<Run> {
    let each = bytes / streams as u64;
    let open = || client::open(running.listen, direction.service(), each);
    let mut streams: Vec<_> = (0..streams).map(|_| open()).collect::<io::Result<_>>()?;
    let before = processor_time(running);
    let start = Instant::now();
    thread::scope(|scope| {
        let carriers: Vec<_> = streams
            .iter_mut()
            .map(|stream| scope.spawn(move || direction.carry(stream, each)))
            .collect();
        carriers
            .into_iter()
            .try_for_each(|carrier| carrier.join().expect("carrying does not panic"))
    })?;
    let took = start.elapsed();
    let peaks = running
        .processes
        .iter()
        .map(|process| (process.title(), usage::peak_memory(process.id())))
        .collect();
    Ok(Run {
        bytes: each * streams.len() as u64,
        took,
        processor: processor_time(running) - before,
        peaks,
    })
}

/// What the tunnel has used so far.
pub(crate) fn processor_time(running: &Running) -> Duration {
    running.processes.iter().map(|process| usage::processor_time(process.id())).sum()
}

fn connection_rate(address: SocketAddr, during: Duration) -> io::Result<f64> {
    let start = Instant::now();
    let end = start + during;
    let made = thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTING_THREADS)
            .map(|_| scope.spawn(move || client::connections_until(address, end)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("connecting does not panic"))
            .sum::<io::Result<u64>>()
    })?;
    Ok(made as f64 / start.elapsed().as_secs_f64())
}
