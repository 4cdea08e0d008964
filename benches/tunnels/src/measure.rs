//! One round: every tunnel is started, and all are measured in turn, one figure after the other.

use crate::{
    client::{self, Direction},
    metric::Metric,
    options::Options,
    tunnel::{parse, Kind, Running},
};
use ockam_actix_harness::{process::Process, progress::Progress, usage};
use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

/// Threads that open connections at the same time.
const CONNECTING_THREADS: u32 = 2;

/// Turns into which a round divides the round trips and the connections of a tunnel. On a shared
/// machine these take half as long again in one second as in the next, so tunnels that are compared
/// have to be measured within the same seconds.
const TURNS: u32 = 10;

/// The throughput measurements.
const CARRYING: [(Metric, Direction, usize); 4] = [
    (Metric::Up1, Direction::Up, 1),
    (Metric::Down1, Direction::Down, 1),
    (Metric::Up8, Direction::Up, 8),
    (Metric::Down8, Direction::Down, 8),
];

/// The figures of one tunnel in one round. A missing one could not be measured.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    /// The figures.
    pub(crate) values: BTreeMap<Metric, f64>,
    /// The most memory each process had resident, in bytes, by its title.
    pub(crate) peaks: BTreeMap<String, u64>,
    /// Whether the end of one direction leaves the other one open.
    pub(crate) half_closes: bool,
}

/// A tunnel that was started for a round, and what is known of it so far.
pub(crate) struct Contestant {
    /// Which tunnel.
    pub(crate) kind: &'static Kind,
    running: Running,
    /// The figures that are final.
    sample: Sample,
    /// Round trips; `None` once one has failed. The same holds for the rates.
    trips: Option<Vec<f64>>,
    /// Connections a second, of each turn.
    rates: Option<Vec<f64>>,
    /// Bytes of all throughput measurements, and the processor time that they took.
    carried: u64,
    used: Duration,
    _target: Process,
}

/// Measures all of them in turn; nothing else of theirs runs meanwhile.
pub(crate) fn round(contestants: &mut [Contestant], options: &Options, progress: &Progress) {
    for _ in 0..TURNS {
        for contestant in &mut *contestants {
            progress.now(format!("{}: round trips and connections", contestant.kind.name));
            contestant.latency(options);
        }
    }
    for (metric, direction, streams) in CARRYING {
        for contestant in &mut *contestants {
            let name = contestant.kind.name;
            progress.now(format!("{name}: {streams} streams, {direction:?}"));
            contestant.throughput(metric, direction, streams, options.bytes());
        }
    }
}

impl Contestant {
    /// Starts the target and the tunnel to it.
    pub(crate) fn start(kind: &'static Kind, options: &Options) -> io::Result<Self> {
        let (target, address) = Process::role("target", "target", &[])?;
        let running = kind.start(parse(&address)?, options)?;
        let half_closes = client::half_closes(running.listen).is_ok();
        Ok(Self {
            kind,
            running,
            sample: Sample { half_closes, ..Sample::default() },
            trips: Some(Vec::new()),
            rates: Some(Vec::new()),
            carried: 0,
            used: Duration::ZERO,
            _target: target,
        })
    }

    fn latency(&mut self, options: &Options) {
        let address = self.running.listen;
        if let Some(mut trips) = self.trips.take() {
            let each = options.round_trips() / TURNS as usize;
            self.trips = self.reported(client::round_trips(address, each)).map(|more| {
                trips.extend(more);
                trips
            });
        }
        if let Some(mut rates) = self.rates.take() {
            let during = options.connecting() / TURNS;
            self.rates = self.reported(connection_rate(address, during)).map(|rate| {
                rates.push(rate);
                rates
            });
        }
    }

    fn throughput(&mut self, metric: Metric, direction: Direction, streams: usize, bytes: u64) {
        let Some(run) = self.reported(carry(&self.running, direction, streams, bytes)) else {
            return;
        };
        self.sample.values.insert(metric, run.gigabytes_per_second());
        self.carried += run.bytes;
        self.used += run.processor;
        for (title, peak) in run.peaks {
            let most = self.sample.peaks.entry(title).or_default();
            *most = peak.max(*most);
        }
    }

    /// The value, or `None` after the error was printed.
    fn reported<T>(&self, outcome: io::Result<T>) -> Option<T> {
        outcome.inspect_err(|error| eprintln!("  {} failed: {error}", self.kind.name)).ok()
    }

    /// Ends the tunnel; returns the figures of the round.
    pub(crate) fn finish(self) -> Sample {
        let mut sample = self.sample;
        if let Some(mut trips) = self.trips {
            trips.sort_by(f64::total_cmp);
            sample.values.insert(Metric::RoundTrip50, trips[trips.len() / 2]);
            sample.values.insert(Metric::RoundTrip99, trips[trips.len() * 99 / 100]);
        }
        if let Some(rates) = self.rates {
            // The turns are of the same length, so this is the rate over all of them.
            let rate = rates.iter().sum::<f64>() / rates.len() as f64;
            sample.values.insert(Metric::Connections, rate);
        }
        if self.carried > 0 && !self.running.processes.is_empty() {
            let each = self.used.as_secs_f64() / (self.carried as f64 / 1e9);
            sample.values.insert(Metric::Processor, each);
        }
        sample
    }
}

/// One throughput measurement.
pub(crate) struct Run {
    bytes: u64,
    took: Duration,
    processor: Duration,
    peaks: Vec<(String, u64)>,
}

impl Run {
    /// The rate of all streams together, up to the end of the slowest one.
    pub(crate) fn gigabytes_per_second(&self) -> f64 {
        self.bytes as f64 / 1e9 / self.took.as_secs_f64()
    }
}

/// Carries `bytes` in all over `streams` streams. They stay open until processor time and memory
/// are read, so that the processes that some tunnels keep for a connection still exist.
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
        .map(|process| (process.title().to_owned(), usage::peak_memory(process.id())))
        .collect();
    Ok(Run {
        bytes: each * streams.len() as u64,
        took,
        processor: processor_time(running) - before,
        peaks,
    })
}

/// The processor time that the tunnel has used so far.
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
